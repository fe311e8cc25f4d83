import { MIB } from '../../core/index.js';
import {
  CHUNK_BYTES,
  takeChunkBuffer,
  type DiskLayout,
  type Range,
  type RangeList,
  type Segment,
} from '../../disk/index.js';
import { fileRead, type FileRead, type RemoteFile } from './file-read.js';

/** So much is asked for at once: enough to make a dd worth its start, little enough to be held for every stream. */
const LARGE_REQUEST = 8 * MIB;
const SMALL_REQUEST = 4 * MIB;
const FEW_STREAMS = 4;
/** And so many ranges at the most: a delta may be scattered. */
const REQUEST_READS = 256;

/** A wanted range of the disk inside one chunk, and where its bytes lie. */
export interface PieceSpec extends Range {
  segments: readonly Segment[];
}

/** What one stream is asked for at once: pieces in the disk's order, and the reads whose bytes fill them. */
export interface ReadRequest {
  pieces: readonly PieceSpec[];
  reads: readonly FileRead[];
}

/** Cuts the wanted ranges into pieces that lie in one 4 MiB chunk each, and bundles them: smaller for many streams. */
export async function* requestsOf(
  layout: DiskLayout,
  files: readonly RemoteFile[],
  wanted: RangeList,
  streams: () => number,
): AsyncGenerator<ReadRequest> {
  let pieces: PieceSpec[] = [];
  let bytes = 0;
  let reads = 0;
  const flush = (): ReadRequest => {
    const request = { pieces, reads: readsOf(pieces, files) };
    pieces = [];
    bytes = 0;
    reads = 0;
    return request;
  };
  for (const range of chunked(wanted)) {
    const segments = await layout.locate(range.offset, range.length);
    const most = streams() > FEW_STREAMS ? SMALL_REQUEST : LARGE_REQUEST;
    if (pieces.length > 0 && (bytes + range.length > most || reads + segments.length > REQUEST_READS)) {
      yield flush();
    }
    pieces.push({ ...range, segments });
    bytes += range.length;
    reads += segments.length;
  }
  if (pieces.length > 0) yield flush();
}

function* chunked(wanted: RangeList): Generator<Range> {
  for (const { offset, length } of wanted) {
    for (let at = offset; at < offset + length;) {
      const end = Math.min(offset + length, (Math.floor(at / CHUNK_BYTES) + 1) * CHUNK_BYTES);
      yield { offset: at, length: end - at };
      at = end;
    }
  }
}

/** Segments that follow one another in a file become one read, also across pieces. */
function readsOf(pieces: readonly PieceSpec[], files: readonly RemoteFile[]): FileRead[] {
  const runs: { file: number; position: number; length: number }[] = [];
  for (const { file, position, length } of pieces.flatMap((piece) => piece.segments)) {
    const last = runs.at(-1);
    if (last?.file === file && last.position + last.length === position) last.length += length;
    else runs.push({ file, position, length });
  }
  return runs.map(({ file, position, length }) => {
    const of = files[file];
    if (!of) throw new RangeError(`a segment names file ${file} of ${files.length}`);
    return fileRead(file, of, position, length);
  });
}

/** Puts bytes that come in the order of the reads into the pieces that they belong to. */
export class PieceFiller {
  readonly #pieces: readonly PieceSpec[];
  readonly #done: (index: number, bytes: Buffer) => void;
  #index = 0;
  #segment = 0;
  #filled = 0;
  #buffer: Buffer | null = null;

  /** @param done called with each piece once it is whole; the bytes are the caller's */
  constructor(pieces: readonly PieceSpec[], done: (index: number, bytes: Buffer) => void) {
    this.#pieces = pieces;
    this.#done = done;
    this.#settle();
  }

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const piece = this.#pieces[this.#index];
      const segment = piece?.segments[this.#segment];
      if (!piece || !segment) throw new RangeError('more bytes than the pieces want');
      this.#buffer ??= newBuffer(piece);
      const to = segment.offset - piece.offset + this.#filled;
      const copied = bytes.copy(this.#buffer, to, at, at + segment.length - this.#filled);
      at += copied;
      this.#filled += copied;
      if (this.#filled === segment.length) {
        this.#segment++;
        this.#filled = 0;
        this.#settle();
      }
    }
  }

  /** Hands on every piece that has all it wants: also those that no segment covers. */
  #settle(): void {
    for (;;) {
      const piece = this.#pieces[this.#index];
      if (!piece || this.#segment < piece.segments.length) return;
      this.#done(this.#index, this.#buffer ?? newBuffer(piece));
      this.#buffer = null;
      this.#index++;
      this.#segment = 0;
    }
  }
}

/** A buffer of the ring, zeroed unless the segments cover it from end to end. */
function newBuffer({ length, segments }: PieceSpec): Buffer {
  const covered = segments.reduce((sum, segment) => sum + segment.length, 0);
  const buffer = takeChunkBuffer(length);
  return covered === length ? buffer : buffer.fill(0);
}
