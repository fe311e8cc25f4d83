import type { Context } from './context.js';
import { StackferryError, throwIfAborted } from './errors.js';

export interface PollOptions<T> {
  /** Unique among what is waited for at once. */
  task: string;
  /** What is waited for, for a person: "volume web01-scsi0:0 to become available". */
  label: string;
  timeoutMs: number;
  intervalMs: number;
  /** Code and hint of the error when the time is up; the hint names the option that gives more time. */
  timeout: { code: string; hint: string };
  look: () => Promise<T>;
  /** True when the wait is over; may throw when it can never be. */
  done: (seen: T) => boolean;
  /** The state in a word, and how far it is if known. */
  describe: (seen: T) => { state: string; percent?: number };
}

/** Looks again and again until `done`, and tells the wait as events. Throws the given code when the time is up. */
export async function poll<T>(ctx: Context, options: PollOptions<T>): Promise<T> {
  const start = ctx.clock.now();
  const seconds = () => (ctx.clock.now() - start) / 1000;
  const { task, label } = options;
  ctx.events.emit({ kind: 'wait.started', task, label, timeoutSeconds: options.timeoutMs / 1000 });
  let ok = false;
  try {
    for (;;) {
      throwIfAborted(ctx.signal);
      const seen = await options.look();
      const description = options.describe(seen);
      if (options.done(seen)) {
        ok = true;
        return seen;
      }
      ctx.events.emit({ kind: 'wait.progress', task, seconds: seconds(), ...description });
      if (ctx.clock.now() - start >= options.timeoutMs) {
        throw new StackferryError(
          options.timeout.code,
          `Waited ${Math.round(seconds())} s for ${label}; it is still ${description.state}.`,
          { hint: options.timeout.hint },
        );
      }
      await ctx.clock.sleep(options.intervalMs, ctx.signal);
    }
  } finally {
    ctx.events.emit({ kind: 'wait.finished', task, seconds: seconds(), ok });
  }
}
