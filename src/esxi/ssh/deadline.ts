/** A time limit that stands still while a person is asked. */
export class Deadline {
  readonly #ms: number;
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #pauses = 0;
  #stopped = false;
  #resumed: (() => void) | null = null;

  constructor(ms: number, expired: () => void) {
    this.#ms = ms;
    this.#expired = expired;
    this.restart();
  }

  get paused(): boolean {
    return this.#pauses > 0;
  }

  restart(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.paused) return;
    this.#timer = setTimeout(this.#expired, this.#ms);
  }

  pause(): void {
    this.#pauses++;
    clearTimeout(this.#timer);
  }

  resume(): void {
    this.#pauses--;
    if (this.paused) return;
    this.restart();
    this.#resumed?.();
    this.#resumed = null;
  }

  /** Calls back when nobody is asked any more: at once, if nobody is. */
  whenResumed(callback: () => void): void {
    if (this.paused) this.#resumed = callback;
    else callback();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
