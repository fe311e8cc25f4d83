import type { Context } from '../core/index.js';
import {
  copyDisk,
  planExport,
  recheckSource,
  shellProbe,
  type CopiedDisk,
  type CopyOptions,
  type DiskPlan,
  type ExportPlan,
  type PlanOptions,
  type ProbeFiles,
} from './export/index.js';
import type { DiskRecord } from './inventory/schema.js';
import { openRemoteDisk, shellFiles, type FileDoor, type RemoteDisk, type TrustMap } from './read/index.js';
import type { RemoteShell } from './ssh/index.js';

/** What the disks of a VM that is off are read through: one of a host's doors. */
export interface DiskDoor {
  /** Looks at all files of these disks before a byte moves; throws what would end the copy later. */
  plan(disks: readonly DiskRecord[], ctx: Context, options: PlanOptions): Promise<ExportPlan>;
  /** The disk as its guest sees it, to be read range by range. */
  open(disk: DiskPlan, ctx: Context, options: { trustMap: TrustMap }): Promise<RemoteDisk>;
  /** Copies the files of the disk as they lie into a folder of its own below `dir`. */
  copy(disk: DiskPlan, dir: string, ctx: Context, options: CopyOptions): Promise<CopiedDisk>;
  /** Fails with `vm.changed_during_copy` unless every file is the one that was planned. */
  recheck(plan: Pick<ExportPlan, 'disks'>, ctx: Context): Promise<void>;
}

/** Disks through the host's shell. */
export function shellDisks(shell: RemoteShell): DiskDoor {
  return diskDoor(shellProbe(shell), shellFiles(shell));
}

/** Disks whose files are looked at, and read, in these ways. */
export function diskDoor(probe: ProbeFiles, files: FileDoor): DiskDoor {
  return {
    plan: (disks, ctx, options) => planExport(probe, disks, ctx, options),
    open: (disk, ctx, options) => openRemoteDisk(files, disk, ctx, options),
    copy: (disk, dir, ctx, options) => copyDisk(files, disk, dir, ctx, options),
    recheck: (plan, ctx) => recheckSource(probe, plan, ctx),
  };
}
