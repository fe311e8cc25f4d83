import { MIB } from '../../core/index.js';
import type { Segment } from '../disk-layout.js';
import type { Range } from '../ranges.js';

/** In place of a file: the bytes are zeros, whatever lies below. */
export const ZEROS = -1;
/** In place of a file: the link holds nothing here, its parent counts. */
export const PARENT = -2;

/** A run of the guest's bytes as one link has it: {@link Segment} with {@link ZEROS} and {@link PARENT} as files. */
export type Run = Segment;

/** Adds a run behind the last one; the two become one where they go on from each other. */
export function pushRun(runs: Run[], offset: number, length: number, file: number, position: number): void {
  if (length <= 0) return;
  const last = runs.at(-1);
  if (
    last?.file === file &&
    last.offset + last.length === offset &&
    (file < 0 || last.position + last.length === position)
  ) {
    last.length += length;
  } else {
    runs.push({ offset, length, file, position });
  }
}

/** The runs of a link over those of what lies below it; where neither says anything, zeros. Both in order. */
export function overlay(upper: readonly Run[], lower: readonly Run[]): Run[] {
  const out: Run[] = [];
  let index = 0;
  for (const { offset, length, file, position } of upper) {
    if (file !== PARENT) {
      pushRun(out, offset, length, file, position);
      continue;
    }
    const end = offset + length;
    let at = offset;
    while (at < end) {
      const below = lower[index];
      if (below && below.offset + below.length <= at) {
        index += 1;
        continue;
      }
      if (!below || below.offset >= end) break;
      const from = Math.max(at, below.offset);
      const to = Math.min(end, below.offset + below.length);
      pushRun(out, at, from - at, ZEROS, 0);
      const under = below.file === PARENT ? ZEROS : below.file;
      pushRun(out, from, to - from, under, under < 0 ? 0 : below.position + from - below.offset);
      at = to;
    }
    pushRun(out, at, end - at, ZEROS, 0);
  }
  return out;
}

/** Runs of so many bytes are looked up together where single places are asked for. */
const LOCATE_BYTES = 64 * MIB;

/** `[offset, offset + length)` in parts whose runs can be held at once. Throws RangeError where it leaves the disk. */
export function* lookups(offset: number, length: number, capacity: number): Generator<Range> {
  if (!(offset >= 0 && length >= 0 && offset + length <= capacity)) {
    throw new RangeError(`${length} bytes at ${offset} do not lie inside a disk of ${capacity}`);
  }
  for (let at = offset; at < offset + length; at += LOCATE_BYTES) {
    yield { offset: at, length: Math.min(LOCATE_BYTES, offset + length - at) };
  }
}
