import { StackferryError, poll, type Context } from '../core/index.js';

/** How long to wait for a resource, and what to tell a person about it. */
export interface Wait {
  timeoutMs: number;
  /** Time between two looks; 2,000 ms if unset. */
  intervalMs?: number;
  /** Unique among what is waited for at once; the resource's kind and id if unset. */
  task?: string;
  /** What is waited for: "volume web01-scsi0:0 to become available". Made from the resource if unset. */
  label?: string;
  /** The option that gives more time, for the error's hint: `--timeout-volume`. */
  option?: string;
}

export interface WaitFor<T> {
  task: string;
  label: string;
  /** Code of the error when the time is up: `cloud.volume_timeout`. */
  code: string;
  look: () => Promise<T>;
  /** True when the wait is over; throws when it can never be. */
  done: (seen: T) => boolean;
  state: (seen: T) => string;
  percent?: (seen: T) => number | undefined;
  /** What to do about a resource that stays in this state. */
  remedy: (state: string) => string;
}

/** Polls as core does; when the time is up the hint is the remedy for the state that was seen last. */
export async function waitFor<T>(ctx: Context, wait: Wait, what: WaitFor<T>): Promise<T> {
  let last = 'unknown';
  try {
    return await poll(ctx, {
      task: wait.task ?? what.task,
      label: wait.label ?? what.label,
      timeoutMs: wait.timeoutMs,
      intervalMs: wait.intervalMs ?? 2_000,
      timeout: { code: what.code, hint: '' },
      look: what.look,
      done: what.done,
      describe: (seen) => {
        last = what.state(seen);
        const percent = what.percent?.(seen);
        return { state: last, ...(percent === undefined ? {} : { percent }) };
      },
    });
  } catch (error) {
    if (!(error instanceof StackferryError) || error.code !== what.code) throw error;
    const more = wait.option === undefined ? '' : ` ${wait.option} gives more time.`;
    throw new StackferryError(what.code, error.message, {
      hint: `${what.remedy(last)}${more}`,
      details: { state: last },
    });
  }
}
