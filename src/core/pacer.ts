import type { Clock } from './context.js';

/**
 * Holds a rate: whoever takes bytes waits until they are due. One pacer is shared by all who share the limit. A short
 * burst passes at once, so that small steps are not paid with a timer each.
 */
export class Pacer {
  readonly #clock: Clock;
  #bytesPerMs = Infinity;
  /** When the bytes taken so far are paid for. */
  #due: number;

  /** @param bytesPerSecond the limit; null: none, for now */
  constructor(clock: Clock, bytesPerSecond: number | null) {
    this.#clock = clock;
    this.#due = clock.now();
    this.limit(bytesPerSecond);
  }

  /** Sets another limit for what is taken from now on; null: none. */
  limit(bytesPerSecond: number | null): void {
    if (bytesPerSecond !== null && !(bytesPerSecond > 0)) {
      throw new RangeError(`no rate: ${bytesPerSecond} bytes a second`);
    }
    this.#bytesPerMs = bytesPerSecond === null ? Infinity : bytesPerSecond / 1000;
  }

  /** Takes so many bytes; undefined where there is nothing to wait for. */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.#bytesPerMs === Infinity) return undefined;
    const now = this.#clock.now();
    this.#due = Math.max(this.#due, now - BURST_MS) + bytes / this.#bytesPerMs;
    const wait = this.#due - now;
    return wait > BURST_MS ? this.#clock.sleep(wait, signal) : undefined;
  }
}

const BURST_MS = 50;
