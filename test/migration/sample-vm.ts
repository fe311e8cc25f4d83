import type { DiskRecord, Inventory, NicRecord, VmFacts, VmRecord } from '../../src/esxi/index.js';

const GIB = 1024 ** 3;

export function disk(given: Partial<DiskRecord> = {}): DiskRecord {
  return {
    label: 'scsi0:0',
    controller: 'pvscsi',
    path: '[datastore1] web01/web01.vmdk',
    capacity_bytes: 40 * GIB,
    allocated_bytes: 3 * GIB,
    kind: 'flat',
    mode: 'persistent',
    shared: false,
    chain: [given.path ?? '[datastore1] web01/web01.vmdk'],
    ...given,
  };
}

export function nic(given: Partial<NicRecord> = {}): NicRecord {
  return {
    label: 'ethernet0',
    model: 'vmxnet3',
    mac: '00:0c:29:4f:11:22',
    network: 'VM Network',
    vlan_id: 0,
    connected: true,
    ip_addresses: [],
    ...given,
  };
}

export type VmChanges = Partial<Omit<VmRecord, 'facts'>> & { facts?: Partial<VmFacts> };

/** A healthy VM: off, one whole disk, one NIC, Linux, BIOS. Nothing is to be found on it. */
export function vm({ facts, ...given }: VmChanges = {}): VmRecord {
  const disks = given.disks ?? [disk()];
  return {
    id: '12',
    name: 'web01',
    uuid: '564d1b2c-0000-4000-8000-00000000000c',
    vmx_path: '[datastore1] web01/web01.vmx',
    annotation: null,
    guest_id: 'debian11_64Guest',
    hardware_version: 'vmx-19',
    power_state: 'off',
    cpus: 2,
    cores_per_socket: 1,
    memory_mib: 4096,
    firmware: 'bios',
    secure_boot: false,
    vtpm: false,
    encrypted: false,
    change_tracking: false,
    snapshots: 0,
    disks,
    nics: [nic()],
    ...given,
    facts: {
      template: false,
      toolsRunning: false,
      toolsInstalled: true,
      faultTolerance: false,
      cpuHotAdd: false,
      memoryHotAdd: false,
      latencySensitivity: null,
      consolidationNeeded: false,
      questionPending: false,
      diskEnableUuid: false,
      vmxDatastore: 'datastore1',
      diskDatastores: Object.fromEntries(disks.map(({ label }) => [label, 'datastore1'])),
      diskProblems: {},
      rawDisks: {},
      staticMacs: [],
      promiscuousNics: [],
      startDisconnectedNics: [],
      pciPassthrough: [],
      vgpus: [],
      usbDevices: [],
      serialParallel: [],
      connectedRemovable: [],
      ...facts,
    },
  };
}

export function inventory(vms: VmRecord[], given: Partial<Inventory> = {}): Inventory {
  return {
    host: {
      name: 'esx1',
      product: 'VMware ESXi',
      version: '8.0.3',
      build: '24677879',
      uuid: null,
      license: 'esxBasic',
    },
    datastores: [],
    networks: [],
    vms,
    skipped: [],
    ...given,
  };
}
