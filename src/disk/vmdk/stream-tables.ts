import { SECTOR_BYTES } from './descriptor.js';
import type { ByteReader } from './byte-reader.js';
import { badFile, unsupported } from './faults.js';
import type { SparseHeader } from './sparse-header.js';

/** A sum over pairs of numbers that does not depend on their order; a pair that is missing or other changes it. */
class PairSum {
  count = 0;
  #a = 0;
  #b = 0;

  add(left: number, right: number): void {
    this.count += 1;
    let mixed = Math.imul(left ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(right + 0x7f4a7c15, 0xc2b2ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    this.#a = (this.#a + mixed) | 0;
    this.#b = (this.#b + Math.imul(mixed ^ (mixed >>> 13), left + 1)) | 0;
  }

  equals(other: PairSum): boolean {
    return this.count === other.count && this.#a === other.#a && this.#b === other.#b;
  }
}

/**
 * Compares the tables of a stream-optimized file with the grains that came, in memory that does not grow with them: a
 * grain that is missing, comes twice or says another place than its table does is noticed. Places are sectors.
 */
export class StreamTables {
  readonly #name: string;
  readonly #header: SparseHeader;
  /** Grains as their markers say, and as tables say: number and sector. The number counts from the table's beginning
   * where tables come after their grains, for a table does not say which one it is. */
  readonly #grains = new PairSum();
  readonly #entries = new PairSum();
  /** Tables that came: number and sector. */
  readonly #tables = new PairSum();
  /** False where tables and grains come in another order than writers give them; then tables have no number. */
  #numbered = true;
  /** The table that the grains since the last table belong to; null: none came since. */
  #open: number | null = null;
  #lastTable = -1;
  #inFront = false;

  constructor(header: SparseHeader, name: string) {
    this.#header = header;
    this.#name = name;
  }

  /** True where the tables came before the grains, so that they tell whether all came. */
  get inFront(): boolean {
    return this.#inFront;
  }

  /** Reads directory and tables that lie in front of the grains. */
  async readFront(reader: ByteReader, directoryOffset: number, endSector: number): Promise<void> {
    this.#inFront = true;
    const { directoryEntries, tableEntries } = this.#header;
    await skipTo(reader, directoryOffset, 'its directory');
    const directory = await reader.take(directoryEntries * 4, 'its directory');
    const tableBytes = tableEntries * 4;
    for (let number = 0; number < directoryEntries; number++) {
      const sector = directory.readUInt32LE(number * 4);
      if (sector === 0) continue;
      if (sector * SECTOR_BYTES < reader.position) {
        throw unsupported(this.#name, 'has tables in an order that cannot be read from a stream');
      }
      if (sector + tableBytes / SECTOR_BYTES > endSector) throw badFile(this.#name, 'its tables reach into its data');
      await skipTo(reader, sector, 'its tables');
      this.#addEntries(await reader.take(tableBytes, 'its tables'), number * tableEntries);
    }
  }

  /** A grain came: its number on the disk, the sector of its marker. */
  addGrain(grain: number, sector: number): void {
    if (this.#inFront) {
      this.#grains.add(grain, sector);
      return;
    }
    const { tableEntries } = this.#header;
    const table = Math.floor(grain / tableEntries);
    if (this.#open !== null && this.#open !== table) this.#numbered = false;
    this.#open = table;
    this.#grains.add(grain % tableEntries, sector);
  }

  /** A table came, which lies at `sector`. */
  addTable(table: Buffer, sector: number): void {
    if (this.#inFront) return;
    this.#addEntries(table, 0);
    this.#lastTable = this.#open ?? this.#lastTable + 1;
    this.#open = null;
    this.#tables.add(this.#lastTable, sector);
  }

  /** The directory came. */
  addDirectory(directory: Buffer): void {
    if (this.#inFront) return;
    const { directoryEntries } = this.#header;
    const directoryTables = new PairSum();
    for (let number = 0; number < directoryEntries; number++) {
      const sector = directory.readUInt32LE(number * 4);
      if (sector !== 0) directoryTables.add(number, sector);
    }
    const agree = this.#numbered ? directoryTables.equals(this.#tables) : directoryTables.count === this.#tables.count;
    if (!agree) throw badFile(this.#name, 'its directory does not name the tables that came');
  }

  /** True where all grains that the tables name came, at their places, and no others. */
  complete(): boolean {
    return this.#grains.equals(this.#entries);
  }

  #addEntries(table: Buffer, first: number): void {
    for (let index = 0; index < this.#header.tableEntries; index++) {
      const sector = table.readUInt32LE(index * 4);
      // 1 stands for a grain of zeros.
      if (sector > 1) this.#entries.add(first + index, sector);
    }
  }
}

/** Leaves out what lies before a sector. */
export async function skipTo(reader: ByteReader, sector: number, what: string): Promise<void> {
  await reader.skip(sector * SECTOR_BYTES - reader.position, what);
}
