/** Over how long a rate is measured, and how close together its points may be. */
const WINDOW_MS = 5_000;
const STEP_MS = 200;

/** Bytes a second over the last seconds, from counts that are told now and then. */
export class RateMeter {
  readonly #points: { at: number; done: number }[];

  /** `at` in milliseconds, `done` in bytes; what was done before does not count. */
  constructor(at: number, done: number) {
    this.#points = [{ at, done }];
  }

  add(at: number, done: number): void {
    const last = this.#points.at(-1);
    if (last && at - last.at < STEP_MS) return;
    this.#points.push({ at, done });
    while (this.#points.length > 2 && at - (this.#points[0]?.at ?? at) > WINDOW_MS) this.#points.shift();
  }

  /** Whole bytes a second; 0 while there is nothing to tell. */
  get rate(): number {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (!first || !last || last.at <= first.at) return 0;
    return Math.round(((last.done - first.done) * 1000) / (last.at - first.at));
  }
}
