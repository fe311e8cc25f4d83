import { createHash } from 'node:crypto';
import type { OvfMachine } from '../../convert/ovf/index.js';
import type { DiskRecord, FoundDisk, NicRecord, VmFacts, VmRecord } from '../../esxi/index.js';
import type { BareHardware } from './address.js';

/** CIM resource types of ports (CIM_ResourceAllocationSettingData.ResourceType). */
const SERIAL = 21;
const PARALLEL = 22;

/**
 * The id of a VM of a package, in the form of a host's: nine digits out of the package's name and what the VM is called
 * in it, so that the same command finds its run again, and no other one does.
 */
export function machineId(packageName: string, machine: string): string {
  const hash = createHash('sha256').update(JSON.stringify([packageName, machine]));
  return String(100_000_000 + (hash.digest().readUInt32BE(0) % 900_000_000));
}

/** The record of a VM as its OVF descriptor has it: off, and without what only a host can tell. */
export function ovfRecord(
  machine: OvfMachine,
  of: { id: string; where: string; found: ReadonlyMap<string, FoundDisk> },
): VmRecord {
  const { nics, devices } = machine;
  const ports = (type: number, word: string) =>
    devices.filter((device) => device.type === type).map((_, index) => `${word}${index}`);
  return {
    ...offRecord(of),
    name: machine.name,
    annotation: machine.annotation ?? '',
    guest_id: machine.guestId,
    hardware_version: machine.hardwareVersion,
    cpus: machine.cpus,
    cores_per_socket: machine.coresPerSocket,
    memory_mib: machine.memoryMib,
    firmware: machine.firmware,
    secure_boot: machine.secureBoot,
    vtpm: machine.vtpm,
    disks: machine.disks.map(({ label, controller }) => diskRecord(label, controller, of.found.get(label))),
    nics: nics.map(({ label, model, mac, network, connected }) => nicRecord({ label, model, mac, network, connected })),
    facts: {
      ...nothingKnown(),
      cpuHotAdd: machine.cpuHotAdd,
      memoryHotAdd: machine.memoryHotAdd,
      diskEnableUuid: machine.diskUuid,
      startDisconnectedNics: nics.filter(({ connected }) => !connected).map(({ label }) => label),
      serialParallel: [...ports(SERIAL, 'serial'), ...ports(PARALLEL, 'parallel')],
    },
  };
}

/** The record of a VM made of bare disks, in their order: the first one boots. */
export function bareRecord(
  hardware: BareHardware,
  of: { id: string; name: string; where: string; disks: readonly (FoundDisk & { label: string })[] },
): VmRecord {
  return {
    ...offRecord(of),
    name: of.name,
    guest_id: hardware.guest_id,
    cpus: hardware.cpus,
    memory_mib: hardware.memory_mib,
    firmware: hardware.firmware,
    disks: of.disks.map((found) => diskRecord(found.label, 'pvscsi', found)),
    nics: Array.from({ length: hardware.nics }, (_, index) =>
      nicRecord({ label: `ethernet${index}`, model: 'vmxnet3', mac: null, network: null, connected: true }),
    ),
    facts: nothingKnown(),
  };
}

/** What all VMs of packages have in common, where nothing else is told: off, and unencumbered. */
function offRecord({ id, where }: { id: string; where: string }) {
  return {
    id,
    uuid: null,
    vmx_path: where,
    annotation: '',
    hardware_version: null,
    power_state: 'off',
    cores_per_socket: 1,
    secure_boot: false,
    vtpm: false,
    encrypted: false,
    change_tracking: false,
    snapshots: 0,
  } as const;
}

/** The label of a bare disk by its place; unit 7 is the SCSI controller's own. */
export function bareLabel(index: number): string {
  return `scsi0:${index < 7 ? index : index + 1}`;
}

function diskRecord(label: string, controller: DiskRecord['controller'], found: FoundDisk | undefined): DiskRecord {
  const nothing = { path: null, capacity_bytes: null, allocated_bytes: null, kind: null, chain: [] };
  const { path, capacity_bytes, allocated_bytes, kind, chain } = found ?? nothing;
  return { label, controller, path, capacity_bytes, allocated_bytes, kind, mode: 'persistent', shared: false, chain };
}

function nicRecord(known: Omit<NicRecord, 'vlan_id' | 'ip_addresses'>): NicRecord {
  const { label, model, mac, network, connected } = known;
  return { label, model, mac, network, vlan_id: null, connected, ip_addresses: [] };
}

/** What a package does not tell, as for a VM that is off. */
function nothingKnown(): VmFacts {
  return {
    template: false,
    toolsRunning: null,
    toolsInstalled: null,
    faultTolerance: false,
    cpuHotAdd: false,
    memoryHotAdd: false,
    latencySensitivity: null,
    consolidationNeeded: false,
    questionPending: false,
    diskEnableUuid: false,
    vmxDatastore: null,
    diskDatastores: {},
    diskProblems: {},
    rawDisks: {},
    staticMacs: [],
    startDisconnectedNics: [],
    promiscuousNics: [],
    pciPassthrough: [],
    vgpus: [],
    usbDevices: [],
    serialParallel: [],
    connectedRemovable: [],
  };
}
