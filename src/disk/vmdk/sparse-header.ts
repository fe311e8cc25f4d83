import { SECTOR_BYTES } from './descriptor.js';
import { badFile as bad } from './faults.js';

/** So many bytes from the start of a file tell its header. */
export const SPARSE_HEADER_BYTES = 2048;
/** A footer instead of a header holds the place of the tables ("GD at end" of stream-optimized files). */
const AT_END = 0xffffffffffffffffn;
const MAX_TABLES = 2 ** 22;

/**
 * The header of a sparse extent. `vmdk4`: hosted sparse and stream-optimized ("KDMV", Virtual Disk Format 1.1);
 * `cowd`: vmfsSparse ("COWD", the same document); `sesparse`: VMFS 6 deltas (layout as qemu's block/vmdk.c reads it).
 * Counts are sectors unless named otherwise.
 */
export interface SparseHeader {
  format: 'vmdk4' | 'cowd' | 'sesparse';
  capacitySectors: number;
  grainSectors: number;
  /** Grains that one table maps. */
  tableEntries: number;
  /** Null where only the footer tells it. */
  directoryOffset: number | null;
  directoryEntries: number;
  /** vmdk4: grains are deflated, each with a header of its own. */
  compressed: boolean;
  /** vmdk4: the descriptor inside the file; null if there is none. */
  descriptor: { offset: number; sectors: number } | null;
  /** sesparse: where the tables and the grains begin. */
  tablesOffset: number;
  grainsOffset: number;
  /** The end of what the header itself says must be there. */
  leastSectors: number;
}

/** Null where the bytes are no sparse disk's; throws `disk.bad_descriptor` where they are one that cannot be right. */
export function readSparseHeader(bytes: Buffer, name: string): SparseHeader | null {
  if (bytes.length < SECTOR_BYTES) return null;
  const sector = (value: bigint, what: string): number => {
    if (value > 2n ** 50n) throw bad(name, `its ${what} is impossible`);
    return Number(value);
  };
  const u64 = (at: number, what: string) => sector(bytes.readBigUInt64LE(at), what);
  let header: SparseHeader;
  if (bytes.toString('latin1', 0, 4) === 'KDMV') {
    const directory = bytes.readBigUInt64LE(56);
    const descriptor = { offset: u64(28, 'descriptor'), sectors: u64(36, 'descriptor') };
    header = {
      format: 'vmdk4',
      capacitySectors: u64(12, 'capacity'),
      grainSectors: u64(20, 'grain size'),
      tableEntries: bytes.readUInt32LE(44),
      directoryOffset: directory === AT_END ? null : sector(directory, 'directory'),
      directoryEntries: 0,
      compressed: bytes.readUInt16LE(77) !== 0 || (bytes.readUInt32LE(8) & 0x10000) !== 0,
      descriptor: descriptor.offset > 0 && descriptor.sectors > 0 ? descriptor : null,
      tablesOffset: 0,
      grainsOffset: 0,
      leastSectors: u64(64, 'overhead'),
    };
  } else if (bytes.toString('latin1', 0, 4) === 'COWD') {
    header = {
      format: 'cowd',
      capacitySectors: bytes.readUInt32LE(12),
      grainSectors: bytes.readUInt32LE(16),
      tableEntries: 4096,
      directoryOffset: bytes.readUInt32LE(20),
      directoryEntries: bytes.readUInt32LE(24),
      compressed: false,
      descriptor: null,
      tablesOffset: 0,
      grainsOffset: 0,
      leastSectors: 4,
    };
  } else if (bytes.readBigUInt64LE(0) === 0xcafebaben) {
    header = {
      format: 'sesparse',
      capacitySectors: u64(16, 'capacity'),
      grainSectors: u64(24, 'grain size'),
      tableEntries: Number(bytes.readBigUInt64LE(32)) * (SECTOR_BYTES / 8),
      directoryOffset: u64(128, 'directory'),
      directoryEntries: 0,
      compressed: false,
      descriptor: null,
      tablesOffset: u64(144, 'grain tables'),
      grainsOffset: u64(192, 'grains'),
      leastSectors: 0,
    };
  } else {
    return null;
  }
  const { capacitySectors, grainSectors, tableEntries } = header;
  if (grainSectors < 1 || grainSectors > 65536) throw bad(name, `a grain of ${grainSectors} sectors is impossible`);
  if (tableEntries < 1 || tableEntries > 65536) throw bad(name, `tables of ${tableEntries} entries are impossible`);
  if (capacitySectors < 1) throw bad(name, 'its capacity is 0');
  const needed = Math.ceil(capacitySectors / (grainSectors * tableEntries));
  if (header.format === 'cowd' && header.directoryEntries < needed) throw bad(name, 'its directory is too small');
  header.directoryEntries = needed;
  if (needed > MAX_TABLES) throw bad(name, `${needed} tables are impossible`);
  if (header.directoryOffset !== null) {
    const entryBytes = header.format === 'sesparse' ? 8 : 4;
    const directoryEnd = header.directoryOffset + Math.ceil((needed * entryBytes) / SECTOR_BYTES);
    if (header.directoryOffset < 1) throw bad(name, 'its directory lies on its header');
    header.leastSectors = Math.max(header.leastSectors, directoryEnd);
  }
  return header;
}

/** Reads bytes at a position; fewer (or none) where the file ends before. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

/**
 * The least size in bytes that the file must have so that each grain its tables name lies inside: qemu-img reads what
 * is missing as zeros and says nothing. `fileBytes` is the file's real size (a footer lies at its end). Only tables are
 * read. Stops early, with what is known by then, where a table itself lies past the end.
 */
export async function leastFileBytes(
  header: SparseHeader,
  readAt: ReadAt,
  fileBytes: number,
  name: string,
): Promise<number> {
  let { directoryOffset, leastSectors } = header;
  if (directoryOffset === null) {
    const footer = await footerOf(readAt, fileBytes, name);
    if (footer.directoryOffset === null) throw bad(name, 'its footer names no directory');
    directoryOffset = footer.directoryOffset;
    leastSectors = Math.max(leastSectors, footer.leastSectors);
  }
  if (leastSectors * SECTOR_BYTES > fileBytes) return leastSectors * SECTOR_BYTES;
  const wide = header.format === 'sesparse';
  const entryBytes = wide ? 8 : 4;
  const tableBytes = header.tableEntries * entryBytes;
  let lastGrain = 0;
  for (let first = 0; first < header.directoryEntries; first += 8192) {
    const count = Math.min(8192, header.directoryEntries - first);
    const position = directoryOffset * SECTOR_BYTES + first * entryBytes;
    const directory = await readAt(position, count * entryBytes);
    if (directory.length < count * entryBytes) return position + count * entryBytes;
    for (let index = 0; index < count; index++) {
      const table = wide
        ? seTable(header, directory.readBigUInt64LE(index * 8), name)
        : directory.readUInt32LE(index * 4);
      if (table === 0) continue;
      const tableEnd = table * SECTOR_BYTES + tableBytes;
      if (tableEnd > fileBytes) return tableEnd;
      const entries = await readAt(table * SECTOR_BYTES, tableBytes);
      if (entries.length < tableBytes) return tableEnd;
      leastSectors = Math.max(leastSectors, Math.ceil(tableEnd / SECTOR_BYTES));
      lastGrain = Math.max(lastGrain, wide ? lastSeGrain(header, entries) : lastGrainOf(entries));
    }
  }
  const least = leastSectors * SECTOR_BYTES;
  // An entry of 1 marks a grain of zeros where the format knows such; it is never a place.
  if (lastGrain <= 1) return least;
  if (!header.compressed) return Math.max(least, (lastGrain + header.grainSectors) * SECTOR_BYTES);
  const marker = await readAt(lastGrain * SECTOR_BYTES, 12);
  if (marker.length < 12) return lastGrain * SECTOR_BYTES + 12;
  return Math.max(least, lastGrain * SECTOR_BYTES + 12 + marker.readUInt32LE(8));
}

/** The header that a stream-optimized file repeats before its end-of-stream marker (two sectors). */
export async function footerOf(readAt: ReadAt, fileBytes: number, name: string): Promise<SparseHeader> {
  const bytes =
    fileBytes >= 3 * SECTOR_BYTES ? await readAt(fileBytes - 2 * SECTOR_BYTES, SECTOR_BYTES) : Buffer.alloc(0);
  const footer = readSparseHeader(bytes, name);
  if (footer?.format !== 'vmdk4') throw bad(name, 'its end is missing (no footer)');
  return footer;
}

function lastGrainOf(entries: Buffer): number {
  let last = 0;
  for (let at = 0; at < entries.length; at += 4) last = Math.max(last, entries.readUInt32LE(at));
  return last;
}

/** The sector of the table that a seSparse directory entry names: 0, or 1 in its top four bits over the table's number. */
export function seTable(header: SparseHeader, entry: bigint, name: string): number {
  if (entry === 0n) return 0;
  if (entry >> 32n !== 0x10000000n) throw bad(name, 'its directory holds an entry that cannot be read');
  return header.tablesOffset + Number(entry & 0xffffffffn) * ((header.tableEntries * 8) / SECTOR_BYTES);
}

/** A table entry: type in the top four bits (3: allocated), the grain's number with its low twelve bits above the rest. */
function lastSeGrain(header: SparseHeader, entries: Buffer): number {
  let last = -1;
  for (let at = 0; at < entries.length; at += 8) {
    const high = entries.readUInt32LE(at + 4);
    if (high >>> 28 !== 3) continue;
    const upper = (high & 0xffff) * 2 ** 32 + entries.readUInt32LE(at);
    last = Math.max(last, upper * 4096 + ((high >>> 16) & 0xfff));
  }
  return last < 0 ? 0 : header.grainsOffset + last * header.grainSectors;
}
