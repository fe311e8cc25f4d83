import type { InventoryVm } from '../../../src/migration/read-inventory.js';
import { DS1, DS2 } from '../harness.js';
import { descriptorText } from '../texts.js';
import type { FakeVm } from '../vms.js';

export const MIB = 1024 ** 2;
/** A third datastore: brackets, parentheses, an umlaut and blanks in its label. */
export const DS3 = { name: 'ssd [a] (für  alle)', uuid: '5f3c1a2b-9d8e7f60-1a2b-ac1f6b0c0d0e' };

/** A VM as `inventory -f json` shows it, its findings as `code severity subject`. */
export type ExpectedVm = Omit<InventoryVm, 'findings'> & { findings: string[] };

export type ContractVm = FakeVm & { what: string; expected: ExpectedVm };

type Disk = InventoryVm['disks'][number];
type Nic = InventoryVm['nics'][number];

/** What a .vmx of ESXi holds beside what a case is about: in the words and the order of the recorded ones. */
const SURROUNDINGS = [
  'config.version = "8"',
  'pciBridge0.present = "TRUE"',
  'svga.present = "TRUE"',
  'pciBridge4.present = "TRUE"',
  'pciBridge4.virtualDev = "pcieRootPort"',
  'pciBridge4.functions = "8"',
  'vmci0.present = "TRUE"',
  'hpet0.present = "TRUE"',
  'virtualHW.productCompatibility = "hosted"',
  'sched.cpu.units = "mhz"',
  'powerType.powerOff = "soft"',
  'ide1:0.startConnected = "FALSE"',
  'ide1:0.deviceType = "cdrom-image"',
  'ide1:0.fileName = "/vmfs/volumes/5458b680-34ec3500-9f36-001320f5f6ca/ISOs/RHEL-7.1-boot.iso"',
  'ide1:0.present = "TRUE"',
  'floppy0.startConnected = "FALSE"',
  'floppy0.clientDevice = "TRUE"',
  'floppy0.fileName = "vmware-null-remote-floppy"',
  'toolScripts.afterPowerOn = "TRUE"',
  'replay.supported = "FALSE"',
  'scsi0:0.redo = ""',
  'pciBridge0.pciSlotNumber = "17"',
];

/** A whole .vmx as ESXi writes it: encoding, hardware version and name first. */
export function vmxLines(name: string, ...lines: string[]): string[] {
  return [
    '.encoding = "UTF-8"',
    'virtualHW.version = "19"',
    `displayName = "${name}"`,
    'numvcpus = "2"',
    'memSize = "4096"',
    'guestOS = "ubuntu-64"',
    ...SURROUNDINGS,
    ...lines,
    '',
  ];
}

/** The lines of a pvscsi controller and its disks. */
export function scsi(...files: string[]): string[] {
  return [
    'scsi0.present = "TRUE"',
    'scsi0.virtualDev = "pvscsi"',
    ...files.flatMap((file, unit) => [
      `scsi0:${unit}.deviceType = "scsi-hardDisk"`,
      `scsi0:${unit}.fileName = "${file}"`,
      `scsi0:${unit}.present = "TRUE"`,
    ]),
  ];
}

/** The lines of a NIC, with a MAC that its number and the VM's tell. */
export function ethernet(number: number, network: string, ...lines: string[]): string[] {
  return [
    'virtualDev = "vmxnet3"',
    `networkName = "${network}"`,
    'addressType = "generated"',
    `generatedAddress = "00:0C:29:AA:BB:${String(number).padStart(2, '0')}"`,
    'present = "TRUE"',
    ...lines,
  ].map((line) => `ethernet${number}.${line}`);
}

/** A disk of 1024 MiB (a whole GiB), thin and empty, on pvscsi. */
export function disk(path: string, changes: Partial<Disk> = {}): Disk {
  return {
    label: 'scsi0:0',
    controller: 'pvscsi',
    path,
    capacity_bytes: 1024 * MIB,
    allocated_bytes: 0,
    kind: 'flat',
    mode: 'persistent',
    shared: false,
    chain: [path],
    ...changes,
  };
}

/** What is known of a disk whose descriptor tells nothing. */
export function unknownDisk(path: string | null, changes: Partial<Disk> = {}): Disk {
  return {
    label: 'scsi0:0',
    controller: 'pvscsi',
    path,
    capacity_bytes: null,
    allocated_bytes: null,
    kind: null,
    mode: 'persistent',
    shared: false,
    chain: path === null ? [] : [path],
    ...changes,
  };
}

export function nic(number: number, changes: Partial<Nic> = {}): Nic {
  return {
    label: `ethernet${number}`,
    model: 'vmxnet3',
    mac: `00:0c:29:aa:bb:${String(number).padStart(2, '0')}`,
    network: 'VM Network',
    vlan_id: 0,
    connected: true,
    ip_addresses: [],
    ...changes,
  };
}

/** What is expected of a VM of {@link vmxLines} with one disk and one NIC, and what is otherwise. */
export function expectVm(id: number, name: string, changes: Partial<ExpectedVm> = {}): ExpectedVm {
  return {
    id: String(id),
    name,
    uuid: `564d0000-0000-0000-0000-${String(id).padStart(12, '0')}`,
    vmx_path: `[datastore1] ${name}/${name}.vmx`,
    annotation: '',
    guest_id: 'ubuntu64Guest',
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
    disks: [disk(`[datastore1] ${name}/${name}.vmdk`)],
    nics: [nic(0)],
    findings: [],
    ...changes,
  };
}

export const GIB_SECTORS = 2097152;

/** Descriptor and extent of a flat disk of a whole GiB. */
export function gib(
  name: string,
  more: Partial<Parameters<typeof descriptorText>[0]> = {},
): Record<string, string | number> {
  const file = name.split('/').at(-1) ?? '';
  return {
    [`${name}.vmdk`]: descriptorText({ extents: [`RW ${GIB_SECTORS} VMFS "${file}-flat.vmdk"`], ...more }),
    [`${name}-flat.vmdk`]: 1024 * MIB,
  };
}

/** A link of a chain of a whole GiB, whose delta takes 4096 bytes. */
export function link(
  name: string,
  parent: string,
  cid: string,
  parentCid: string,
  type: 'VMFSSPARSE' | 'SESPARSE' = 'VMFSSPARSE',
): Record<string, string> {
  const file = name.split('/').at(-1) ?? '';
  const delta = `${file}-${type === 'SESPARSE' ? 'sesparse' : 'delta'}.vmdk`;
  return {
    [`${name}.vmdk`]: descriptorText({
      cid,
      parentCid,
      parent,
      createType: type === 'SESPARSE' ? 'seSparse' : 'vmfsSparse',
      extents: [`RW ${GIB_SECTORS} ${type} "${delta}"`],
    }),
    [name.includes('/') ? name.replace(/[^/]+$/, delta) : delta]: 'x'.repeat(4096),
  };
}

/** What `snapshot.get` prints for a line of so many snapshots, as the recordings of 6.5 and 8.0 do. */
export function snapshotTree(count: number): string {
  const nodes = Array.from({ length: count }, (_, level) => {
    const dashes = '--'.repeat(level);
    return [
      `${dashes}|-${level === 0 ? 'ROOT' : 'CHILD'}`,
      `${dashes}--Snapshot Name        : snap ${level + 1}`,
      `${dashes}--Snapshot Id        : ${level + 1}`,
      `${dashes}--Snapshot Desciption  : `,
      `${dashes}--Snapshot Created On  : 4/12/2023 16:12:54`,
      `${dashes}--Snapshot State       : powered off`,
    ].join('\n');
  });
  return ['Get Snapshot:', ...nodes, ''].join('\n');
}

export { DS1, DS2 };
