/**
 * What an embedded host looks like, as data. Everything that is left out gets a value that a real host would show;
 * the same spec always gives the same files, byte for byte (times of files aside).
 */

export type ControllerKind = 'pvscsi' | 'lsilogic' | 'lsisas1068' | 'buslogic' | 'ahci' | 'nvme' | 'ide';
export type DiskMode =
  'persistent' | 'independent_persistent' | 'independent_nonpersistent' | 'nonpersistent' | 'undoable' | 'append';
export type DeltaFormat = 'vmfsSparse' | 'seSparse';
export type PowerState = 'on' | 'off' | 'suspended';

export interface DiskSpec {
  /** Guest-visible capacity; a multiple of 512, of 4096 where the VM has snapshots. Ignored with `image`. */
  sizeBytes: number;
  /** Default `pvscsi`. */
  controller?: ControllerKind;
  bus?: number;
  /** Default: the next free one on that bus (SCSI skips 7, the controller's own). */
  unit?: number;
  /** Name of the datastore; default the VM's. On another one the .vmx holds an absolute path, as real ones do. */
  datastore?: string;
  /** Folder on that datastore; default the VM's own folder. May be a path (`machines/web`). */
  folder?: string;
  /** File name of the base descriptor; default `FOLDER.vmdk`, `FOLDER_1.vmdk` … */
  file?: string;
  thin?: boolean;
  mode?: DiskMode;
  /** `multi-writer` sets `sharing` on the disk. */
  sharing?: 'multi-writer';
  /** Seeds the content; default the disk's own path. */
  seed?: string;
  /** About how many bytes of the base are not zero; default a sixteenth of the disk, at most 2 MiB. */
  dataBytes?: number;
  /** Give the content a valid MBR (signature 55 AA and one partition). */
  mbr?: boolean;
  /** A raw image on this machine whose bytes become the base disk (rounded up to 512). */
  image?: string;
  /** Format of each snapshot's delta, oldest first; the last one repeats. Default by the datastore's type. */
  deltas?: DeltaFormat[];
  /** A mapping of a raw LUN; no bytes of it lie on the datastore. Physical ones take no part in snapshots. */
  rdm?: 'physical' | 'virtual';
  /** Something that is wrong with the files. */
  fault?: 'missing-descriptor' | 'missing-extent' | 'short-extent' | 'missing-parent' | 'wrong-parent-cid';
}

export interface NicSpec {
  /** Port group. */
  network: string;
  model?: 'vmxnet3' | 'e1000' | 'e1000e' | 'vlance' | 'flexible' | 'sriov' | 'pvrdma';
  mac?: string;
  addressType?: 'generated' | 'vpx' | 'static';
  startConnected?: boolean;
  /** What Tools last reported; shown while the VM runs. */
  ipAddresses?: string[];
}

export interface SnapshotSpec {
  name: string;
  description?: string;
  /** As vim-cmd prints it, unpadded: `10/4/2026 19:0:52`. */
  createdOn?: string;
  /** The VM's state when it was taken. */
  state?: PowerState;
  /** The guest has written nothing since. */
  untouched?: boolean;
}

export interface VmSpec {
  name: string;
  /** The vmid; default the next free one. */
  id?: number;
  /** Folder on the datastore; default the name with `/` replaced. Two VMs of one name need it. */
  folder?: string;
  /** Name of the .vmx without its ending; default the last part of the folder. */
  file?: string;
  datastore?: string;
  uuid?: string;
  guestId?: string;
  /** `guestOS` in the .vmx; default derived from guestId. */
  vmxGuestOs?: string;
  hardwareVersion?: number;
  cpus?: number;
  coresPerSocket?: number;
  memoryMib?: number;
  firmware?: 'bios' | 'efi';
  secureBoot?: boolean;
  annotation?: string;
  power?: PowerState;
  /** `none`: not installed; `installed`: there, not running; `running`: shuts down when asked; `stuck`: runs, ignores it. */
  tools?: 'none' | 'installed' | 'running' | 'stuck';
  /** Seconds between power.shutdown and off; whole seconds. Default 1. */
  shutdownSeconds?: number;
  disks?: DiskSpec[];
  nics?: NicSpec[];
  /** One chain, oldest first; the VM runs on the last. */
  snapshots?: SnapshotSpec[];
  changeTracking?: boolean;
  template?: boolean;
  /** A CD image in a drive, connected at power-on. */
  cdrom?: string;
  /** Further .vmx lines, written last. */
  vmx?: Record<string, string>;
  /** What is wrong with the .vmx file itself. `missing` and `garbage` are read by no parser; hostd still lists the VM. */
  vmxFault?: 'missing' | 'garbage';
  /** hostd cannot load it: getallvms says `Skipping invalid VM 'N'` and shows no row. */
  invalid?: boolean;
}

export interface DatastoreSpec {
  /** May be empty, as real unnamed volumes are. */
  name: string;
  /** The directory under /vmfs/volumes. */
  uuid?: string;
  type?: 'VMFS-5' | 'VMFS-6' | 'NFS' | 'NFS41' | 'VMFSOS' | 'vfat';
  capacityBytes?: number;
  freeBytes?: number;
}

export interface PortGroupSpec {
  name: string;
  vlan?: number;
  /** Set on the port group itself, which then overrides the vSwitch. */
  promiscuous?: boolean;
}

export interface VswitchSpec {
  name: string;
  uplinks?: string[];
  promiscuous?: boolean;
  portGroups: PortGroupSpec[];
}

export interface HostSpec {
  /** Host name without domain; default `esx1`. */
  name?: string;
  version?: string;
  build?: string;
  update?: string;
  patch?: string;
  /** Hardware uuid. */
  uuid?: string;
  /** Edition key as `vimsvc/license --show` prints it; default `esxBasic`, the free one. */
  license?: string;
  /** Seconds of UserVars.ESXiShellTimeOut; default 0, never. */
  shellTimeoutSeconds?: number;
  /** Seconds of UserVars.ESXiShellInteractiveTimeOut; default 0. */
  shellInteractiveTimeoutSeconds?: number;
  datastores?: DatastoreSpec[];
  vswitches?: VswitchSpec[];
  vms: VmSpec[];
}
