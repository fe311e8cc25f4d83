/** A run of bytes: `[offset, offset + length)`. */
export interface Range {
  offset: number;
  length: number;
}

/** So many ranges are kept apart; beyond it the smallest gaps count as data, so that memory is bounded (16 MiB). */
const MOST_RANGES = 2 ** 20;

/**
 * Ranges in ascending order that neither overlap nor touch. Where there would be more than a million of them, the
 * smallest gaps are taken in: a list may name more than was given, never less.
 */
export class RangeList implements Iterable<Range> {
  static readonly empty = new RangeList(new Float64Array(0));
  /** Begin and end of each range, in turn. */
  readonly #bounds: Float64Array;
  readonly bytes: number;
  /** Bytes of the ranges before each one; made when first asked for. */
  #before: Float64Array | null = null;

  constructor(bounds: Float64Array) {
    this.#bounds = bounds;
    let bytes = 0;
    for (let at = 0; at < bounds.length; at += 2) bytes += (bounds[at + 1] ?? 0) - (bounds[at] ?? 0);
    this.bytes = bytes;
  }

  /** Of ranges in ascending order of their offsets; they may touch and overlap. */
  static from(ranges: Iterable<Range>, most = MOST_RANGES): RangeList {
    const builder = new RangeListBuilder(most);
    for (const { offset, length } of ranges) builder.add(offset, length);
    return builder.build();
  }

  get count(): number {
    return this.#bounds.length / 2;
  }

  *[Symbol.iterator](): Generator<Range> {
    for (let at = 0; at < this.#bounds.length; at += 2) {
      const offset = this.#bounds[at] ?? 0;
      yield { offset, length: (this.#bounds[at + 1] ?? 0) - offset };
    }
  }

  /** The parts of `[offset, offset + length)` that the list covers. */
  *within(offset: number, length: number): Generator<Range> {
    const end = offset + length;
    for (let at = this.#firstEndingAfter(offset) * 2; at < this.#bounds.length; at += 2) {
      const from = Math.max(offset, this.#bounds[at] ?? 0);
      const to = Math.min(end, this.#bounds[at + 1] ?? 0);
      if (from >= end) return;
      if (to > from) yield { offset: from, length: to - from };
    }
  }

  /** The parts of `[offset, offset + length)` that it does not cover. */
  *gapsWithin(offset: number, length: number): Generator<Range> {
    let at = offset;
    for (const range of this.within(offset, length)) {
      if (range.offset > at) yield { offset: at, length: range.offset - at };
      at = range.offset + range.length;
    }
    if (at < offset + length) yield { offset: at, length: offset + length - at };
  }

  /** How many of the list's bytes lie before an offset: where its byte stands once the gaps are left out. */
  rank(offset: number): number {
    this.#before ??= this.#sums();
    const index = this.#firstEndingAfter(offset);
    if (index === this.count) return this.bytes;
    return (this.#before[index] ?? 0) + Math.max(0, offset - (this.#bounds[index * 2] ?? 0));
  }

  #sums(): Float64Array {
    const before = new Float64Array(this.count);
    let sum = 0;
    for (let index = 0; index < before.length; index++) {
      before[index] = sum;
      sum += (this.#bounds[index * 2 + 1] ?? 0) - (this.#bounds[index * 2] ?? 0);
    }
    return before;
  }

  /** Each range before `end` grown to whole units (clusters, chunks), cut at `end`. */
  aligned(unit: number, end: number): RangeList {
    const builder = new RangeListBuilder();
    for (const { offset, length } of this) {
      if (offset >= end) break;
      const from = Math.floor(offset / unit) * unit;
      const to = Math.min(end, Math.ceil((offset + length) / unit) * unit);
      if (to > from) builder.add(from, to - from);
    }
    return builder.build();
  }

  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#bounds[middle * 2 + 1] ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Collects ranges that come in ascending order of their offsets; they may touch and overlap. */
export class RangeListBuilder {
  readonly #most: number;
  #bounds = new Float64Array(64);
  #used = 0;
  /** Gaps up to this many bytes are taken in. */
  #gap = 0;

  constructor(most = MOST_RANGES) {
    if (most < 1) throw new RangeError('a list keeps one range at least');
    this.#most = most;
  }

  add(offset: number, length: number): void {
    if (length <= 0) return;
    const last = this.#used > 0 ? (this.#bounds[this.#used - 1] ?? 0) : -1;
    if (this.#used > 0 && offset < (this.#bounds[this.#used - 2] ?? 0)) throw new RangeError('ranges out of order');
    if (this.#used > 0 && offset - last <= this.#gap) {
      this.#bounds[this.#used - 1] = Math.max(last, offset + length);
      return;
    }
    if (this.#used === this.#bounds.length) {
      const more = new Float64Array(this.#bounds.length * 2);
      more.set(this.#bounds);
      this.#bounds = more;
    }
    this.#bounds[this.#used++] = offset;
    this.#bounds[this.#used++] = offset + length;
    while (this.#used / 2 > this.#most) this.#coarsen();
  }

  build(): RangeList {
    return new RangeList(this.#bounds.slice(0, this.#used));
  }

  #coarsen(): void {
    this.#gap = Math.max(4096, this.#gap * 2);
    let kept = 0;
    for (let at = 0; at < this.#used; at += 2) {
      const from = this.#bounds[at] ?? 0;
      const to = this.#bounds[at + 1] ?? 0;
      if (kept > 0 && from - (this.#bounds[kept - 1] ?? 0) <= this.#gap) {
        this.#bounds[kept - 1] = to;
      } else {
        this.#bounds[kept++] = from;
        this.#bounds[kept++] = to;
      }
    }
    this.#used = kept;
  }
}
