import type { ByteSource, DiskLayout, Segment } from '../disk-layout.js';
import { RangeListBuilder, type RangeList } from '../ranges.js';
import { shortFile } from './faults.js';
import type { ExtentMap, Walk } from './extent-map.js';
import { ZEROS, lookups, pushRun, type Run } from './runs.js';

/** Ranges of an allocation map that are looked at together. */
const WINDOW_RANGES = 16_384;

/**
 * An extent whose bytes lie one to one in a file, from `position` on. `allocated` names the ranges of the file that may
 * hold data; null: all of it. Throws `disk.short_file` where the file ends before the extent does.
 */
export function flatExtent(
  file: ByteSource,
  index: number,
  position: number,
  bytes: number,
  allocated: RangeList | null,
): ExtentMap {
  if (position + bytes > file.bytes) throw shortFile(file.name, file.bytes, position + bytes, 'its extent');
  return {
    bytes,
    runs(offset: number, length: number, _walk: Walk, shift: number, out: Run[]): Promise<void> {
      const guest = shift - position;
      let at = position + offset;
      const end = at + length;
      for (const range of allocated?.within(at, length) ?? [{ offset: at, length }]) {
        pushRun(out, guest + at, range.offset - at, ZEROS, 0);
        pushRun(out, guest + range.offset, range.length, index, range.offset);
        at = range.offset + range.length;
      }
      pushRun(out, guest + at, end - at, ZEROS, 0);
      return Promise.resolve();
    },
    window(offset: number): Promise<number> {
      const rest = bytes - offset;
      let ranges = 0;
      for (const range of allocated?.within(position + offset, rest) ?? []) {
        if (++ranges === WINDOW_RANGES) return Promise.resolve(range.offset + range.length - position - offset);
      }
      return Promise.resolve(rest);
    },
  };
}

/** An extent without a file: zeros. */
export function zeroExtent(bytes: number): ExtentMap {
  return {
    bytes,
    runs(offset: number, length: number, _walk: Walk, shift: number, out: Run[]): Promise<void> {
      pushRun(out, shift + offset, length, ZEROS, 0);
      return Promise.resolve();
    },
    window: (offset) => Promise.resolve(bytes - offset),
  };
}

/** A file that is the disk, byte for byte: a raw image, or a flat extent without its descriptor. */
export function flatLayout(file: ByteSource, allocated: RangeList | null = null): DiskLayout {
  const data = new RangeListBuilder();
  for (const { offset, length } of allocated?.within(0, file.bytes) ?? [{ offset: 0, length: file.bytes }]) {
    data.add(offset, length);
  }
  const ranges = data.build();
  return {
    capacityBytes: file.bytes,
    dataRanges: () => Promise.resolve(ranges),
    locate(offset, length) {
      const segments: Segment[] = [];
      for (const part of lookups(offset, length, file.bytes)) {
        for (const range of ranges.within(part.offset, part.length)) {
          pushRun(segments, range.offset, range.length, 0, range.offset);
        }
      }
      return Promise.resolve(segments);
    },
  };
}
