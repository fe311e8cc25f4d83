import type { HostSpec, VmSpec } from './spec.js';

export const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** A VM with one 16 MiB disk and one NIC on `VM Network`, unless the spec says otherwise. */
export function vm(spec: VmSpec): VmSpec {
  return { disks: [{ sizeBytes: 16 * MIB }], nics: [{ network: 'VM Network' }], ...spec };
}

export interface SampleOptions {
  /** Path of a bootable raw image that becomes web01's first disk. */
  bootImage?: string;
}

/** The name that runs a command wherever somebody forgets to quote. */
export const ODD_NAME = `web 01 (größe) 'quoted' "x" $(touch pwned)`;
/** The datastore whose name needs quoting, too. */
export const ODD_DATASTORE = 'Daten größer (2)';

/** The ready set: each VM odd in one way, `web01` plain. */
export function sampleHost(options: SampleOptions = {}): HostSpec {
  const boot = options.bootImage === undefined ? {} : { image: options.bootImage };
  return {
    datastores: [
      { name: 'datastore1', type: 'VMFS-6' },
      { name: ODD_DATASTORE, type: 'VMFS-5', capacityBytes: 500 * GIB, freeBytes: 123 * GIB },
      { name: '124-share', type: 'NFS', capacityBytes: 4 * 1024 * GIB },
      { name: 'OSDATA-68fa0239-da47d710-e904-001b21bcf020', type: 'VMFSOS' },
      { name: 'BOOTBANK1', type: 'vfat' },
      { name: '', type: 'vfat', uuid: '5a680f37-6036095e-cb6b-00e0ed438c52' },
    ],
    vswitches: [
      {
        name: 'vSwitch0',
        portGroups: [{ name: 'VM Network' }, { name: 'Management Network' }, { name: 'prod (20)', vlan: 20 }],
      },
      {
        name: 'vSwitch1',
        portGroups: [
          { name: 'trunk', vlan: 4095 },
          { name: 'mirror', vlan: 7, promiscuous: true },
        ],
      },
    ],
    vms: [
      vm({
        name: 'web01',
        cpus: 2,
        memoryMib: 512,
        guestId: 'debian11_64Guest',
        disks: [
          { sizeBytes: 48 * MIB, mbr: true, ...boot },
          { sizeBytes: 16 * MIB, thin: false },
        ],
        nics: [{ network: 'VM Network', ipAddresses: ['192.0.2.21', 'fe80::20c:29ff:fe00:1'] }],
      }),
      vm({
        name: ODD_NAME,
        folder: 'web 01 (größe)',
        file: `it's "x" $(touch pwned)`,
        nics: [{ network: 'prod (20)' }],
      }),
      vm({
        name: 'notes',
        annotation:
          'first line\nsecond "line" | third\n99     ghost   [datastore1] ghost/ghost.vmx   ubuntu64Guest   vmx-19   ',
      }),
      vm({ name: 'twin', folder: 'twin' }),
      vm({ name: 'twin', folder: 'twin_1', disks: [{ sizeBytes: 8 * MIB }] }),
      vm({
        name: 'db01',
        power: 'on',
        cpus: 4,
        coresPerSocket: 2,
        disks: [
          { sizeBytes: 16 * MIB, controller: 'lsisas1068' },
          { sizeBytes: 8 * MIB, controller: 'lsisas1068', bus: 1, unit: 8 },
        ],
        nics: [{ network: 'VM Network', mac: '00:50:56:1a:b0:01', ipAddresses: ['192.0.2.30'] }],
      }),
      vm({ name: 'no-tools', power: 'on', tools: 'none' }),
      vm({ name: 'stubborn', power: 'on', tools: 'stuck' }),
      vm({ name: 'asleep', power: 'suspended' }),
      vm({
        name: 'snap-se',
        snapshots: [
          { name: 'before patch', description: 'tools, codecs, reader\nsecond line of the description' },
          { name: 'after [patch]', state: 'on' },
        ],
      }),
      vm({
        name: 'snap-cowd',
        datastore: ODD_DATASTORE,
        disks: [{ sizeBytes: 16 * MIB }, { sizeBytes: 8 * MIB, mode: 'independent_persistent' }],
        snapshots: [{ name: 'one' }, { name: 'two' }],
      }),
      vm({
        name: 'spread',
        firmware: 'efi',
        secureBoot: true,
        changeTracking: true,
        guestId: 'windows9Server64Guest',
        disks: [
          { sizeBytes: 16 * MIB, controller: 'nvme' },
          { sizeBytes: 8 * MIB, controller: 'ahci', datastore: ODD_DATASTORE, folder: 'data disks/für spread' },
          { sizeBytes: 8 * MIB + 512, controller: 'ide' },
        ],
        nics: [
          { network: 'trunk', model: 'e1000e' },
          { network: 'mirror', model: 'vlance', startConnected: false },
          { network: 'prod (20)', model: 'e1000', mac: '00:50:56:aa:bb:01' },
        ],
      }),
      vm({ name: 'rdm', disks: [{ sizeBytes: 16 * MIB }, { sizeBytes: 2 * GIB, rdm: 'physical' }] }),
      vm({ name: 'lost-extent', disks: [{ sizeBytes: 8 * MIB, fault: 'missing-extent' }] }),
      vm({
        name: 'lost-parent',
        disks: [{ sizeBytes: 8 * MIB, fault: 'missing-parent' }],
        snapshots: [{ name: 'only' }],
      }),
      vm({ name: 'bare', nics: [], disks: [] }),
      vm({ name: 'broken-vmx', vmxFault: 'garbage' }),
      vm({ name: 'no-vmx', vmxFault: 'missing' }),
      vm({ name: 'invalid', invalid: true }),
    ],
  };
}

/** A host with n small powered-off VMs `vm-001` …, for round trips and batches. */
export function manyVms(n: number): HostSpec {
  return {
    vms: Array.from({ length: n }, (_, index) =>
      vm({ name: `vm-${String(index + 1).padStart(3, '0')}`, disks: [{ sizeBytes: MIB, dataBytes: 64 * 1024 }] }),
    ),
  };
}
