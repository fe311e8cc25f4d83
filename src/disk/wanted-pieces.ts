import { CHUNK_BYTES } from './content-hash.js';
import type { DiskPiece } from './disk-layout.js';
import type { RangeList } from './ranges.js';

/** The same pieces, none across the end of a 4 MiB chunk: what hashes and fills a target takes them so. */
export async function* cutAtChunks(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<DiskPiece> {
  for await (const { offset, bytes } of pieces) {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + CHUNK_BYTES - ((offset + at) % CHUNK_BYTES));
      yield { offset: offset + at, bytes: bytes.subarray(at, end) };
      at = end;
    }
  }
}

/** Of ascending pieces those parts that are wanted. All pieces are read, for only so a stream's end is seen to be sound. */
export async function* onlyWanted(pieces: AsyncIterable<DiskPiece>, wanted: RangeList): AsyncGenerator<DiskPiece> {
  for await (const { offset, bytes } of pieces) {
    for (const part of wanted.within(offset, bytes.length)) {
      yield {
        offset: part.offset,
        bytes: bytes.subarray(part.offset - offset, part.offset - offset + part.length),
      };
    }
  }
}
