import type { Clock } from '../../core/index.js';

/** A number of streams is judged after so long, and after so many bytes. */
const LOOK_MS = 1_500;
const LOOK_BYTES = 32 * 1024 ** 2;
/** One stream more must bring so much, or it goes again. */
const WORTH = 1.08;
/** After a number was found best, another look is taken so much later. */
const REST_MS = 30_000;

/**
 * How many streams are wanted: it starts with two, adds one while the rate grows, takes the last one back when it did
 * not, and one away when something fails. A given number stays.
 */
export class StreamCount {
  readonly #clock: Clock;
  readonly #most: () => number;
  readonly #isFixed: boolean;
  #wanted: number;
  #since: number;
  #bytes = 0;
  /** Bytes a millisecond with one stream fewer; 0 where that is not known. */
  #before = 0;
  #restUntil = 0;

  /** @param most a number, or what may be had at the moment; it counts for a given number as well */
  constructor(clock: Clock, streams: number | undefined, most: number | (() => number)) {
    this.#clock = clock;
    this.#most = typeof most === 'function' ? most : () => most;
    this.#isFixed = streams !== undefined;
    this.#wanted = Math.max(1, streams ?? 2);
    this.#since = clock.now();
  }

  get wanted(): number {
    return Math.max(1, Math.min(this.#wanted, this.#most()));
  }

  /** Bytes have come. */
  took(bytes: number): void {
    if (this.#isFixed) return;
    this.#bytes += bytes;
    if (this.#bytes < LOOK_BYTES) return;
    const now = this.#clock.now();
    const passed = now - this.#since;
    if (passed < LOOK_MS) return;
    const rate = this.#bytes / passed;
    this.#wanted = this.wanted;
    this.#begin(now);
    if (now < this.#restUntil) return;
    if (this.#before > 0 && rate < this.#before * WORTH) {
      this.#wanted = Math.max(1, this.#wanted - 1);
      this.#before = 0;
      this.#restUntil = now + REST_MS;
    } else if (this.#wanted < this.#most()) {
      this.#before = rate;
      this.#wanted++;
    }
  }

  /** A stream broke off, or could not be opened. */
  failed(): void {
    if (this.#isFixed) return;
    this.#wanted = Math.max(1, this.#wanted - 1);
    this.#before = 0;
    this.#restUntil = this.#clock.now() + REST_MS;
    this.#begin(this.#clock.now());
  }

  #begin(now: number): void {
    this.#since = now;
    this.#bytes = 0;
  }
}
