import type { DiskRecord } from '../../esxi/index.js';

type Sized = Pick<DiskRecord, 'kind' | 'chain' | 'capacity_bytes' | 'allocated_bytes'>;

/** What a disk costs: bytes read from the host, bytes that it really holds, bytes of room here. */
export interface DiskBytes {
  copy: number;
  /** At most its capacity. */
  held: number;
  staging: number;
}

/**
 * The bytes of one disk, for estimates, checks and reports alike. A flat file is read whole, its holes too; links above
 * it and sparse files for what they hold. Here holes stay holes, in the copy and in what it is converted to. The data of
 * a raw device is not on the datastore, and is not moved. What is not known of the one size is taken from the other.
 * @param isRaw the disk is a raw device mapping, or lies over one
 */
export function diskBytes({ kind, chain, capacity_bytes, allocated_bytes }: Sized, isRaw = false): DiskBytes {
  if (isRaw || kind === 'rdm_physical' || kind === 'rdm_virtual') return { copy: 0, held: 0, staging: 0 };
  const capacity = capacity_bytes ?? allocated_bytes ?? 0;
  // Each link of a chain may hold a block anew; beyond twice the size an allocation is no measure of the data.
  const stored = Math.min(allocated_bytes ?? capacity, 2 * capacity);
  const held = Math.min(stored, capacity);
  const copy = chain.length > 1 ? capacity + stored : kind === 'flat' ? capacity : stored;
  return { copy, held, staging: stored + held };
}

/** Room that staging these disks takes here, by what a plan knows of them. */
export function stagingBytes(disks: readonly Pick<DiskRecord, 'capacity_bytes' | 'allocated_bytes'>[]): number {
  return disks.reduce((sum, disk) => sum + diskBytes({ kind: null, chain: [], ...disk }).staging, 0);
}
