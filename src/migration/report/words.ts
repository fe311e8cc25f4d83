import { formatRate } from '../../core/index.js';
import { daysSince, oldInventory, savedWhen } from '../saved-age.js';
import type { Readiness, Report, ReportEstimate } from './types.js';

export const readinessWords: Record<Readiness, string> = {
  ready: 'ready',
  remedies: 'with remedies',
  blocked: 'blocked',
};

/** What the estimate rests on, in a sentence. */
export function basisText({ basis, rate_bytes_per_second }: ReportEstimate): string {
  const rate = formatRate(rate_bytes_per_second);
  const rest =
    'It is the time to read what the disks hold from the host; what is made of it comes on top (stackferry estimate reckons with all of it).';
  switch (basis) {
    case 'given':
      return `The rate is an assumption: ${rate} was given. ${rest}`;
    case 'measured':
      return `The rate is what the runs of this report reached on average. ${rest}`;
    case 'assumed':
      return `The rate is an assumption: nothing was measured; stackferry doctor measures it, and --rate takes it. ${rest}`;
  }
}

type Made = Pick<Report, 'source' | 'generated_at'>;

/** What a report was made from, in a few words: of a saved inventory how old that was. */
export function sourceText({ source, generated_at }: Made): string {
  switch (source.kind) {
    case 'file':
      return `an inventory saved on ${savedWhen(source.saved_at, Date.parse(generated_at))}`;
    case 'host':
      return 'the host itself';
    case 'run':
      return 'the journal of a run';
  }
}

/** The warning that a report begins with where it shows what was long ago. */
export function ageWarning({ source, generated_at }: Made): string | null {
  return oldInventory(daysSince(source.saved_at, Date.parse(generated_at)))?.message ?? null;
}

/** `2026-11-25 06:07 UTC`. */
export function shortTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** Nothing is left to be ready for. */
export function allMoved({ totals }: Pick<Report, 'totals'>): boolean {
  return totals.vms > 0 && totals.moved === totals.vms;
}
