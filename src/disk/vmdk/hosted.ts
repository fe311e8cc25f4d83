import { SECTOR_BYTES } from './descriptor.js';
import { ZEROS } from './runs.js';
import { sectorShape } from './sector-shape.js';
import type { SparseHeader } from './sparse-header.js';
import type { SparseShape } from './sparse-shape.js';

/** The header of a KDMV file. */
export const HOSTED_HEADER_BYTES = SECTOR_BYTES;
/** Header flag: an entry of 1 stands for a grain of zeros. */
const ZERO_GRAINS = 4;

/**
 * A file that begins with KDMV ("Virtual Disk Format 1.1": SparseExtentHeader): 32-bit sector numbers, tables and grains
 * (of a compressed file: its markers) where the directory says. `flags` are the header's own. `directoryOffset` is the
 * header's or the footer's.
 */
export function hostedShape(
  header: SparseHeader,
  flags: number,
  directoryOffset: number,
  fileBytes: number,
): SparseShape {
  const { descriptor } = header;
  const shape = sectorShape(header, { headerBytes: HOSTED_HEADER_BYTES, directoryOffset, fileBytes });
  return {
    ...shape,
    grainAt: (table, index) =>
      (flags & ZERO_GRAINS) !== 0 && table.readUInt32LE(index * 4) === 1 ? ZEROS : shape.grainAt(table, index),
    reserved: [
      ...shape.reserved,
      ...(descriptor === null
        ? []
        : [{ offset: descriptor.offset * SECTOR_BYTES, length: descriptor.sectors * SECTOR_BYTES }]),
    ],
  };
}
