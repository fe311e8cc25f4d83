import type { RunState } from './state/fold.js';
import type { JournalEntry } from './state/journal-line.js';

export interface Warning {
  code: string;
  message: string;
}

/** Keeps in a run's journal what was warned of while it was worked on: each warning once, however often it is shown. */
export class WarningNotes {
  readonly #record: (entry: JournalEntry) => Promise<void>;
  readonly #known: Set<string>;
  #pending: Promise<void> = Promise.resolve();

  constructor(state: Pick<RunState, 'warnings'>, record: (entry: JournalEntry) => Promise<void>) {
    this.#record = record;
    this.#known = new Set(state.warnings.map(keyOf));
  }

  take({ code, message }: Warning): void {
    const key = keyOf({ code, message });
    if (this.#known.has(key)) return;
    this.#known.add(key);
    const written = this.#record({ kind: 'warning', code, message });
    // A journal that cannot be written refuses the next line as well, and that one ends the run.
    this.#pending = Promise.all([this.#pending, written]).then(
      () => undefined,
      () => undefined,
    );
  }

  /** Waits until all that was taken is written. */
  settle(): Promise<void> {
    return this.#pending;
  }
}

function keyOf({ code, message }: Warning): string {
  return `${code} ${message}`;
}
