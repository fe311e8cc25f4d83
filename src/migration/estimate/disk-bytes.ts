import type { DiskRecord } from '../../esxi/index.js';
import { canRead } from '../../esxi/read/index.js';

type Sized = Pick<DiskRecord, 'kind' | 'chain' | 'capacity_bytes' | 'allocated_bytes'>;

/** What a disk costs: bytes read from the host, bytes that it really holds, bytes of room here. */
export interface DiskBytes {
  copy: number;
  /** At most its capacity. */
  held: number;
  staging: number;
}

/**
 * Whether the disks of a VM are copied here first: those of kinds that are not read in place (hosted sparse,
 * stream-optimized), and with them the others. All else goes from the host into its image in one pass.
 */
export function isStaged(disks: readonly Pick<DiskRecord, 'kind'>[]): boolean {
  return disks.some(({ kind }) => kind !== null && !isRawDevice(kind) && !canRead(kind));
}

/**
 * The bytes of one disk, for estimates, checks and reports alike. In one pass only what holds data is read, and nothing
 * is kept here. Staged, a flat file is read whole, its holes too; links above it and sparse files for what they hold;
 * here holes stay holes, in the copy and in what it is converted to. The data of a raw device is not on the datastore,
 * and is not moved. What is not known of the one size is taken from the other.
 * @param of `isRaw`: the disk is a raw device mapping, or lies over one; `isStaged`: see {@link isStaged}
 */
export function diskBytes(
  { kind, chain, capacity_bytes, allocated_bytes }: Sized,
  of: { isRaw?: boolean; isStaged?: boolean } = {},
): DiskBytes {
  if (of.isRaw === true || isRawDevice(kind)) return { copy: 0, held: 0, staging: 0 };
  const capacity = capacity_bytes ?? allocated_bytes ?? 0;
  // Each link of a chain may hold a block anew; beyond twice the size an allocation is no measure of the data.
  const stored = Math.min(allocated_bytes ?? capacity, 2 * capacity);
  const held = Math.min(stored, capacity);
  if (of.isStaged !== true) return { copy: held, held, staging: 0 };
  const copy = chain.length > 1 ? capacity + stored : kind === 'flat' ? capacity : stored;
  return { copy, held, staging: stored + held };
}

function isRawDevice(kind: DiskRecord['kind']): boolean {
  return kind === 'rdm_physical' || kind === 'rdm_virtual';
}
