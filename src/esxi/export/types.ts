import type { VmdkDescriptor, VmdkKind } from '../../disk/index.js';
import type { TrustMap } from '../read/allocation.js';
import type { ReadOptions } from '../read/parallel-reader.js';

/** A file on the host that will be copied as it lies. */
export interface ExtentPlan {
  /** Absolute path on the host. */
  remotePath: string;
  /** Bare name on this machine. */
  localName: string;
  /** Exact size on the host. */
  bytes: number;
  /** What the datastore holds of it; null where the host does not say. */
  allocatedBytes: number | null;
  /** Size and modification time, as one opaque word; another word means another file. */
  token: string;
}

/** One descriptor of a chain and the files that it names. */
export interface LinkPlan {
  remotePath: string;
  /** Datastore form, as in the inventory. */
  path: string;
  localName: string;
  token: string;
  descriptor: VmdkDescriptor;
  /** The descriptor's bytes as the host has them; null where it lies inside its only extent (`KDMV` files). */
  content: Buffer | null;
  extents: ExtentPlan[];
}

/** A guest disk, ready to be copied. */
export interface DiskPlan {
  label: string;
  /** Datastore form of the newest descriptor. */
  path: string;
  kind: VmdkKind;
  capacityBytes: number;
  /** From the base to the newest. */
  links: LinkPlan[];
  /** Bytes of all extents of the chain, as they are read from the host. */
  bytes: number;
  /** What they take on the datastore; null where the host does not say. */
  allocatedBytes: number | null;
}

export interface ExportPlan {
  disks: DiskPlan[];
  bytes: number;
  allocatedBytes: number | null;
}

export interface PlanOptions {
  /** Where the files will lie: its free space is compared with what they need. It need not exist yet. Null: nowhere. */
  outputDir: string | null;
  /** What an earlier session read these disks by: taken again where it is still open. */
  door?: Door | undefined;
}

/** Ways to the bytes of a host's disks: files by its shell, files by its datastore browser, exports under a lease (NFC). */
export type Door = 'ssh' | 'https' | 'nfc';

/** `pace` holds a limit of the rate, `onAnswer` is told of each range: as where disks are read. */
export interface CopyOptions extends Pick<ReadOptions, 'pace' | 'onAnswer'> {
  /** Ranges that are read at once, each on a channel of its own. Default 4. */
  streams?: number;
  /** Whether chunks that the host's block map calls empty are left unread. Default never. */
  trustMap?: TrustMap;
  /** Never more ranges at once than this says at the moment. */
  mostStreams?: () => number;
  /** Bytes asked for with one command: a multiple of 4 MiB, at most 256 MiB. Default 64 MiB. */
  rangeBytes?: number;
  /** Also give the SHA-256 of the whole content (another pass over local bytes). Only for a disk without a chain. */
  sha256?: boolean;
}

interface CopiedFile {
  /** Absolute path on this machine. */
  path: string;
  bytes: number;
  /** `sha256-4m:…` over the file's own chunks. */
  contentHash: string;
}

export interface CopiedDisk {
  label: string;
  /** Absolute path of the newest descriptor on this machine: what `convertImage` takes as its source. */
  descriptorPath: string;
  kind: VmdkKind;
  capacityBytes: number;
  /** Bytes of all files of the disk as they lie here (their sizes; holes count). */
  bytes: number;
  /** Hash of the guest's view, for a disk of flat extents; null for a chain or a sparse kind (convert computes it). */
  contentHash: string | null;
  /** SHA-256 of the whole guest's view, where asked for and where `contentHash` is known. */
  sha256: string | null;
  /** Extent files, in the chain's order. */
  files: CopiedFile[];
  /** Bytes that came over the network in this call; the rest was proved to be here already. */
  copiedBytes: number;
}
