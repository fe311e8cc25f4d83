import type { RunContext } from './step.js';

/** Tells of bytes that move while `work` runs: that it began, how far it is, how it ended. */
export async function withProgress<T>(
  rc: RunContext,
  { task, label, total }: { task: string; label: string; total: number },
  work: (onBytes: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const { clock, events } = rc.ctx;
  const start = clock.now();
  let done = 0;
  let ok = false;
  events.emit({ kind: 'bytes.started', task, label, total, done });
  try {
    const result = await work((bytes) => {
      done += bytes;
      events.emit({ kind: 'bytes.progress', task, done, total });
    });
    ok = true;
    return result;
  } finally {
    events.emit({ kind: 'bytes.finished', task, done, seconds: (clock.now() - start) / 1000, ok });
  }
}
