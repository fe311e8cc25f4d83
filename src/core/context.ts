import type { EventPort } from './events.js';

/** Time, so that tests can stand still or jump. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after so many milliseconds; rejects with an InterruptedError when the signal fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Lines for `--verbose` and the debug log. Implementations redact before they write. */
export interface Log {
  debug(message: string, facts?: Record<string, unknown>): void;
}

/** What everything below `src/commands` gets: how to speak, when to stop, what time it is, where to note details. */
export interface Context {
  events: EventPort;
  signal: AbortSignal;
  clock: Clock;
  log: Log;
}
