import { z } from 'zod';
import type { RunState } from '../state/fold.js';

/** The section that says how the bytes of a run go. Runs of older programs have none: theirs are staged. */
export const TRANSFER = 'transfer';

/**
 * `direct`: from the host into the image in one pass, without a file in between. `staged`: the files are copied here,
 * converted, and uploaded, each a step of its own.
 */
const transfer = z.enum(['direct', 'staged']);
export type Transfer = z.infer<typeof transfer>;

export function transferOf(state: Pick<RunState, 'plan'>): Transfer {
  return transfer.safeParse(state.plan.get(TRANSFER)).data ?? 'staged';
}

/** The section that holds what was sent as the image of a disk, before Glance has said a word of it. */
export function sentSection(label: string): string {
  return `sent:${label}`;
}
