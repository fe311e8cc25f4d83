import { SECTOR_BYTES } from './descriptor.js';
import { PARENT } from './runs.js';
import type { SparseHeader } from './sparse-header.js';
import type { SparseShape } from './sparse-shape.js';

/** The header of a COWD file with its unused end ("Virtual Disk Format 5.0": COWDisk_Header). */
const HEADER_SECTORS = 4;

/**
 * vmfsSparse ("COWD"): 32-bit sector numbers; tables and grains lie among one another, in the order in which they were
 * first written. 0 in a table: the parent's.
 */
export function cowdShape(header: SparseHeader, fileBytes: number): SparseShape {
  const position = (header.directoryOffset ?? 0) * SECTOR_BYTES;
  const sectors = { origin: 0, bytes: SECTOR_BYTES, count: Math.ceil(fileBytes / SECTOR_BYTES) };
  return {
    capacityBytes: header.capacitySectors * SECTOR_BYTES,
    grainBytes: header.grainSectors * SECTOR_BYTES,
    tableEntries: header.tableEntries,
    tableBytes: header.tableEntries * 4,
    directory: { position, entries: header.directoryEntries, entryBytes: 4 },
    tableAt: (directory, at) => directory.readUInt32LE(at) * SECTOR_BYTES,
    grainAt: (table, index) => {
      const sector = table.readUInt32LE(index * 4);
      return sector === 0 ? PARENT : sector * SECTOR_BYTES;
    },
    reserved: [
      { offset: 0, length: HEADER_SECTORS * SECTOR_BYTES },
      { offset: position, length: header.directoryEntries * 4 },
    ],
    tables: sectors,
    grains: sectors,
  };
}
