import type { Clock } from './context.js';

/**
 * Holds a rate: whoever takes bytes waits until they are due. One pacer is shared by all who share the limit. A short
 * burst passes at once, so that small steps are not paid with a timer each.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** When the bytes taken so far are paid for. */
  #due: number;

  constructor(clock: Clock, bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`no rate: ${bytesPerSecond} bytes a second`);
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#due = clock.now();
  }

  /** Takes so many bytes; undefined where there is nothing to wait for. */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    const now = this.#clock.now();
    this.#due = Math.max(this.#due, now - BURST_MS) + bytes / this.#bytesPerMs;
    const wait = this.#due - now;
    return wait > BURST_MS ? this.#clock.sleep(wait, signal) : undefined;
  }
}

const BURST_MS = 50;
