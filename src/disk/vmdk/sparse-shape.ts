import type { Range } from '../ranges.js';
import type { Units } from './claims.js';

/** How a sparse format lays its tables: a directory of grain tables, a table of grains. All in bytes. */
export interface SparseShape {
  /** The disk's size as the guest sees it. */
  capacityBytes: number;
  grainBytes: number;
  tableEntries: number;
  tableBytes: number;
  directory: { position: number; entries: number; entryBytes: 4 | 8 };
  /** The place of the table that a directory entry (never 0) names; throws `disk.bad_descriptor`. */
  tableAt(directory: Buffer, at: number): number;
  /** The place of a grain, or ZEROS or PARENT; throws `disk.bad_descriptor`. */
  grainAt(table: Buffer, index: number): number;
  /** Where neither tables nor grains can lie. */
  reserved: readonly Range[];
  /** What tables and grains take of the file: the same object where they lie among one another. */
  tables: Units;
  grains: Units;
}
