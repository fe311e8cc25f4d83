import type { Context } from './context.js';
import { messageOf, throwIfAborted } from './errors.js';

export interface RetryPolicy {
  /** What is tried, for the event: "GET image 4f…". */
  what: string;
  /** How often in all, the first try included. */
  attempts: number;
  /** First delay in milliseconds; it doubles up to `maxDelayMs`, with up to 20 % of jitter. */
  delayMs: number;
  maxDelayMs: number;
  /** Whether this error may go away; a number is the delay in milliseconds that the peer asked for. */
  retryable: (error: unknown) => boolean | number;
}

/** Runs `work` until it succeeds, fails for good, or the tries are used up; tells each retry as an event. */
export async function retry<T>(ctx: Context, policy: RetryPolicy, work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(ctx.signal);
    try {
      return await work(attempt);
    } catch (error) {
      throwIfAborted(ctx.signal);
      const verdict = policy.retryable(error);
      if (verdict === false || attempt >= policy.attempts) throw error;
      const backoff = Math.min(policy.maxDelayMs, policy.delayMs * 2 ** (attempt - 1)) * (1 + Math.random() * 0.2);
      const delayMs = Math.round(typeof verdict === 'number' ? verdict : backoff);
      ctx.events.emit({ kind: 'retry', what: policy.what, attempt, delayMs, reason: messageOf(error) });
      await ctx.clock.sleep(delayMs, ctx.signal);
    }
  }
}
