/** A file that the descriptor refers to. */
export interface OvfFile {
  id: string;
  /** As written: a relative name, or a URL. Whoever opens it judges it. */
  href: string;
  /** As the descriptor says (of the packed file); null where it does not. */
  bytes: number | null;
  compression: 'gzip' | null;
  /** The file lies in parts of so many bytes, named `HREF.000000000` and so on; null: in one. */
  chunkBytes: number | null;
}

/** A virtual disk of the descriptor's DiskSection. */
export interface OvfDisk {
  id: string;
  /** Null: a disk without content, to be made empty. */
  file: OvfFile | null;
  /** As the descriptor says; the file's own header may say a little less (units are rounded up). */
  capacityBytes: number;
  /** Bytes of one unit of the capacity: how exactly it is told. */
  unitBytes: number;
  populatedBytes: number | null;
  /** The format's URI; null where it is not told. */
  format: string | null;
}

export type OvfController = 'pvscsi' | 'lsilogic' | 'lsisas1068' | 'buslogic' | 'ahci' | 'nvme' | 'ide';

/** A disk where a VM has it. */
export interface OvfMachineDisk {
  /** As in a .vmx: `scsi0:1`, `ide0:0`, `sata0:2`, `nvme0:0`. */
  label: string;
  controller: OvfController;
  disk: OvfDisk;
}

export interface OvfNic {
  /** `ethernet0` and so on, in the order of the descriptor. */
  label: string;
  /** Null for a model of no VMware product. */
  model: 'vmxnet3' | 'e1000' | 'e1000e' | 'vlance' | 'flexible' | 'sriov' | 'pvrdma' | null;
  /** As written. */
  subType: string | null;
  network: string | null;
  /** Lower case; null where the descriptor leaves it to whoever imports. */
  mac: string | null;
  connected: boolean;
}

/** Hardware that is neither processor, memory, disk, NIC nor one of their controllers. */
export interface OvfDevice {
  /** CIM's resource type: 14 floppy, 15 CD, 21 serial port, 23 USB … */
  type: number;
  subType: string | null;
  name: string;
}

/** One virtual machine, in the words of the inventory where they fit. */
export interface OvfMachine {
  /** `ovf:id` of the VirtualSystem. */
  id: string;
  name: string;
  annotation: string | null;
  /** vSphere's word (`ubuntu64Guest`): as told, or by CIM's number; null: neither says it. */
  guestId: string | null;
  /** What the descriptor calls the guest, for a person. */
  guestName: string | null;
  /** `vmx-19`; null where it is no VMware hardware (`virtualbox-2.2`). */
  hardwareVersion: string | null;
  cpus: number;
  coresPerSocket: number;
  memoryMib: number;
  firmware: 'bios' | 'efi';
  secureBoot: boolean;
  vtpm: boolean;
  cpuHotAdd: boolean;
  memoryHotAdd: boolean;
  /** `disk.EnableUUID` is set. */
  diskUuid: boolean;
  /** In the order IDE, SCSI, SATA, NVMe, then controller, then unit. */
  disks: readonly OvfMachineDisk[];
  nics: readonly OvfNic[];
  devices: readonly OvfDevice[];
}

/** What an OVF descriptor says. */
export interface OvfEnvelope {
  files: readonly OvfFile[];
  disks: readonly OvfDisk[];
  /** Names of the logical networks, in the order of the descriptor. */
  networks: readonly string[];
  /** All virtual systems, of nested collections too, in the order of the descriptor. */
  machines: readonly OvfMachine[];
  /** The name of the configuration that was taken, where there are several. */
  configuration: string | null;
}
