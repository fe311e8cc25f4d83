import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { MIB, StackferryError, messageOf } from '../../core/index.js';
import { isZero } from '../content-hash.js';
import type { DiskPiece } from '../disk-layout.js';
import { ByteReader } from './byte-reader.js';
import { MAX_DESCRIPTOR_BYTES, SECTOR_BYTES, capacityBytes, hasParent, parseDescriptor } from './descriptor.js';
import type { VmdkDescriptor } from './descriptor.js';
import { badFile, unsupported } from './faults.js';
import { readSparseHeader, type SparseHeader } from './sparse-header.js';
import { StreamTables, skipTo } from './stream-tables.js';

/** Unpacked grains that may wait for their turn, in bytes. */
const AHEAD_BYTES = 2 * MIB;
const MARKERS = { end: 0, table: 1, directory: 2, footer: 3 } as const;
const unpack = promisify(inflate) as (bytes: Buffer, options: object) => Promise<Buffer>;

/** A stream-optimized VMDK while it comes. */
export interface StreamedDisk {
  readonly capacityBytes: number;
  /** The descriptor inside the file; null where there is none. */
  readonly descriptor: VmdkDescriptor | null;
  /**
   * The grains, ascending, whole but for the disk's end; what none covers is zeros. Once only. It ends well only where
   * the file's end came and its tables agree with what came; a reader that stops early ends the stream.
   */
  readonly pieces: AsyncGenerator<DiskPiece>;
}

/**
 * Reads a stream-optimized VMDK (Virtual Disk Format 1.1: compressed grains, markers) as it comes, once and without
 * storing it; `name` is for messages. Three forms are known: tables behind the grains and named by a footer, the same
 * named by the header, and tables in front of the grains (qemu-img's, which has no end-of-stream marker: there the
 * tables tell whether all came). Throws `disk.unsupported`, `disk.bad_descriptor`, and `disk.short_file` for a stream
 * that ends too early, from here or from `pieces`; errors of the stream itself pass through.
 */
export async function readStreamOptimized(chunks: AsyncIterable<Uint8Array>, name: string): Promise<StreamedDisk> {
  const reader = new ByteReader(chunks, name);
  try {
    const head = await reader.take(SECTOR_BYTES, 'its header');
    const header = streamHeader(head, name);
    const tables = new StreamTables(header, name);
    const overhead = Number(head.readBigUInt64LE(64));
    const descriptor = await readDescriptor(reader, header, overhead, name);
    const { directoryOffset } = header;
    if (directoryOffset !== null && directoryOffset < overhead) {
      if (directoryOffset * SECTOR_BYTES < reader.position) throw badFile(name, 'its directory lies on its descriptor');
      await tables.readFront(reader, directoryOffset, overhead);
    }
    await skipTo(reader, overhead, 'its tables');
    const stream = new GrainStream(reader, header, tables, name);
    return { capacityBytes: header.capacitySectors * SECTOR_BYTES, descriptor, pieces: stream.pieces() };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** The header of a stream-optimized file. Throws `disk.bad_descriptor`, `disk.unsupported` for what is none. */
export function streamHeader(head: Buffer, name: string): SparseHeader {
  const header = readSparseHeader(head, name);
  if (header?.format !== 'vmdk4') throw badFile(name, 'it does not begin as a stream-optimized VMDK does (KDMV)');
  const flags = head.readUInt32LE(8);
  // A transfer as text changes line ends: the format has some to show it.
  if (flags & 1 && head.toString('latin1', 73, 77) !== '\n \r\n') {
    throw badFile(name, 'it was changed on the way, as a transfer in text mode does');
  }
  if (!header.compressed || !(flags & 0x20000)) {
    throw unsupported(name, 'is a hosted sparse disk, no stream-optimized one: it cannot be read as a stream');
  }
  if (head.readUInt16LE(77) !== 1) throw unsupported(name, 'is compressed in a way that is not known');
  return header;
}

/** The descriptor inside the file, checked; null where there is none. The reader stands behind the header. */
export async function readDescriptor(
  reader: ByteReader,
  header: SparseHeader,
  overhead: number,
  name: string,
): Promise<VmdkDescriptor | null> {
  const end = header.descriptor ? header.descriptor.offset + header.descriptor.sectors : 1;
  if (!(overhead >= end && overhead <= 2 ** 40))
    throw badFile(name, `its overhead of ${overhead} sectors is impossible`);
  if (!header.descriptor) return null;
  await skipTo(reader, header.descriptor.offset, 'its descriptor');
  const length = Math.min(header.descriptor.sectors * SECTOR_BYTES, MAX_DESCRIPTOR_BYTES);
  const bytes = await reader.take(length, 'its descriptor');
  await skipTo(reader, end, 'its descriptor');
  const zero = bytes.indexOf(0);
  let descriptor: VmdkDescriptor;
  try {
    descriptor = parseDescriptor(zero < 0 ? bytes : bytes.subarray(0, zero));
  } catch (error) {
    if (!(error instanceof StackferryError)) throw error;
    const { hint = 'Copy the file again.' } = error;
    throw new StackferryError(error.code, `${name}: ${error.message}`, { hint, cause: error });
  }
  if (hasParent(descriptor)) throw unsupported(name, 'is a compressed delta over another disk');
  const [told, held] = [capacityBytes(descriptor), header.capacitySectors * SECTOR_BYTES];
  // Some writers round the header's size up to a whole grain; the header counts, as it does for qemu-img.
  const grain = header.grainSectors * SECTOR_BYTES;
  if (held !== told && held !== Math.ceil(told / grain) * grain) {
    throw badFile(name, `it is for ${held} bytes, but its descriptor says ${told}`);
  }
  return descriptor;
}

interface PackedGrain {
  /** On the disk. */
  offset: number;
  packed: Buffer;
}

/** What follows the overhead: grains and tables, each behind a marker. */
class GrainStream {
  readonly #reader: ByteReader;
  readonly #header: SparseHeader;
  readonly #tables: StreamTables;
  readonly #name: string;
  readonly #grainBytes: number;
  #lastGrain = -1;
  /** The sector of the directory that came. */
  #directory: number | null = null;
  #footer: SparseHeader | null = null;

  constructor(reader: ByteReader, header: SparseHeader, tables: StreamTables, name: string) {
    this.#reader = reader;
    this.#header = header;
    this.#tables = tables;
    this.#name = name;
    this.#grainBytes = header.grainSectors * SECTOR_BYTES;
  }

  async *pieces(): AsyncGenerator<DiskPiece> {
    const waiting: Promise<DiskPiece>[] = [];
    const most = Math.min(8, Math.max(1, Math.floor(AHEAD_BYTES / this.#grainBytes)));
    try {
      for (;;) {
        const grain = await this.#next();
        if (grain === null) break;
        const piece = this.#unpack(grain);
        // Whoever waits for it gets the error; until then it is nobody's.
        piece.catch(() => undefined);
        waiting.push(piece);
        const first = waiting.length > most ? waiting.shift() : undefined;
        if (first) yield await first;
      }
      for (const piece of waiting) yield await piece;
    } finally {
      await this.#reader.close();
    }
  }

  /** The next grain; null at the file's sound end. */
  async #next(): Promise<PackedGrain | null> {
    for (;;) {
      const sector = this.#reader.position / SECTOR_BYTES;
      const marker = await this.#reader.peek(16);
      if (marker.byteLength === 0 && this.#tables.inFront && this.#tables.complete()) return null;
      if (marker.byteLength < 16) throw this.#reader.short(SECTOR_BYTES, 'its end-of-stream marker');
      const value = marker.readBigUInt64LE(0);
      const size = marker.readUInt32LE(8);
      if (size > 0) return this.#grain(value, size, sector);
      const kind = marker.readUInt32LE(12);
      await this.#reader.take(SECTOR_BYTES, 'a marker');
      if (kind === MARKERS.end) {
        await this.#end();
        return null;
      }
      await this.#metadata(kind, value, sector + 1);
    }
  }

  async #grain(lba: bigint, size: number, sector: number): Promise<PackedGrain> {
    const { grainSectors, capacitySectors } = this.#header;
    const place = Number(lba);
    if (place >= capacitySectors || place % grainSectors !== 0) {
      throw badFile(this.#name, `a grain says that it is the disk's at sector ${lba}`);
    }
    if (place <= this.#lastGrain) throw badFile(this.#name, `the grain at sector ${lba} comes twice or out of order`);
    // Deflate makes incompressible bytes longer by less than a thousandth.
    if (size > this.#grainBytes * 2 + SECTOR_BYTES) throw badFile(this.#name, `a grain of ${size} bytes is impossible`);
    this.#lastGrain = place;
    this.#tables.addGrain(place / grainSectors, sector);
    const bytes = await this.#reader.take(Math.ceil((12 + size) / SECTOR_BYTES) * SECTOR_BYTES, 'a grain');
    return { offset: place * SECTOR_BYTES, packed: bytes.subarray(12, 12 + size) };
  }

  async #unpack({ packed, offset }: PackedGrain): Promise<DiskPiece> {
    const needed = Math.min(this.#grainBytes, this.#header.capacitySectors * SECTOR_BYTES - offset);
    const options = { maxOutputLength: this.#grainBytes, chunkSize: Math.max(64, this.#grainBytes) };
    const bytes = await unpack(packed, options).catch((error: unknown) => {
      throw badFile(this.#name, `the grain at byte ${offset} cannot be unpacked (${messageOf(error)})`);
    });
    if (bytes.byteLength < needed) throw badFile(this.#name, `the grain at byte ${offset} is not whole`);
    return { offset, bytes: bytes.subarray(0, needed) };
  }

  async #metadata(kind: number, sectors: bigint, at: number): Promise<void> {
    const { tableEntries, directoryEntries } = this.#header;
    const expect = async (bytes: number, what: string) => {
      const wanted = Math.ceil(bytes / SECTOR_BYTES);
      if (sectors !== BigInt(wanted)) throw badFile(this.#name, `${what} of ${sectors} sectors is impossible`);
      return this.#reader.take(wanted * SECTOR_BYTES, what);
    };
    switch (kind) {
      case MARKERS.table:
        this.#tables.addTable(await expect(tableEntries * 4, 'a table'), at);
        return;
      case MARKERS.directory:
        if (this.#directory !== null) throw badFile(this.#name, 'it has two directories');
        this.#directory = at;
        this.#tables.addDirectory(await expect(directoryEntries * 4, 'a directory'));
        return;
      case MARKERS.footer:
        this.#footer = readSparseHeader(await expect(SECTOR_BYTES, 'a footer'), this.#name);
        if (!this.#footer) throw badFile(this.#name, 'its footer is none');
        return;
      default:
        throw badFile(this.#name, `it holds a marker of the unknown kind ${kind}`);
    }
  }

  /** The end-of-stream marker came: all that belongs before it must have come. */
  async #end(): Promise<void> {
    const { directoryOffset, capacitySectors, grainSectors, tableEntries } = this.#header;
    const footer = this.#footer ?? this.#header;
    if (directoryOffset === null && !this.#footer) throw badFile(this.#name, 'its footer is missing');
    const same =
      footer.capacitySectors === capacitySectors &&
      footer.grainSectors === grainSectors &&
      footer.tableEntries === tableEntries;
    if (!same) throw badFile(this.#name, 'header and footer do not agree');
    if (!this.#tables.inFront && footer.directoryOffset !== this.#directory) {
      throw badFile(this.#name, 'its directory is not where header or footer say');
    }
    if (!this.#tables.complete()) throw badFile(this.#name, 'its tables do not name the grains that came');
    for (let rest = await this.#reader.rest(); rest !== null; rest = await this.#reader.rest()) {
      if (!isZeroLong(rest)) throw badFile(this.#name, 'something follows its end');
    }
  }
}

function isZeroLong(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.byteLength; at += MIB) if (!isZero(bytes.subarray(at, at + MIB))) return false;
  return true;
}
