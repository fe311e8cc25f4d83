import { MIB, formatRate } from '../../core/index.js';
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

/** Less tells more of the beginning and the end than of the rate. */
const LEAST_BYTES = 64 * MIB;

/**
 * How fast a disk was read, for the end of a summary: what was really read a second, and what of the disk's size was done
 * in that time, holes and all, where the two differ. Nothing where it was too little to tell.
 */
export function ratesText(of: { readBytes: number; capacityBytes: number; seconds: number | null }): string {
  const { readBytes, capacityBytes, seconds } = of;
  if (seconds === null || seconds < 1 || readBytes < LEAST_BYTES) return '';
  const read = formatRate(readBytes / seconds);
  const effective = formatRate(capacityBytes / seconds);
  return read === effective ? `; ${read} read` : `; ${read} read, ${effective} of the disk's size`;
}
