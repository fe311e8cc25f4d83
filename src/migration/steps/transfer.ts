import { z } from 'zod';
import { viaSection } from '../plan/sections.js';
import type { RunState } from '../state/fold.js';

/** The section that says how the bytes of a run go. Runs of older programs have none: theirs are staged. */
export const TRANSFER = 'transfer';

/**
 * `direct`: from the host into the image in one pass, without a file in between. `staged`: the files are copied here,
 * converted, and uploaded, each a step of its own. `file`: from the host into an image file here in one pass (`export
 * --disk-format`), which the next steps take as if it had been converted. `attached`: from the host onto the volume, which
 * is attached to this machine; said by `direct` and the section `via` together.
 */
const transfer = z.enum(['direct', 'staged', 'file']);
export type Transfer = z.infer<typeof transfer> | 'attached';

export function transferOf(state: Pick<RunState, 'plan'>): Transfer {
  const said = transfer.safeParse(state.plan.get(TRANSFER)).data ?? 'staged';
  const isAttached = said === 'direct' && viaSection.safeParse(state.plan.get('via')).data?.way === 'cinder';
  return isAttached ? 'attached' : said;
}

/** The section that holds what was sent as the image of a disk, before Glance has said a word of it. */
export function sentSection(label: string): string {
  return `sent:${label}`;
}

/** The section that holds which file an image is being written to, so that a killed run knows it for its own. */
export function fileSection(label: string): string {
  return `file:${label}`;
}

/** The section that says of which state of the source a volume, new and blank then, has been written to. */
export function blankSection(label: string): string {
  return `blank:${label}`;
}

/** The step that reads a disk from the host, by how the bytes of the run go. */
export function readerOf(state: Pick<RunState, 'plan'>, label: string): string {
  return `${{ attached: 'data', direct: 'image', staged: 'export', file: 'convert' }[transferOf(state)]}:${label}`;
}
