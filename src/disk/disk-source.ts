import { MIB } from '../core/index.js';
import type { ByteSource, DiskLayout, DiskPiece } from './disk-layout.js';
import type { RangeList } from './ranges.js';

/** Bytes of one piece at the most. */
const PIECE_BYTES = MIB;

/** A disk that can be read at any place: its size, where it holds data, and its bytes. */
export interface DiskSource {
  readonly capacityBytes: number;
  /** What may hold something else than zeros. Bounded: see {@link RangeList}. */
  dataRanges(): Promise<RangeList>;
  /**
   * The bytes of the ranges, whole and in order, zeros where the disk holds nothing. Reads one piece ahead. Whoever
   * stops early ends the reading.
   */
  pieces(wanted: RangeList): AsyncGenerator<DiskPiece>;
}

/** A disk whose bytes lie one to one in files, read through its layout. */
export function layoutSource(layout: DiskLayout, files: readonly ByteSource[]): DiskSource {
  return {
    capacityBytes: layout.capacityBytes,
    dataRanges: () => layout.dataRanges(),
    pieces: (wanted) => readAhead(parts(wanted), (offset, length) => readPart(layout, files, offset, length)),
  };
}

function* parts(wanted: RangeList): Generator<{ offset: number; length: number }> {
  for (const { offset, length } of wanted) {
    for (let at = offset; at < offset + length; at += PIECE_BYTES) {
      yield { offset: at, length: Math.min(PIECE_BYTES, offset + length - at) };
    }
  }
}

async function readPart(
  layout: DiskLayout,
  files: readonly ByteSource[],
  offset: number,
  length: number,
): Promise<DiskPiece> {
  const segments = await layout.locate(offset, length);
  const [only] = segments;
  if (only?.offset === offset && only.length === length) {
    return { offset, bytes: await fileOf(files, only.file).read(only.position, length) };
  }
  const bytes = Buffer.alloc(length);
  for (const segment of segments) {
    const read = await fileOf(files, segment.file).read(segment.position, segment.length);
    read.copy(bytes, segment.offset - offset);
  }
  return { offset, bytes };
}

function fileOf(files: readonly ByteSource[], index: number): ByteSource {
  const file = files[index];
  if (!file) throw new RangeError(`a layout of ${files.length} files names file ${index}`);
  return file;
}

async function* readAhead(
  wanted: Iterable<{ offset: number; length: number }>,
  read: (offset: number, length: number) => Promise<DiskPiece>,
): AsyncGenerator<DiskPiece> {
  let next: Promise<DiskPiece> | null = null;
  try {
    for (const { offset, length } of wanted) {
      const ready: Promise<DiskPiece> | null = next;
      next = read(offset, length);
      // Whoever waits for it gets the error; until then it is nobody's.
      next.catch(() => undefined);
      if (ready) yield await ready;
    }
    if (next) yield await next;
  } finally {
    // The file may be closed once this has ended.
    await next?.catch(() => undefined);
  }
}

/** The same pieces with all that lies between them as zeros, so that they cover the disk whole, in pieces of at most 1 MiB. */
export async function* withZeros(pieces: AsyncIterable<DiskPiece>, capacityBytes: number): AsyncGenerator<DiskPiece> {
  let at = 0;
  for await (const { offset, bytes } of pieces) {
    yield* zerosBetween(at, offset);
    yield { offset, bytes };
    at = offset + bytes.byteLength;
  }
  yield* zerosBetween(at, capacityBytes);
}

function* zerosBetween(from: number, to: number): Generator<DiskPiece> {
  for (let at = from; at < to; at += PIECE_BYTES) {
    yield { offset: at, bytes: Buffer.alloc(Math.min(PIECE_BYTES, to - at)) };
  }
}
