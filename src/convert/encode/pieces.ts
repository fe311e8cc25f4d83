import type { DiskPiece, RangeList } from '../../disk/index.js';
import type { EncodeRequest, ImageRun } from './types.js';

/** Throws a `RangeError` unless the capacity is a whole number of bytes and every range lies in it. */
export function assertInside({ capacityBytes, data }: EncodeRequest): void {
  if (!Number.isSafeInteger(capacityBytes) || capacityBytes < 0) {
    throw new RangeError(`a disk cannot have ${capacityBytes} bytes`);
  }
  for (const { offset, length } of data) {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0) {
      throw new RangeError(`no range of a disk: ${length} bytes at ${offset}`);
    }
    if (offset + length > capacityBytes) {
      throw new RangeError(`data up to ${offset + length} on a disk of ${capacityBytes} bytes`);
    }
  }
}

/** The pieces as they come, each proved to be the next one, and all of `wanted` proved to be there at the end. */
export async function* inOrder(
  wanted: RangeList,
  pieces: AsyncIterable<DiskPiece>,
): AsyncGenerator<DiskPiece, void, undefined> {
  const ranges = wanted[Symbol.iterator]();
  let range = ranges.next();
  let at = range.done === true ? 0 : range.value.offset;
  for await (const piece of pieces) {
    const { offset, bytes } = piece;
    if (range.done === true) throw new RangeError(`a piece of the disk at ${offset}, after the last one wanted`);
    if (offset !== at) throw new RangeError(`a piece of the disk at ${offset} where ${at} was due`);
    const end = range.value.offset + range.value.length;
    at += bytes.length;
    if (at > end) throw new RangeError(`a piece of the disk from ${offset} to ${at}, where only ${end} is wanted`);
    if (at === end) {
      range = ranges.next();
      if (range.done !== true) at = range.value.offset;
    }
    if (bytes.length > 0) yield piece;
  }
  if (range.done !== true) throw new RangeError(`the pieces of the disk end where ${at} was due`);
}

/**
 * Runs `body` over the pieces. They are closed in the end even where the consumer turns away before `body` has asked for
 * the first one (a cloud that refuses an upload at once): what has been read ahead for them must not stay open.
 */
export async function* closing(
  pieces: AsyncIterable<DiskPiece>,
  body: (pieces: AsyncIterable<DiskPiece>) => AsyncGenerator<ImageRun, void, undefined>,
): AsyncGenerator<ImageRun, void, undefined> {
  let begun = false as boolean;
  const watched = {
    [Symbol.asyncIterator]: () => {
      begun = true;
      return pieces[Symbol.asyncIterator]();
    },
  };
  try {
    yield* body(watched);
  } finally {
    if (!begun) await pieces[Symbol.asyncIterator]().return?.();
  }
}
