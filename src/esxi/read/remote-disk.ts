import type { Context } from '../../core/index.js';
import { vmdkLayout, type DiskLayout, type DiskPiece, type RangeList, type VmdkLink } from '../../disk/index.js';
import { extentPath } from '../export/paths.js';
import { isFlat } from '../export/plan-link.js';
import type { DiskPlan } from '../export/types.js';
import type { TrustMap } from './allocation.js';
import type { FileDoor } from './file-door.js';
import type { RemoteFile } from './file-read.js';
import { ParallelReader, type ReadOptions } from './parallel-reader.js';

/** A disk on the host, as its guest sees it, with its snapshots. */
export interface RemoteDisk {
  readonly label: string;
  readonly layout: DiskLayout;
  /** For a person, one line a file of flat extents: by what its holes are known, or why they are not. */
  readonly notes: readonly string[];
  /** Reads ranges of the disk, in its order, over several connections. */
  pieces(wanted: RangeList, options: ReadOptions): AsyncGenerator<DiskPiece>;
}

/** Whether a disk can be read range by range; hosted sparse and stream-optimized files are copied whole first. */
export function canRead(kind: string | null): boolean {
  return kind !== null && ['flat', 'vmfs_sparse', 'se_sparse'].includes(kind);
}

/**
 * Looks where the data of a disk lies: the block map of flat files, the tables of sparse ones. Reads no data but the
 * samples of what the block map calls empty.
 * @throws StackferryError `disk.bad_descriptor`, `disk.short_file`, `disk.chain_broken`, `disk.unsupported`, and what
 * reading from the host throws.
 */
export async function openRemoteDisk(
  door: FileDoor,
  disk: DiskPlan,
  ctx: Context,
  options: { trustMap: TrustMap },
): Promise<RemoteDisk> {
  const files: RemoteFile[] = [];
  const links: VmdkLink[] = [];
  const allocated = new Map<number, RangeList>();
  const notes: string[] = [];
  for (const link of disk.links) {
    const index = new Map<string, number>();
    for (const extent of link.extents) {
      index.set(extent.remotePath, files.length);
      files.push({ path: extent.remotePath, bytes: extent.bytes });
    }
    const { extents } = link.descriptor;
    links.push({
      descriptor: link.descriptor,
      files: extents.map(({ fileName }) =>
        fileName === null ? -1 : (index.get(extentPath(link.remotePath, fileName)) ?? -1),
      ),
    });
    const [only] = link.extents;
    if (!extents.every(isFlat) || !only) continue;
    if (extents.length > 1) {
      notes.push(`${link.path}: read whole; it has ${extents.length} extents`);
      continue;
    }
    const file = { path: only.remotePath, bytes: only.bytes, allocatedBytes: only.allocatedBytes };
    const { data, why } = await door.allocation(link.remotePath, file, options.trustMap, ctx);
    if (data) allocated.set(index.get(only.remotePath) ?? -1, data);
    notes.push(`${link.path}: ${data ? 'holes are left out' : 'read whole'}; ${why}`);
  }
  const sources = files.map((file) => door.bytes(file));
  const layout = await vmdkLayout(links, sources, { allocated: (file) => allocated.get(file) ?? null });
  return {
    label: disk.label,
    layout,
    notes,
    pieces: (wanted, read) => {
      const options = { ...read, mostStreams: () => atMost(read.mostStreams, door.mostStreams) };
      return new ParallelReader(door.streams, { layout, files, wanted }, ctx, options).pieces();
    },
  };
}

function atMost(asked: ReadOptions['mostStreams'], stood = Infinity): number {
  return Math.min(typeof asked === 'number' ? asked : asked(), stood);
}
