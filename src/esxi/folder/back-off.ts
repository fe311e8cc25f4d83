import type { Clock } from '../../core/index.js';

const FIRST_MS = 1_000;
const MOST_MS = 30_000;

/**
 * One wait for all requests to a host: when it says that it is busy, nobody asks anything until the wait is over. It
 * doubles as long as the host goes on saying so, and is forgotten at the first good answer.
 */
export class BackOff {
  readonly #clock: Clock;
  #until = 0;
  #next = FIRST_MS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits until requests are welcome again. Throws when `signal` is aborted meanwhile. */
  async ready(signal: AbortSignal): Promise<void> {
    for (;;) {
      const wait = this.#until - this.#clock.now();
      if (wait <= 0) return;
      await this.#clock.sleep(wait, signal);
    }
  }

  /**
   * The host said that it is busy. Many who hear it at once count as one.
   * @returns milliseconds until the next request may go out
   */
  busy(askedMs: number | undefined): number {
    const now = this.#clock.now();
    if (this.#until <= now) {
      this.#until = now + Math.max(this.#next, askedMs ?? 0);
      this.#next = Math.min(MOST_MS, this.#next * 2);
    }
    return this.#until - now;
  }

  /** It answered: the next wait is short again. */
  good(): void {
    if (this.#until <= this.#clock.now()) this.#next = FIRST_MS;
  }
}
