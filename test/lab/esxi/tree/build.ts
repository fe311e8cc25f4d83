import type { HostSpec, PowerState } from '../spec.js';
import type { Layer } from './content.js';

export interface BuiltDisk {
  /** As in the .vmx: `scsi0:0`. */
  label: string;
  capacityBytes: number;
  /** `[datastore1] web01/web01.vmdk`: the newest descriptor. */
  path: string;
  /** Datastore paths from the base to the newest. */
  chain: string[];
  /** The same descriptors as files on this machine. */
  descriptors: string[];
  /** The extents beside them, likewise. */
  extents: string[];
  /** What each link of the chain holds; see diskContent(). */
  layers: Layer[];
}

export interface BuiltVm {
  id: number;
  name: string;
  uuid: string;
  /** `[datastore1] web01/web01.vmx`. */
  vmxPath: string;
  vmxFile: string;
  /** The VM's folder on this machine. */
  dir: string;
  disks: BuiltDisk[];
}

export interface BuiltTree {
  /** The directory that becomes `/`. */
  dir: string;
  vms: BuiltVm[];
  /** By name (the first of that name) or id; throws when there is none. */
  vm(nameOrId: string | number): BuiltVm;
  /** Switches a VM as if someone had done it in the host client, locks included. */
  setPower(nameOrId: string | number, state: PowerState): Promise<void>;
  power(nameOrId: string | number): Promise<PowerState>;
  /** A path as the host sees it (`/vmfs/volumes/…`) as a file on this machine. */
  local(hostPath: string): string;
}

/** Writes the tree of a host into an empty or missing directory. */
export function buildTree(_dir: string, _spec: HostSpec): Promise<BuiltTree> {
  return Promise.reject(new Error('the tree builder is being built'));
}
