import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RangeList, RangeListBuilder, type Range } from '../../src/disk/index.js';

const SIZE = 200;

/** Ranges inside a small disk, ascending by offset; they touch and overlap now and then. */
const someRanges = fc
  .array(fc.record({ offset: fc.nat(SIZE - 1), length: fc.nat(20) }))
  .map((ranges) =>
    ranges
      .map(({ offset, length }) => ({ offset, length: Math.min(length, SIZE - offset) }))
      .sort((a, b) => a.offset - b.offset),
  );

/** Which bytes are covered, one by one. */
function cells(ranges: Iterable<Range>): boolean[] {
  const out = Array.from({ length: SIZE }, () => false);
  for (const { offset, length } of ranges) out.fill(true, offset, offset + length);
  return out;
}

function isCanonical(ranges: Range[]): boolean {
  return ranges.every(({ offset, length }, at) => {
    const before = ranges[at - 1];
    return length > 0 && (!before || before.offset + before.length < offset);
  });
}

describe('RangeList', () => {
  it('covers exactly what was given, in ranges that neither overlap nor touch', () => {
    fc.assert(
      fc.property(someRanges, (ranges) => {
        const list = RangeList.from(ranges);
        expect(cells(list)).toEqual(cells(ranges));
        expect(isCanonical([...list])).toBe(true);
        expect(list.count).toBe([...list].length);
        expect(list.bytes).toBe(cells(ranges).filter(Boolean).length);
      }),
    );
  });

  it('tells the covered parts and the gaps of any window', () => {
    fc.assert(
      fc.property(someRanges, fc.nat(SIZE), fc.nat(SIZE), (ranges, offset, length) => {
        const list = RangeList.from(ranges);
        const end = Math.min(SIZE, offset + length);
        const window = (value: boolean) => cells(ranges).map((cell, at) => at >= offset && at < end && cell === value);
        const within = [...list.within(offset, end - offset)];
        const gaps = [...list.gapsWithin(offset, end - offset)];
        expect(cells(within)).toEqual(window(true));
        expect(cells(gaps)).toEqual(window(false));
        expect(isCanonical(within) && isCanonical(gaps)).toBe(true);
      }),
    );
  });

  it('grows ranges to whole units, never beyond the end', () => {
    fc.assert(
      fc.property(
        someRanges,
        fc.integer({ min: 1, max: 33 }),
        fc.integer({ min: 1, max: SIZE }),
        (ranges, unit, end) => {
          const inside = cells(ranges).map((cell, at) => cell && at < end);
          const aligned = RangeList.from(ranges).aligned(unit, end);
          const wanted = inside.map((_, at) => {
            const from = Math.floor(at / unit) * unit;
            return at < end && inside.slice(from, from + unit).some(Boolean);
          });
          expect(cells(aligned)).toEqual(wanted);
          expect(isCanonical([...aligned])).toBe(true);
        },
      ),
    );
  });

  it('keeps a bounded number, and then names more than was given, never less', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(100_000), fc.integer({ min: 1, max: 100_000 })), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (steps, most) => {
          let at = 0;
          const ranges = steps.map(([gap, length]) => {
            const offset = at + gap;
            at = offset + length;
            return { offset, length };
          });
          const list = RangeList.from(ranges, most);
          expect(list.count).toBeLessThanOrEqual(most);
          expect(isCanonical([...list])).toBe(true);
          const last = [...list].at(-1);
          expect(last ? last.offset + last.length : 0).toBe(at);
          for (const { offset, length } of ranges) {
            expect([...list.within(offset, length)]).toEqual([{ offset, length }]);
          }
        },
      ),
    );
  });

  it('counts right at the far end of the largest disks', () => {
    const tib = 1024 ** 4;
    const list = RangeList.from([
      { offset: 0, length: 1 },
      { offset: 62 * tib - 1, length: 1 },
    ]);
    expect(list.bytes).toBe(2);
    expect([...list.gapsWithin(0, 62 * tib)]).toEqual([{ offset: 1, length: 62 * tib - 2 }]);
    expect([...list.aligned(65536, 62 * tib)]).toEqual([
      { offset: 0, length: 65536 },
      { offset: 62 * tib - 65536, length: 65536 },
    ]);
  });

  it('ranks an offset by the bytes before it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), { maxLength: 12 }),
        fc.integer({ min: 0, max: 250 }),
        (steps, offset) => {
          let at = 0;
          const ranges = steps.map(([gap, length]) => ({ offset: (at += gap), length: ((at += length), length) }));
          const before = ranges.reduce(
            (sum, range) => sum + Math.min(range.length, Math.max(0, offset - range.offset)),
            0,
          );
          expect(RangeList.from(ranges).rank(offset)).toBe(before);
        },
      ),
    );
  });

  it('refuses ranges out of order, and a bound that nothing can keep', () => {
    const builder = new RangeListBuilder();
    builder.add(10, 5);
    expect(() => builder.add(9, 1)).toThrow(RangeError);
    expect(() => new RangeListBuilder(0)).toThrow(RangeError);
  });
});
