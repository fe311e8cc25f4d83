import { SECTOR_BYTES } from './descriptor.js';
import { PARENT, ZEROS } from './runs.js';
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
  const position = directoryOffset * SECTOR_BYTES;
  const sectors = { origin: 0, bytes: SECTOR_BYTES, count: Math.ceil(fileBytes / SECTOR_BYTES) };
  const { descriptor } = header;
  return {
    capacityBytes: header.capacitySectors * SECTOR_BYTES,
    grainBytes: header.grainSectors * SECTOR_BYTES,
    tableEntries: header.tableEntries,
    tableBytes: header.tableEntries * 4,
    directory: { position, entries: header.directoryEntries, entryBytes: 4 },
    tableAt: (directory, at) => directory.readUInt32LE(at) * SECTOR_BYTES,
    grainAt: (table, index) => {
      const sector = table.readUInt32LE(index * 4);
      if (sector === 0) return PARENT;
      return sector === 1 && (flags & ZERO_GRAINS) !== 0 ? ZEROS : sector * SECTOR_BYTES;
    },
    reserved: [
      { offset: 0, length: HOSTED_HEADER_BYTES },
      { offset: position, length: header.directoryEntries * 4 },
      ...(descriptor === null
        ? []
        : [{ offset: descriptor.offset * SECTOR_BYTES, length: descriptor.sectors * SECTOR_BYTES }]),
    ],
    tables: sectors,
    grains: sectors,
  };
}
