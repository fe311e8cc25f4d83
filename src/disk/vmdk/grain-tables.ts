import { KIB, MIB } from '../../core/index.js';
import type { ByteSource } from '../disk-layout.js';
import { badFile, shortFile } from './faults.js';
import type { SparseShape } from './sparse-shape.js';
import type { TableCache } from './table-cache.js';

/** Of the directory, so much is read at a time. */
const PAGE_BYTES = 512 * KIB;
/** Tables that lie within so many bytes come with one read: a read may be a round trip over SSH. */
const READ_BYTES = MIB;
/** Reads side by side. */
const READS = 4;
/** Directory entries that are looked through for tables to read ahead. */
const LOOK_AHEAD = 2 ** 17;

/** The grain tables of a sparse file: read when they are needed, many with one read, the last ones kept. */
export class GrainTables {
  readonly #file: ByteSource;
  readonly #id: string;
  readonly #shape: SparseShape;
  readonly #cache: TableCache;
  readonly #aheadBytes: number;
  /** Loads come one after another, so that a second asker finds what the first one loads. */
  #loading: Promise<void> = Promise.resolve();

  /** @param id tells the file from the others of the same cache */
  constructor(file: ByteSource, id: string, shape: SparseShape, cache: TableCache, aheadBytes: number) {
    this.#file = file;
    this.#id = id;
    this.#shape = shape;
    this.#cache = cache;
    this.#aheadBytes = Math.max(READ_BYTES, aheadBytes);
  }

  /** How many tables from `number` on, below `end`, are not there. */
  async emptyFrom(number: number, end: number): Promise<number> {
    const { entryBytes } = this.#shape.directory;
    for (let at = number; at < end;) {
      const { page, first } = await this.#page(at);
      const to = Math.min(end, first + page.byteLength / entryBytes);
      for (; at < to; at++) if (!isNone(page, (at - first) * entryBytes, entryBytes)) return at - number;
    }
    return end - number;
  }

  /** A table that is there. `whole`: all tables are wanted, in the order of their numbers. */
  async read(number: number, whole: boolean): Promise<{ table: Buffer; position: number }> {
    const position = await this.#place(number);
    let table = this.#cache.get(this.#key(position));
    if (!table) {
      // A load that failed told its own asker.
      const turn = this.#loading.catch(() => undefined).then(() => this.#load(number, position, whole));
      this.#loading = turn.then(
        () => undefined,
        () => undefined,
      );
      table = await turn;
    }
    return { table, position };
  }

  #key(position: number): string {
    return `${this.#id}:${position}`;
  }

  async #page(number: number): Promise<{ page: Buffer; first: number }> {
    const { position, entries, entryBytes } = this.#shape.directory;
    const perPage = PAGE_BYTES / entryBytes;
    const first = Math.floor(number / perPage) * perPage;
    const key = this.#key(position + first * entryBytes);
    let page = this.#cache.get(key);
    if (!page) {
      page = await this.#file.read(position + first * entryBytes, Math.min(perPage, entries - first) * entryBytes);
      this.#cache.put(key, page);
    }
    return { page, first };
  }

  /** The checked place of a table. */
  async #place(number: number): Promise<number> {
    const { page, first } = await this.#page(number);
    return this.#checked(page, (number - first) * this.#shape.directory.entryBytes);
  }

  #checked(page: Buffer, at: number): number {
    const { tableBytes, reserved } = this.#shape;
    const { name, bytes } = this.#file;
    const position = this.#shape.tableAt(page, at);
    if (position + tableBytes > bytes) throw shortFile(name, bytes, position + tableBytes, 'a table');
    if (reserved.some(({ offset, length }) => position < offset + length && position + tableBytes > offset)) {
      throw badFile(name, `its directory names a table at ${position}, where header or directory lie`);
    }
    return position;
  }

  /** Reads a table, and with it those that will be asked for next: whatever lies near, or on a whole walk all of them. */
  async #load(number: number, position: number, whole: boolean): Promise<Buffer> {
    const before = this.#cache.get(this.#key(position));
    if (before) return before;
    const wanted = [position, ...(await this.#next(number + 1, whole ? this.#aheadBytes : READ_BYTES))];
    const groups = grouped(wanted, this.#shape.tableBytes).filter((group) => whole || group.includes(position));
    let found: Buffer | undefined;
    for (let at = 0; at < groups.length; at += READS) {
      await Promise.all(
        groups.slice(at, at + READS).map(async (group) => {
          const own = await this.#readGroup(group, position);
          found ??= own;
        }),
      );
    }
    // The table's own group is always among them.
    if (!found) throw new RangeError(`${this.#file.name}: a table was asked for and not read`);
    return found;
  }

  /** Reads tables that lie together and keeps them; gives the one at `position` if it is among them. */
  async #readGroup(group: readonly number[], position: number): Promise<Buffer | undefined> {
    const { tableBytes } = this.#shape;
    const begin = group[0] ?? 0;
    const bytes = await this.#file.read(begin, (group.at(-1) ?? begin) + tableBytes - begin);
    let own: Buffer | undefined;
    for (const place of group) {
      // A copy: a part would keep the whole read in memory.
      const table = Buffer.from(bytes.subarray(place - begin, place - begin + tableBytes));
      this.#cache.put(this.#key(place), table);
      if (place === position) own = table;
    }
    return own;
  }

  /** The next tables that are there and not kept, of so many bytes together; up to one whose place is not sound. */
  async #next(from: number, most: number): Promise<number[]> {
    const { directory, tableBytes } = this.#shape;
    const places: number[] = [];
    const end = Math.min(directory.entries, from + LOOK_AHEAD);
    for (let number = from; number < end && (places.length + 1) * tableBytes < most; number++) {
      const { page, first } = await this.#page(number);
      const last = Math.min(end, first + page.byteLength / directory.entryBytes);
      for (; number < last && (places.length + 1) * tableBytes < most; number++) {
        const at = (number - first) * directory.entryBytes;
        if (isNone(page, at, directory.entryBytes)) continue;
        try {
          const position = this.#checked(page, at);
          if (!this.#cache.has(this.#key(position))) places.push(position);
        } catch {
          return places; // told to whoever asks for that table
        }
      }
      number -= 1;
    }
    return places;
  }
}

function isNone(directory: Buffer, at: number, entryBytes: 4 | 8): boolean {
  return directory.readUInt32LE(at) === 0 && (entryBytes === 4 || directory.readUInt32LE(at + 4) === 0);
}

/** Places in the order of the file, in groups that one read fetches. */
function grouped(places: readonly number[], tableBytes: number): number[][] {
  const groups: number[][] = [];
  for (const place of [...places].sort((a, b) => a - b)) {
    const group = groups.at(-1);
    if (group && place + tableBytes - (group[0] ?? 0) <= READ_BYTES) group.push(place);
    else groups.push([place]);
  }
  return groups;
}
