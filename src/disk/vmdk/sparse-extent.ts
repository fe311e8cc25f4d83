import type { ByteSource } from '../disk-layout.js';
import { badFile, shortFile } from './faults.js';
import type { ExtentMap, Walk } from './extent-map.js';
import { GrainTables } from './grain-tables.js';
import { PARENT, pushRun, type Run } from './runs.js';
import type { SparseShape } from './sparse-shape.js';
import type { TableCache } from './table-cache.js';

/** Table entries that are turned into runs together: at most so many runs are held for one link. */
const WINDOW_ENTRIES = 2 ** 17;

/** An extent whose bytes lie in grains that tables name: vmfsSparse, seSparse. */
export class SparseExtent implements ExtentMap {
  readonly bytes: number;
  readonly #file: ByteSource;
  readonly #index: number;
  readonly #shape: SparseShape;
  readonly #tables: GrainTables;

  /**
   * @param index of the file in the disk's layout
   * @param aheadBytes of tables that may be read ahead on a walk over the whole disk
   */
  constructor(file: ByteSource, index: number, shape: SparseShape, cache: TableCache, aheadBytes: number) {
    this.bytes = shape.capacityBytes;
    this.#file = file;
    this.#index = index;
    this.#shape = shape;
    this.#tables = new GrainTables(file, String(index), shape, cache, aheadBytes);
  }

  async runs(offset: number, length: number, walk: Walk, shift: number, out: Run[]): Promise<void> {
    const span = this.#shape.grainBytes * this.#shape.tableEntries;
    const end = offset + length;
    const tables = Math.ceil(end / span);
    for (let number = Math.floor(offset / span); number < tables;) {
      const empty = await this.#tables.emptyFrom(number, tables);
      const from = Math.max(offset, number * span);
      if (empty > 0) {
        number += empty;
        pushRun(out, shift + from, Math.min(end, number * span) - from, PARENT, 0);
        continue;
      }
      const { table, position } = await this.#tables.read(number, walk.claims !== null);
      if (from === number * span) this.#claimTable(position, walk);
      this.#addRuns(table, position, number * span, from, Math.min(end, (number + 1) * span), walk, shift, out);
      number += 1;
    }
  }

  async window(offset: number): Promise<number> {
    const { grainBytes, tableEntries, directory } = this.#shape;
    const span = grainBytes * tableEntries;
    const number = Math.floor(offset / span);
    const empty = await this.#tables.emptyFrom(number, directory.entries);
    const end = empty > 0 ? (number + empty) * span : (Math.floor(offset / grainBytes) + WINDOW_ENTRIES) * grainBytes;
    return Math.min(this.bytes, end) - offset;
  }

  #claimTable(position: number, { claims }: Walk): void {
    const { tables, tableBytes } = this.#shape;
    if (claims?.take(tables, position, tableBytes) === false) {
      throw badFile(this.#file.name, `a table at ${position} lies on something else, or is named twice`);
    }
  }

  #addRuns(
    table: Buffer,
    tablePosition: number,
    tableFrom: number,
    from: number,
    to: number,
    { claims }: Walk,
    shift: number,
    out: Run[],
  ): void {
    const { grainBytes, grains } = this.#shape;
    for (let index = Math.floor((from - tableFrom) / grainBytes); ; index++) {
      const grain = tableFrom + index * grainBytes;
      if (grain >= to) return;
      const begin = Math.max(from, grain);
      const length = Math.min(to, grain + grainBytes) - begin;
      const position = this.#shape.grainAt(table, index);
      if (position < 0) {
        pushRun(out, shift + begin, length, position, 0);
        continue;
      }
      const held = Math.min(grainBytes, this.bytes - grain);
      this.#checkGrain(position, held, tablePosition);
      if (claims && begin === grain && !claims.take(grains, position, held)) {
        throw badFile(this.#file.name, `the place ${position} is named twice, or a table lies there`);
      }
      pushRun(out, shift + begin, length, this.#index, position + begin - grain);
    }
  }

  #checkGrain(position: number, length: number, tablePosition: number): void {
    const { name, bytes } = this.#file;
    if (position + length > bytes) throw shortFile(name, bytes, position + length, 'data that its tables name');
    const { reserved, tableBytes } = this.#shape;
    const onTable = position < tablePosition + tableBytes && position + length > tablePosition;
    if (
      onTable ||
      reserved.some(({ offset, length: size }) => position < offset + size && position + length > offset)
    ) {
      throw badFile(name, `a table names data at ${position}, where header or tables lie`);
    }
  }
}
