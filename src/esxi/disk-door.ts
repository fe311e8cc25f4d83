import type { Context } from '../core/index.js';
import type { DiskPiece, RangeList, VmdkKind } from '../disk/index.js';
import {
  copyDisk,
  planExport,
  recheckSource,
  shellProbe,
  type CopiedDisk,
  type CopyOptions,
  type DiskPlan,
  type Door,
  type PlanOptions,
  type ProbeFiles,
} from './export/index.js';
import type { DiskRecord, VmRecord } from './inventory/schema.js';
import { openRemoteDisk, shellFiles, type FileDoor, type ReadOptions, type TrustMap } from './read/index.js';
import type { RemoteShell } from './ssh/index.js';

/** A disk as its guest sees it, about to be read. */
export interface OpenDisk {
  /** For a person: what was relied upon about its holes. */
  readonly notes: readonly string[];
  /** What may hold something else than zeros. */
  dataRanges(): Promise<RangeList>;
  /** Reads ranges of the disk, in its order. */
  pieces(wanted: RangeList, options: ReadOptions): AsyncGenerator<DiskPiece>;
}

/** A disk of a VM that is off, whatever it is read through: looked at, and not read yet. */
export interface SourceDisk {
  readonly label: string;
  readonly kind: VmdkKind;
  readonly capacityBytes: number;
  /** Bytes of all its files. */
  readonly bytes: number;
  /** What they take where they lie; null where that is not told. */
  readonly allocatedBytes: number | null;
  /** Paths from the base to the newest, as the inventory has them. */
  readonly chain: readonly string[];
  /** Its files, each with a word that is another one as soon as the file is written to. */
  readonly tokens: readonly (readonly [path: string, token: string])[];
  open(ctx: Context, options: { trustMap: TrustMap }): Promise<OpenDisk>;
  /** Copies its files as they lie into a folder of its own below `dir`. */
  copy(dir: string, ctx: Context, options: CopyOptions): Promise<CopiedDisk>;
}

/** The disks of a VM that are read together. */
export interface SourceDisks {
  readonly disks: readonly SourceDisk[];
  readonly bytes: number;
  readonly allocatedBytes: number | null;
  /** What they are read by, where they are a host's: the words of their files differ from door to door. */
  readonly door?: Door;
  /** Fails with `vm.changed_during_copy` unless every file is the one that was looked at. */
  recheck(ctx: Context): Promise<void>;
}

/** The VM whose disks are read, as the inventory has it. */
export type PlannedVm = Pick<VmRecord, 'id' | 'name'>;

/** What the disks of a VM are read through: one of a host's doors, or a package of files. */
export interface DiskDoor {
  /** Looks at all files of these disks before a byte moves; throws what would end the copy later. */
  plan(vm: PlannedVm, disks: readonly DiskRecord[], ctx: Context, options: PlanOptions): Promise<SourceDisks>;
}

/** Disks through the host's shell. */
export function shellDisks(shell: RemoteShell): DiskDoor {
  return fileDisks(shellProbe(shell), shellFiles(shell), 'ssh');
}

/** Disks whose files are looked at, and read, in these ways. */
export function fileDisks(probe: ProbeFiles, files: FileDoor, door: Door): DiskDoor {
  return {
    plan: async (_vm, records, ctx, options) => {
      const plan = await planExport(probe, records, ctx, options);
      return {
        disks: plan.disks.map((disk) => fileDisk(files, disk)),
        bytes: plan.bytes,
        allocatedBytes: plan.allocatedBytes,
        door,
        recheck: (own) => recheckSource(probe, plan, own),
      };
    },
  };
}

function fileDisk(files: FileDoor, disk: DiskPlan): SourceDisk {
  const { label, kind, capacityBytes, bytes, allocatedBytes, links } = disk;
  return {
    label,
    kind,
    capacityBytes,
    bytes,
    allocatedBytes,
    chain: links.map(({ path }) => path),
    tokens: links.flatMap((link) =>
      [link, ...link.extents].map(({ remotePath, token }) => [remotePath, token] as const),
    ),
    open: async (ctx, options) => {
      const remote = await openRemoteDisk(files, disk, ctx, options);
      return {
        notes: remote.notes,
        dataRanges: () => remote.layout.dataRanges(),
        pieces: (wanted, read) => remote.pieces(wanted, read),
      };
    },
    copy: (dir, ctx, options) => copyDisk(files, disk, dir, ctx, options),
  };
}
