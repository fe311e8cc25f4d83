import type { Check } from './check.js';

/** What all checks together come to. */
export interface Verdict {
  /** `read`: nothing was compared, nor asked to be. `not_verified`: of some disk nothing could be compared. */
  state: 'equal' | 'differs' | 'failed' | 'not_verified' | 'read';
  /** 0, 1, or 3 where something stands in the way of an answer. */
  exitCode: 0 | 1 | 3;
}

/** One word for all: a copy that could not be read counts where no other one of its disk could be, on that side. */
export function verdictOf(checks: readonly Check[]): Verdict {
  const has = (state: Check['state']) => checks.some((check) => check.state === state);
  if (has('differs')) return { state: 'differs', exitCode: 1 };
  if (has('failed')) return { state: 'failed', exitCode: 1 };
  const answered = new Set(checks.filter(({ state }) => state === 'equal').map(keyOf));
  const isOpen = checks.some(
    (check) => !answered.has(keyOf(check)) && (check.side !== 'file' || check.state === 'not_verified'),
  );
  if (isOpen) return { state: 'not_verified', exitCode: 3 };
  return { state: has('equal') ? 'equal' : 'read', exitCode: 0 };
}

function keyOf({ run, label, side }: Check): string {
  return JSON.stringify([run, label, side]);
}
