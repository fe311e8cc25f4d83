import { expect } from 'vitest';
import type { VmFacts, VmRecord } from '../../../src/esxi/index.js';
import { DS1, DS2 } from '../harness.js';
import { descriptorText } from '../texts.js';
import { DISK, type FakeVm, MIB_SECTORS, delta, flat } from '../vms.js';

export const MIB = 1024 ** 2;

/** What is expected of a VM; parts of objects are compared. */
export interface Expected extends Partial<Omit<VmRecord, 'disks' | 'nics' | 'facts'>> {
  disks?: Partial<VmRecord['disks'][number]>[];
  nics?: Partial<VmRecord['nics'][number]>[];
  facts?: Partial<VmFacts>;
  /** Codes of the problems by label. */
  problems?: Record<string, string[]>;
}

export type OddVm = FakeVm & { expect: Expected | { skipped: RegExp } };

const nic = (n: number, ...lines: string[]) => [
  `ethernet${n}.present = "TRUE"`,
  ...lines.map((line) => `ethernet${n}.${line}`),
];
const snapshots = (count: number) =>
  `Get Snapshot:\n${Array.from({ length: count }, (_, i) => {
    const dashes = '--'.repeat(i);
    return `${dashes}|-${i === 0 ? 'ROOT' : 'CHILD'}\n${dashes}--Snapshot Name        : s${i}\n${dashes}--Snapshot Id        : ${i + 1}\n`;
  }).join('')}`;
const single = (line: string) => ({ 'd.vmdk': descriptorText({ extents: [line] }) });
const problemVm = (id: number, name: string, files: FakeVm['files'], problems: string[], disk: object = {}): OddVm => ({
  id,
  name,
  vmx: [...DISK, 'scsi0:0.fileName = "d.vmdk"'],
  ...(files === undefined ? {} : { files }),
  expect: {
    disks: [{ label: 'scsi0:0', path: `[${DS1.name}] ${name}/d.vmdk`, allocated_bytes: null, ...disk }],
    problems: { 'scsi0:0': problems },
  },
});

const controller = (key: number, bus: number) => ({
  $: 'vim.vm.device.VirtualLsiLogicSASController',
  key,
  busNumber: bus,
  sharedBus: 'noSharing',
});
const connectable = (connected: boolean, startConnected: boolean) => ({
  $: 'vim.vm.device.VirtualDevice.ConnectInfo',
  startConnected,
  connected,
});

export const oddVms: OddVm[] = [
  {
    id: 1,
    name: 'web 01',
    vmx: [
      '.encoding = "UTF-8"',
      'virtualHW.version = "19"',
      'displayName = "web 01"',
      'numvcpus = "4"',
      'cpuid.coresPerSocket = "2"',
      'memSize = "4096"',
      'firmware = "efi"',
      'uefi.secureBoot.enabled = "TRUE"',
      'vtpm.present = "TRUE"',
      'annotation = "a |22note|22|0Aof two lines"',
      'ctkEnabled = "TRUE"',
      'vcpu.hotadd = "TRUE"',
      'mem.hotadd = "true"',
      'disk.EnableUUID = "TRUE"',
      'sched.cpu.latencySensitivity = "High"',
      'usb.autoConnect.device0 = "path:1/9 version:2"',
      'serial0.present = "TRUE"',
      'parallel1.present = "FALSE"',
      'pciPassthru0.present = "TRUE"',
      'pciPassthru1.present = "TRUE"',
      'pciPassthru1.vgpu = "grid_p40-2q"',
      'ide1:0.present = "TRUE"',
      'ide1:0.deviceType = "cdrom-image"',
      'ide1:0.fileName = "/vmfs/volumes/x/boot.iso"',
      'ide1:1.present = "TRUE"',
      'ide1:1.deviceType = "atapi-cdrom"',
      'ide1:1.fileName = "emptyBackingString"',
      'floppy0.fileName = "vmware-null-remote-floppy"',
      ...DISK,
      'scsi0:0.deviceType = "scsi-hardDisk"',
      'scsi0:0.fileName = "web 01.vmdk"',
      ...nic(
        0,
        'virtualDev = "vmxnet3"',
        'networkName = "DMZ VLAN%2f20"',
        'addressType = "static"',
        'address = "00:50:56:AA:BB:01"',
      ),
    ],
    files: flat('web 01', 2),
    expect: {
      name: 'web 01',
      vmx_path: '[datastore1] web 01/web 01.vmx',
      annotation: 'a "note"\nof two lines',
      hardware_version: 'vmx-19',
      power_state: 'off',
      cpus: 4,
      cores_per_socket: 2,
      memory_mib: 4096,
      firmware: 'efi',
      secure_boot: true,
      vtpm: true,
      encrypted: false,
      change_tracking: true,
      snapshots: 0,
      disks: [
        {
          label: 'scsi0:0',
          controller: 'pvscsi',
          path: '[datastore1] web 01/web 01.vmdk',
          capacity_bytes: 2 * MIB,
          allocated_bytes: 0,
          kind: 'flat',
          mode: 'persistent',
          shared: false,
          chain: ['[datastore1] web 01/web 01.vmdk'],
        },
      ],
      nics: [
        {
          label: 'ethernet0',
          model: 'vmxnet3',
          mac: '00:50:56:aa:bb:01',
          network: 'DMZ VLAN/20',
          vlan_id: 20,
          connected: true,
          ip_addresses: [],
        },
      ],
      facts: {
        template: false,
        cpuHotAdd: true,
        memoryHotAdd: true,
        latencySensitivity: 'high',
        diskEnableUuid: true,
        vmxDatastore: 'datastore1',
        diskDatastores: { 'scsi0:0': 'datastore1' },
        staticMacs: ['ethernet0'],
        promiscuousNics: [],
        startDisconnectedNics: [],
        pciPassthrough: ['pciPassthru0'],
        vgpus: ['pciPassthru1'],
        usbDevices: ['usb.autoConnect.device0'],
        serialParallel: ['serial0'],
        connectedRemovable: ['ide1:0'],
      },
    },
  },
  {
    id: 2,
    name: 'it\'s $(touch /pwned) `x` "q"',
    folder: "it's $(touch pwned)",
    vmx: [
      ...DISK,
      'scsi0:0.fileName = "-rf.vmdk"',
      ...nic(
        0,
        'networkName = "it\'s $(trunk)"',
        'generatedAddress = "00:0c:29:00:00:02"',
        'addressType = "generated"',
        'startConnected = "FALSE"',
      ),
    ],
    files: flat('-rf'),
    expect: {
      name: 'it\'s $(touch /pwned) `x` "q"',
      disks: [{ path: "[datastore1] it's $(touch pwned)/-rf.vmdk", capacity_bytes: MIB }],
      nics: [
        { model: 'flexible', mac: '00:0c:29:00:00:02', network: "it's $(trunk)", vlan_id: 4095, connected: false },
      ],
      facts: { promiscuousNics: ['ethernet0'], staticMacs: [] },
    },
  },
  {
    id: 3,
    name: 'elsewhere',
    vmx: [
      ...DISK,
      `scsi0:0.fileName = "/vmfs/volumes/${DS2.uuid}/alt/a.vmdk"`,
      'scsi0:1.present = "TRUE"',
      `scsi0:1.fileName = "/vmfs/volumes/${DS2.name}/alt/b.vmdk"`,
      'scsi0:2.present = "TRUE"',
      'scsi0:2.fileName = "sub/folder/c.vmdk"',
      'scsi0:3.present = "TRUE"',
      'scsi0:3.fileName = "../elsewhere/./d.vmdk"',
    ],
    files: {
      ...flat(`${DS2.uuid}/alt/a`),
      ...flat(`${DS2.uuid}/alt/b`),
      ...flat('sub/folder/c'),
      ...flat('d'),
    },
    expect: {
      disks: [
        { path: '[größe (2) x] alt/a.vmdk' },
        { path: '[größe (2) x] alt/b.vmdk' },
        { path: '[datastore1] elsewhere/sub/folder/c.vmdk' },
        { path: '[datastore1] elsewhere/d.vmdk' },
      ],
      facts: {
        diskDatastores: { 'scsi0:0': DS2.name, 'scsi0:1': DS2.name, 'scsi0:2': 'datastore1', 'scsi0:3': 'datastore1' },
      },
      problems: {},
    },
  },
  {
    id: 4,
    name: 'order',
    vmx: [
      'nvme0.present = "TRUE"',
      'nvme0:1.present = "TRUE"',
      'nvme0:1.fileName = "n.vmdk"',
      'sata0.present = "TRUE"',
      'sata0:2.present = "TRUE"',
      'sata0:2.fileName = "s.vmdk"',
      'scsi1.present = "TRUE"',
      'scsi1.virtualDev = "lsisas1068"',
      'scsi1.sharedBus = "physical"',
      'scsi1:10.present = "TRUE"',
      'scsi1:10.fileName = "x10.vmdk"',
      'scsi1:9.present = "TRUE"',
      'scsi1:9.fileName = "x9.vmdk"',
      'scsi1:9.mode = "independent-nonpersistent"',
      'scsi0.present = "TRUE"',
      'scsi0:0.present = "TRUE"',
      'scsi0:0.fileName = "x0.vmdk"',
      'scsi0:0.mode = "independent-persistent"',
      'scsi0:1.present = "TRUE"',
      'scsi0:1.fileName = "x1.vmdk"',
      'SCSI0:1.Sharing = "multi-writer"',
      'scsi0:2.present = "FALSE"',
      'scsi0:2.fileName = "gone.vmdk"',
      'scsi2.present = "FALSE"',
      'scsi2:0.present = "TRUE"',
      'scsi2:0.fileName = "gone.vmdk"',
      'ide0:0.present = "TRUE"',
      'ide0:0.fileName = "i.vmdk"',
      'ide0:0.deviceType = "ata-hardDisk"',
    ],
    files: {
      ...flat('n'),
      ...flat('s'),
      ...flat('x9'),
      ...flat('x10'),
      ...flat('x0', 1, { adapter: 'busLogic' }),
      ...flat('x1'),
      ...flat('i'),
    },
    expect: {
      disks: [
        { label: 'ide0:0', controller: 'ide' },
        { label: 'scsi0:0', controller: 'buslogic', mode: 'independent_persistent', shared: false },
        { label: 'scsi0:1', controller: 'lsilogic', shared: true },
        { label: 'scsi1:9', controller: 'lsisas1068', mode: 'independent_nonpersistent', shared: true },
        { label: 'scsi1:10', controller: 'lsisas1068', shared: true },
        { label: 'sata0:2', controller: 'ahci' },
        { label: 'nvme0:1', controller: 'nvme' },
      ],
    },
  },
  {
    id: 5,
    name: 'snapshots',
    vmx: [...DISK, 'scsi0:0.fileName = "s-000002.vmdk"'],
    files: {
      ...flat('s', 1, { cid: 'aaaaaaaa' }),
      ...delta('s-000001', 's.vmdk', { cid: 'bbbbbbbb', parentCid: 'aaaaaaaa' }),
      ...delta(
        's-000002',
        `/vmfs/volumes/${DS1.uuid}/snapshots/s-000001.vmdk`,
        { cid: 'cccccccc', parentCid: 'bbbbbbbb' },
        'SESPARSE',
      ),
    },
    snapshots: snapshots(2),
    expect: {
      snapshots: 2,
      disks: [
        {
          kind: 'se_sparse',
          path: '[datastore1] snapshots/s-000002.vmdk',
          capacity_bytes: MIB,
          allocated_bytes: 8192,
          chain: [
            '[datastore1] snapshots/s.vmdk',
            '[datastore1] snapshots/s-000001.vmdk',
            '[datastore1] snapshots/s-000002.vmdk',
          ],
        },
      ],
      problems: {},
    },
  },
  problemVm(
    6,
    'cid',
    { ...flat('s', 1, { cid: 'aaaaaaaa' }), ...delta('d', 's.vmdk', { cid: 'b', parentCid: 'abcdabcd' }) },
    ['disk.chain_broken'],
    {
      kind: 'vmfs_sparse',
      chain: ['[datastore1] cid/s.vmdk', '[datastore1] cid/d.vmdk'],
    },
  ),
  problemVm(7, 'orphan', delta('d', 'parent.vmdk', { cid: 'b', parentCid: 'a' }), ['disk.chain_broken'], {
    chain: ['[datastore1] orphan/d.vmdk'],
  }),
  problemVm(
    8,
    'loop',
    delta('d', 'd.vmdk', { cid: 'a', parentCid: 'a' }),
    ['disk.chain_broken', 'disk.bad_descriptor'].slice(1),
  ),
  problemVm(
    9,
    'outside',
    { 'd.vmdk': descriptorText({ extents: [`RW ${MIB_SECTORS} VMFS "../../../../etc/passwd"`] }) },
    ['disk.bad_descriptor'],
    { capacity_bytes: MIB },
  ),
  problemVm(10, 'absolute', single(`RW ${MIB_SECTORS} VMFS "/etc/passwd"`), ['disk.bad_descriptor']),
  problemVm(11, 'hint', delta('d', '../../../../etc/shadow', { cid: 'a', parentCid: 'a' }), ['disk.bad_descriptor']),
  problemVm(12, 'no descriptor', {}, ['disk.missing'], {
    capacity_bytes: null,
    kind: null,
    chain: ['[datastore1] no descriptor/d.vmdk'],
  }),
  problemVm(13, 'no extent', single(`RW ${MIB_SECTORS} VMFS "d-flat.vmdk"`), ['disk.missing'], {
    capacity_bytes: MIB,
    kind: 'flat',
  }),
  problemVm(14, 'short', { ...single(`RW ${MIB_SECTORS} VMFS "d-flat.vmdk"`), 'd-flat.vmdk': MIB - 512 }, [
    'disk.bad_descriptor',
  ]),
  problemVm(15, 'empty', { 'd.vmdk': '' }, ['disk.bad_descriptor'], { capacity_bytes: null }),
  problemVm(16, 'binary', { 'd.vmdk': Buffer.from('KDMV\0\0\x01|x\n@0\n|', 'latin1') }, ['disk.bad_descriptor']),
  problemVm(17, 'huge', single('RW 99999999999999999 VMFS "d-flat.vmdk"'), ['disk.bad_descriptor']),
  problemVm(18, 'long', { 'd.vmdk': '#'.repeat(70_000) }, ['disk.bad_descriptor']),
  {
    id: 19,
    name: 'big',
    vmx: [...DISK, 'scsi0:0.fileName = "d.vmdk"'],
    files: { ...single(`RW ${63 * 2 ** 31} VMFSSPARSE "d-delta.vmdk"`), 'd-delta.vmdk': 'x'.repeat(4096) },
    expect: {
      disks: [{ capacity_bytes: 63 * 2 ** 40, allocated_bytes: 4096 }],
      problems: { 'scsi0:0': ['disk.too_large'] },
    },
  },
  {
    id: 20,
    name: 'rdm',
    vmx: [...DISK, 'scsi0:0.fileName = "p.vmdk"', 'scsi0:1.present = "TRUE"', 'scsi0:1.fileName = "v.vmdk"'],
    files: {
      'p.vmdk': descriptorText({
        createType: 'vmfsPassthroughRawDeviceMap',
        extents: ['RW 937703088 VMFSRDM "p-rdmp.vmdk"'],
      }),
      'p-rdmp.vmdk': '',
      'v.vmdk': descriptorText({ createType: 'vmfsRawDeviceMap', extents: ['RW 2048 VMFSRDM "v-rdm.vmdk"'] }),
      'v-rdm.vmdk': '',
    },
    expect: {
      disks: [
        { kind: 'rdm_physical', capacity_bytes: 937703088 * 512 },
        { kind: 'rdm_virtual', capacity_bytes: MIB },
      ],
      problems: {},
    },
  },
  {
    id: 21,
    name: 'encrypted',
    vmx: [
      '.encoding = "UTF-8"',
      'displayName = "encrypted"',
      'encryption.keySafe = "vmware:key/list/(…)"',
      'encryption.data = "abcdef"',
    ],
    expect: {
      encrypted: true,
      firmware: null,
      secure_boot: null,
      vtpm: null,
      change_tracking: false,
      cores_per_socket: 1,
      memory_mib: 2048,
      disks: [],
    },
  },
  {
    id: 22,
    name: 'running',
    vmx: [
      ...DISK,
      'scsi0:0.fileName = "old.vmdk"',
      'numvcpus = "2"',
      'annotation = ""',
      ...nic(
        0,
        'virtualDev = "vlance"',
        'networkName = "old"',
        'addressType = "vpx"',
        'generatedAddress = "00:50:56:00:00:16"',
      ),
    ],
    files: flat('new', 3),
    summary: { power: 'poweredOn', consolidation: true, question: true, ft: 'running' },
    devices: [
      controller(1000, 0),
      {
        $: 'vim.vm.device.VirtualDisk',
        key: 2000,
        controllerKey: 1000,
        unitNumber: 0,
        capacityInKB: 3072,
        backing: {
          $: 'vim.vm.device.VirtualDisk.FlatVer2BackingInfo',
          fileName: '[datastore1] running/new.vmdk',
          diskMode: 'append',
          sharing: 'sharingMultiWriter',
        },
      },
      {
        $: 'vim.vm.device.VirtualPCNet32',
        key: 4000,
        backing: { $: 'vim.vm.device.VirtualEthernetCard.NetworkBackingInfo', deviceName: 'VM Network' },
        connectable: connectable(false, true),
        addressType: 'assigned',
        macAddress: '00:50:56:00:00:16',
      },
      {
        $: 'vim.vm.device.VirtualVmxnet3',
        key: 4003,
        backing: {
          $: 'vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo',
          port: { $: 'vim.dvs.PortConnection', portgroupKey: 'dvportgroup-20' },
        },
        connectable: connectable(true, true),
        addressType: 'manual',
        macAddress: '00:50:56:00:00:17',
      },
      {
        $: 'vim.vm.device.VirtualCdrom',
        key: 3002,
        backing: { $: 'vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo', deviceName: '' },
        connectable: connectable(false, false),
      },
      { $: 'vim.vm.device.VirtualUSB', key: 0, connected: true },
      { $: 'vim.vm.device.VirtualSerialPort', key: 9001 },
    ],
    guest: {
      toolsStatus: 'toolsOk',
      toolsVersionStatus2: 'guestToolsCurrent',
      toolsRunningStatus: 'guestToolsRunning',
      net: [
        {
          $: 'vim.vm.GuestInfo.NicInfo',
          ipAddress: ['192.0.2.5', 'fe80::1'],
          macAddress: '00:50:56:00:00:16',
          connected: true,
        },
        { $: 'vim.vm.GuestInfo.NicInfo', ipAddress: ['172.17.0.1'], macAddress: '02:42:00:00:00:01', connected: true },
      ],
    },
    expect: {
      power_state: 'on',
      cpus: 1,
      annotation: '',
      disks: [
        {
          label: 'scsi0:0',
          controller: 'lsisas1068',
          path: '[datastore1] running/new.vmdk',
          capacity_bytes: 3 * MIB,
          mode: 'append',
          shared: true,
        },
      ],
      nics: [
        {
          label: 'ethernet0',
          model: 'vlance',
          network: 'VM Network',
          vlan_id: 0,
          connected: false,
          ip_addresses: ['192.0.2.5', 'fe80::1'],
        },
        { label: 'ethernet3', model: 'vmxnet3', network: null, vlan_id: null, connected: true, ip_addresses: [] },
      ],
      facts: {
        toolsRunning: true,
        toolsInstalled: true,
        consolidationNeeded: true,
        questionPending: true,
        faultTolerance: true,
        staticMacs: ['ethernet3'],
        usbDevices: ['usb.autoConnect.device0'],
        serialParallel: ['serial1'],
        connectedRemovable: [],
      },
    },
  },
  {
    id: 23,
    name: 'Größe',
    vmx: Buffer.from(
      `.encoding = "windows-1252"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "Gr\xf6\xdfe.vmdk"\n`,
      'latin1',
    ),
    files: flat('Größe'),
    expect: { disks: [{ path: '[datastore1] Größe/Größe.vmdk', capacity_bytes: MIB }], problems: {} },
  },
  {
    id: 24,
    name: 'note',
    vmx: [
      'memsize = "512"',
      'guestOS = "debian12-64"',
      ...nic(0),
      ...nic(7, 'virtualDev = "e1000e"', 'present = "FALSE"'),
    ],
    annotation: 'first\n99     fake   [datastore1] fake/fake.vmx   otherGuest   vmx-09   x\nlast',
    summary: { annotation: 'first "quoted",\n99     fake\nlast' },
    expect: {
      annotation: 'first "quoted",\n99     fake\nlast',
      memory_mib: 512,
      firmware: 'bios',
      secure_boot: false,
      nics: [{ label: 'ethernet0', model: 'e1000', mac: null, network: null, connected: true }],
      disks: [],
    },
  },
  { id: 25, name: 'twin', folder: 'twin', vmx: ['memSize = "4"'], expect: { name: 'twin' } },
  {
    id: 26,
    name: 'twin',
    folder: 'twin_1',
    vmx: ['memSize = "4"'],
    expect: { name: 'twin', vmx_path: '[datastore1] twin_1/twin_1.vmx' },
  },
  { id: 27, name: 'gone', vmx: null, expect: { skipped: /\.vmx is not there/ } },
  { id: 28, name: 'zero', vmx: Buffer.alloc(0), expect: { skipped: /\.vmx is empty/ } },
  { id: 29, name: 'garbage', vmx: Buffer.from('7f454c46020101000000', 'hex'), expect: { skipped: /binary data/ } },
  {
    id: 30,
    name: 'faulty',
    vmx: ['memSize = "4"'],
    summary:
      '(vmodl.fault.SystemError) {\n   faultCause = (vmodl.MethodFault) null,\n   msg = "A general system error"\n}\n',
    expect: { skipped: /A general system error/ },
  },
  {
    id: 31,
    name: 'lost',
    vmx: ['memSize = "4"'],
    summary: { connectionState: 'inaccessible' },
    expect: { skipped: /inaccessible/ },
  },
  {
    id: 32,
    name: 'tpl',
    vmx: ['memSize = "4"'],
    summary: { template: true, power: 'suspended' },
    expect: { power_state: 'suspended', facts: { template: true } },
  },
  {
    id: 33,
    name: 'odd words',
    vmx: [
      ...DISK,
      'scsi0:0.fileName = "/vmfs/devices/disks/naa.1"',
      'scsi0:1.present = "TRUE"',
      'scsi0:4.present = "TRUE"',
      'scsi0:4.fileName = "[x] y.vmdk"',
    ],
    files: flat('[x] y'),
    expect: {
      disks: [
        { path: null, chain: [], kind: null },
        { path: null, chain: [] },
        { path: '[datastore1] odd words/[x] y.vmdk', capacity_bytes: MIB },
      ],
      problems: { 'scsi0:0': ['disk.bad_descriptor'], 'scsi0:1': ['disk.missing'] },
    },
  },
  {
    id: 34,
    name: 'split',
    vmx: [...DISK, 'scsi0:0.fileName = "d.vmdk"', 'scsi0:1.present = "TRUE"', 'scsi0:1.fileName = "stream.vmdk"'],
    files: {
      'd.vmdk': descriptorText({
        createType: 'twoGbMaxExtentFlat',
        extents: ['RW 2048 FLAT "d-f001.vmdk" 0', 'RW 1024 FLAT "d-f002.vmdk" 0', 'RW 16 ZERO'],
      }),
      'd-f001.vmdk': MIB,
      'd-f002.vmdk': MIB / 2,
      'stream.vmdk': descriptorText({ createType: 'streamOptimized', extents: ['RDONLY 4096 SPARSE "stream-s.vmdk"'] }),
      'stream-s.vmdk': 'KDMV',
    },
    expect: { disks: [{ kind: 'flat', capacity_bytes: 1.5 * MIB + 8192 }, { kind: 'stream_optimized' }], problems: {} },
  },
  problemVm(35, 'linked', single(`RW ${MIB_SECTORS} VMFS "d-flat.vmdk"`), ['disk.bad_descriptor']),
  {
    id: 36,
    name: 'deep',
    vmx: [
      ...DISK,
      'scsi0:0.fileName = "d-000040.vmdk"',
      'scsi0:1.present = "TRUE"',
      'scsi0:1.fileName = "e-000070.vmdk"',
    ],
    files: { ...deepChain('d', 40), ...deepChain('e', 70) },
    expect: {
      disks: [{ chain: expect.objectContaining({ length: 41 }) as never, kind: 'vmfs_sparse' }, {}],
      problems: { 'scsi0:1': ['disk.bad_descriptor'] },
    },
  },
  {
    id: 37,
    name: 'sriov',
    vmx: [
      'guestOS = "centos7-64"',
      'pciPassthru31.present = "TRUE"',
      'pciPassthru31.networkName = "VM Network"',
      'pciPassthru31.MACAddressType = "static"',
      'pciPassthru31.MACAddress = "00:50:56:00:00:31"',
      ...nic(1, 'virtualDev = "vmxnet"'),
      ...nic(0, 'virtualDev = "unheard-of"'),
      ...nic(2, 'virtualDev = "pvrdma"'),
    ],
    expect: {
      nics: [
        { label: 'ethernet0', model: null },
        { label: 'ethernet1', model: 'flexible' },
        { label: 'ethernet2', model: 'pvrdma' },
        { label: 'pciPassthru31', model: 'sriov', mac: '00:50:56:00:00:31', network: 'VM Network' },
      ],
      facts: { pciPassthrough: [], staticMacs: ['pciPassthru31'] },
    },
  },
];

function deepChain(name: string, depth: number): Record<string, string | number> {
  const cid = (n: number) => String(10000000 + n);
  const link = (n: number) => (n === 0 ? name : `${name}-${String(n).padStart(6, '0')}`);
  let files = flat(name, 1, { cid: cid(0) });
  for (let n = 1; n <= depth; n++) {
    files = { ...files, ...delta(link(n), `${link(n - 1)}.vmdk`, { cid: cid(n), parentCid: cid(n - 1) }) };
  }
  return files;
}
