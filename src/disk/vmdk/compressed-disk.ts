import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { KIB, MIB, messageOf } from '../../core/index.js';
import type { ByteSource, DiskPiece } from '../disk-layout.js';
import type { DiskSource } from '../disk-source.js';
import { RangeListBuilder, type RangeList } from '../ranges.js';
import { ByteReader } from './byte-reader.js';
import { WalkClaims } from './claims.js';
import { SECTOR_BYTES, type VmdkDescriptor } from './descriptor.js';
import { badFile, shortFile } from './faults.js';
import { GrainTables } from './grain-tables.js';
import { hostedShape } from './hosted.js';
import { footerOf } from './sparse-header.js';
import type { SparseShape } from './sparse-shape.js';
import { readDescriptor, streamHeader } from './stream-optimized.js';
import { TableCache } from './table-cache.js';

/** A grain's marker: its place on the disk (8 bytes), the length of its deflated bytes (4). */
const MARKER_BYTES = 12;
/** Of the file, so much is read at a time: grains that follow one another on the disk lie together as a rule. */
const WINDOW_BYTES = MIB;
const UNPACK_AHEAD = 4;
const unpack = promisify(inflate) as (bytes: Buffer, options: object) => Promise<Buffer>;

/** A stream-optimized VMDK that can be read at any place. */
export interface CompressedDisk extends DiskSource {
  /** The descriptor inside the file; null where there is none. */
  readonly descriptor: VmdkDescriptor | null;
}

/**
 * Opens a stream-optimized VMDK of which any part can be read: its tables tell where the data is, so that it can be
 * written as qcow2 in one pass. Reads header, descriptor and footer; tables when they are asked for.
 * @param data what grains are read through, where that is not the file itself (it is digested on the way)
 * @throws StackferryError `disk.unsupported`, `disk.bad_descriptor`, `disk.short_file`
 */
export async function openStreamOptimized(file: ByteSource, data: ByteSource = file): Promise<CompressedDisk> {
  const { name, bytes } = file;
  const reader = new ByteReader(frontOf(file), name);
  try {
    const head = await reader.take(SECTOR_BYTES, 'its header');
    const header = streamHeader(head, name);
    const overhead = Number(head.readBigUInt64LE(64));
    const descriptor = await readDescriptor(reader, header, overhead, name);
    let { directoryOffset } = header;
    if (directoryOffset === null) {
      const footer = await footerOf((position, length) => file.read(position, length), bytes, name);
      const same =
        footer.capacitySectors === header.capacitySectors &&
        footer.grainSectors === header.grainSectors &&
        footer.tableEntries === header.tableEntries;
      if (!same) throw badFile(name, 'header and footer do not agree');
      directoryOffset = footer.directoryOffset;
      if (directoryOffset === null) throw badFile(name, 'its footer names no directory');
    }
    const end = directoryOffset * SECTOR_BYTES + header.directoryEntries * 4;
    if (end > bytes) throw shortFile(name, bytes, end, 'its directory');
    return new PackedDisk(file, data, hostedShape(header, head.readUInt32LE(8), directoryOffset, bytes), descriptor);
  } finally {
    await reader.close();
  }
}

async function* frontOf(file: ByteSource): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.bytes; at += 64 * KIB) yield await file.read(at, Math.min(64 * KIB, file.bytes - at));
}

class PackedDisk implements CompressedDisk {
  readonly capacityBytes: number;
  readonly descriptor: VmdkDescriptor | null;
  readonly #file: ByteSource;
  readonly #data: ByteSource;
  readonly #shape: SparseShape;
  readonly #tables: GrainTables;

  constructor(file: ByteSource, data: ByteSource, shape: SparseShape, descriptor: VmdkDescriptor | null) {
    this.capacityBytes = shape.capacityBytes;
    this.descriptor = descriptor;
    this.#file = file;
    this.#data = data;
    this.#shape = shape;
    this.#tables = new GrainTables(file, '0', shape, new TableCache(16 * MIB), 4 * MIB);
  }

  async dataRanges(): Promise<RangeList> {
    const { directory, tableEntries, tableBytes, grainBytes, tables } = this.#shape;
    const claims = new WalkClaims();
    const data = new RangeListBuilder();
    for (let number = 0; number < directory.entries; number++) {
      number += await this.#tables.emptyFrom(number, directory.entries);
      if (number >= directory.entries) break;
      const { table, position } = await this.#tables.read(number, true);
      if (!claims.take(tables, position, tableBytes)) {
        throw badFile(this.#file.name, `a table at ${position} lies on something else, or is named twice`);
      }
      for (let index = 0; index < tableEntries; index++) {
        const place = this.#shape.grainAt(table, index);
        if (place < 0) continue;
        const offset = (number * tableEntries + index) * grainBytes;
        if (offset >= this.capacityBytes) throw badFile(this.#file.name, 'its tables name data beyond its end');
        this.#checkMarker(place);
        // How long a grain is, its marker tells when it is read; that marker also names its one place on the disk.
        if (!claims.take(tables, place, SECTOR_BYTES)) {
          throw badFile(this.#file.name, `the place ${place} is named twice, or a table lies there`);
        }
        data.add(offset, Math.min(grainBytes, this.capacityBytes - offset));
      }
    }
    return data.build();
  }

  async *pieces(wanted: RangeList): AsyncGenerator<DiskPiece> {
    const { grainBytes } = this.#shape;
    const window = new FileWindow(this.#data);
    const waiting: Promise<DiskPiece>[] = [];
    try {
      for (const { offset, length } of wanted) {
        for (let at = offset; at < offset + length;) {
          const grain = Math.floor(at / grainBytes);
          const to = Math.min(offset + length, (grain + 1) * grainBytes);
          const packed = await this.#packed(grain, window);
          const piece = this.#piece(packed, grain * grainBytes, at, to);
          // Whoever waits for it gets the error; until then it is nobody's.
          piece.catch(() => undefined);
          waiting.push(piece);
          const first = waiting.length > UNPACK_AHEAD ? waiting.shift() : undefined;
          if (first) yield await first;
          at = to;
        }
      }
      for (const piece of waiting.splice(0)) yield await piece;
    } finally {
      await Promise.allSettled(waiting);
    }
  }

  /** The deflated bytes of a grain; null where it is zeros. */
  async #packed(grain: number, window: FileWindow): Promise<Buffer | null> {
    const { tableEntries, grainBytes } = this.#shape;
    const { name, bytes } = this.#file;
    const number = Math.floor(grain / tableEntries);
    if ((await this.#tables.emptyFrom(number, number + 1)) > 0) return null;
    const { table } = await this.#tables.read(number, false);
    const place = this.#shape.grainAt(table, grain % tableEntries);
    if (place < 0) return null;
    this.#checkMarker(place);
    const marker = await window.read(place, MARKER_BYTES);
    const lba = marker.readBigUInt64LE(0);
    const size = marker.readUInt32LE(8);
    if (lba !== BigInt((grain * grainBytes) / SECTOR_BYTES)) {
      throw badFile(name, `the grain at ${place} says that it is the disk's at sector ${lba}, its table says another`);
    }
    // Deflate makes incompressible bytes longer by less than a thousandth.
    if (size === 0 || size > grainBytes * 2 + SECTOR_BYTES)
      throw badFile(name, `a grain of ${size} bytes is impossible`);
    const end = place + MARKER_BYTES + size;
    if (end > bytes) throw shortFile(name, bytes, end, 'a grain');
    return window.read(place + MARKER_BYTES, size);
  }

  async #piece(packed: Buffer | null, grainAt: number, from: number, to: number): Promise<DiskPiece> {
    if (packed === null) return { offset: from, bytes: Buffer.alloc(to - from) };
    const { grainBytes } = this.#shape;
    const { name } = this.#file;
    const options = { maxOutputLength: grainBytes, chunkSize: Math.max(64, grainBytes) };
    const bytes = await unpack(packed, options).catch((error: unknown) => {
      throw badFile(name, `the grain at byte ${grainAt} cannot be unpacked (${messageOf(error)})`);
    });
    if (bytes.byteLength < Math.min(grainBytes, this.capacityBytes - grainAt)) {
      throw badFile(name, `the grain at byte ${grainAt} is not whole`);
    }
    return { offset: from, bytes: bytes.subarray(from - grainAt, to - grainAt) };
  }

  #checkMarker(place: number): void {
    const { name, bytes } = this.#file;
    if (place + MARKER_BYTES > bytes) throw shortFile(name, bytes, place + MARKER_BYTES, 'data that its tables name');
    if (this.#shape.reserved.some(({ offset, length }) => place < offset + length && place + MARKER_BYTES > offset)) {
      throw badFile(name, `a table names data at ${place}, where header or tables lie`);
    }
  }
}

/** Small reads that go on from each other, served from larger ones. */
class FileWindow {
  readonly #file: ByteSource;
  #from = 0;
  #held: Buffer = Buffer.alloc(0);

  constructor(file: ByteSource) {
    this.#file = file;
  }

  async read(position: number, length: number): Promise<Buffer> {
    if (position < this.#from || position + length > this.#from + this.#held.length) {
      this.#held = await this.#file.read(
        position,
        Math.min(this.#file.bytes - position, Math.max(length, WINDOW_BYTES)),
      );
      this.#from = position;
    }
    return this.#held.subarray(position - this.#from, position - this.#from + length);
  }
}
