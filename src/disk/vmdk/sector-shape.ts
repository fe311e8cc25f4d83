import { SECTOR_BYTES } from './descriptor.js';
import { PARENT } from './runs.js';
import type { SparseHeader } from './sparse-header.js';
import type { SparseShape } from './sparse-shape.js';

/**
 * What COWD and KDMV files have in common: 32-bit numbers of sectors, one directory, and tables and grains anywhere
 * behind the header. 0 in a table: the parent's.
 */
export function sectorShape(
  header: SparseHeader,
  of: { headerBytes: number; directoryOffset: number; fileBytes: number },
): SparseShape {
  const position = of.directoryOffset * SECTOR_BYTES;
  const sectors = { origin: 0, bytes: SECTOR_BYTES, count: Math.ceil(of.fileBytes / SECTOR_BYTES) };
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
      { offset: 0, length: of.headerBytes },
      { offset: position, length: header.directoryEntries * 4 },
    ],
    tables: sectors,
    grains: sectors,
  };
}
