import { SECTOR_BYTES } from './descriptor.js';
import { sectorShape } from './sector-shape.js';
import type { SparseHeader } from './sparse-header.js';
import type { SparseShape } from './sparse-shape.js';

/** The header of a COWD file with its unused end ("Virtual Disk Format 5.0": COWDisk_Header). */
const HEADER_SECTORS = 4;

/**
 * vmfsSparse ("COWD"): tables and grains lie among one another, in the order in which they were first written.
 */
export function cowdShape(header: SparseHeader, fileBytes: number): SparseShape {
  const headerBytes = HEADER_SECTORS * SECTOR_BYTES;
  return sectorShape(header, { headerBytes, directoryOffset: header.directoryOffset ?? 0, fileBytes });
}
