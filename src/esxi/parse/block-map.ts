import { RangeListBuilder, type RangeList } from '../../disk/index.js';

/** What a block map says of a flat file. */
export interface BlockMap {
  /** Written blocks, and whatever the map says in words that we do not know. */
  data: RangeList;
  /** Allocated and never written: `VMFS` with the flag `Z`. */
  zeroed: RangeList;
  /** Not allocated: `NOMP`. */
  absent: RangeList;
}

/** A line and more is no map: it is longer than any that a host prints. */
const LONGEST_LINE = 1024;
const LINE = /^\[\s*(\d{1,16}):\s*(\d{1,16})\] --> \[(\S+) +(\S+)(?: [^\]]*)?\]\s*$/;

/**
 * Reads the output of `vmkfstools -t0` as it comes: one line a run of bytes, `[ offset: length] --> [TYPE FLAGS
 * LVID:…/…:( from --> to)]`. No recording of it exists, so it is read strictly: the runs must cover the file from its
 * first byte to its last, in order; one line that does not fit makes the whole map unusable. Types that other tools
 * look for: `VMFS --` written, `VMFS Z-` never written, `NOMP --` not allocated.
 */
export class BlockMapParser {
  readonly #bytes: number;
  readonly #data = new RangeListBuilder();
  readonly #zeroed = new RangeListBuilder();
  readonly #absent = new RangeListBuilder();
  #rest = '';
  #at = 0;
  #bad: string | null = null;

  /** @param bytes the size of the file */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  push(text: string): void {
    if (this.#bad !== null) return;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    if (this.#rest.length > LONGEST_LINE) this.#bad = 'a line of it does not end';
  }

  /** The map, or in words why it cannot be used. */
  end(): BlockMap | string {
    if (this.#rest !== '') this.#line(this.#rest);
    if (this.#bad !== null) return this.#bad;
    if (this.#at !== this.#bytes) return `it covers ${this.#at} of ${this.#bytes} bytes`;
    return { data: this.#data.build(), zeroed: this.#zeroed.build(), absent: this.#absent.build() };
  }

  #line(line: string): void {
    if (this.#bad !== null || line.trim() === '') return;
    const match = LINE.exec(line);
    const [offset, length] = [Number(match?.[1]), Number(match?.[2])];
    if (!match || length <= 0 || !Number.isSafeInteger(offset + length)) {
      this.#bad = `a line of it has no known form: ${JSON.stringify(line.slice(0, 80))}`;
    } else if (offset !== this.#at) {
      this.#bad = `its runs are not in order at byte ${this.#at}`;
    } else if (offset + length > this.#bytes) {
      this.#bad = `it goes on after the file's end at byte ${this.#bytes}`;
    } else {
      this.#kindOf(match[3] ?? '', match[4] ?? '').add(offset, length);
      this.#at = offset + length;
    }
  }

  #kindOf(type: string, flags: string): RangeListBuilder {
    if (type === 'NOMP' && flags === '--') return this.#absent;
    if (type === 'VMFS' && flags === 'Z-') return this.#zeroed;
    return this.#data;
  }
}
