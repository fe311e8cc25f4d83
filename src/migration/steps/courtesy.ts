import { MIB, formatSeconds, type Context } from '../../core/index.js';
import type { AnsweredRequest } from '../../esxi/read/index.js';

/** Smaller or scattered requests take their own time and say nothing of the host. */
const LEAST_BYTES = 4 * MIB;
const MOST_READS = 2;
/** What is usual is known from so many requests on, and of so many. */
const LEAST_KNOWN = 8;
const MOST_KNOWN = 256;
/** Slow is what takes so many times as long as usual. */
const SLOW = 1.5;
const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 10_000;

/**
 * Sees by the time that requests take when a host has more to do than usual, and leaves it alone then: as long as the
 * request took, and twice as long each time while it stays so. Usual is what a quarter of the last requests did not need,
 * so that a busy hour does not soon become what is usual. For a disk that is read with one stream.
 */
export class Courtesy {
  readonly #ctx: Context;
  readonly #label: string;
  readonly #known: number[] = [];
  #factor = 0;
  #isHeld = false;
  #pauses = 0;
  #pausedMs = 0;

  constructor(ctx: Context, label: string) {
    this.#ctx = ctx;
    this.#label = label;
  }

  /** A limit of our own holds the stream: the time of this request is not the host's. */
  held(): void {
    this.#isHeld = true;
  }

  /** Judges a request; undefined where there is nothing to wait for. */
  answered(answered: AnsweredRequest): Promise<void> | undefined {
    const isHeld = this.#isHeld;
    this.#isHeld = false;
    const pause = isHeld ? 0 : this.#pauseAfter(answered);
    if (pause === 0) return undefined;
    this.#pauses++;
    this.#pausedMs += pause;
    this.#ctx.log.debug(`disk ${this.#label}: the host answers slower than usual; nothing is asked for ${pause} ms`);
    return this.#ctx.clock.sleep(pause, this.#ctx.signal);
  }

  /** Tells at the end what it did. */
  tell(): void {
    if (this.#pauses === 0) return;
    const message = `disk ${this.#label}: the host was left alone ${this.#pauses} time(s), ${formatSeconds(this.#pausedMs / 1000)} in all (--low-priority).`;
    this.#ctx.events.emit({ kind: 'notice', message });
  }

  #pauseAfter({ bytes, reads, ms }: AnsweredRequest): number {
    if (bytes < LEAST_BYTES || reads > MOST_READS) return 0;
    const perMib = ms / (bytes / MIB);
    const usual = this.#usual();
    this.#known.push(perMib);
    if (this.#known.length > MOST_KNOWN) this.#known.shift();
    if (usual === null || perMib <= usual * SLOW) {
      this.#factor = 0;
      return 0;
    }
    this.#factor = Math.max(1, this.#factor * 2);
    return Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, Math.round(ms * this.#factor)));
  }

  #usual(): number | null {
    if (this.#known.length < LEAST_KNOWN) return null;
    const sorted = this.#known.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 4)] ?? null;
  }
}
