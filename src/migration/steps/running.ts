import { z } from 'zod';
import { StackferryError, quoteForHint } from '../../core/index.js';
import { cloneFile } from '../../esxi/clone/names.js';
import type { DiskRecord } from '../../esxi/index.js';
import type { RunState } from '../state/fold.js';
import { needSection } from './step.js';

/** A copy of a VM that runs: `export --while-running`. What its run holds of it, and what follows from it. */

/** The section that says that the VM is copied while it runs, and how. Null after a session that found it off. */
export const RUNNING = 'running';
/** The section that names the clones that are read, once all are made. */
export const CLONES = 'clones';

const running = z.object({
  /** The guest's Tools are asked to quiesce its file systems. */
  quiesce: z.boolean(),
  /** Name of the datastore that takes the clones; null: that of the first disk. */
  datastore: z.string().nullable(),
  /** For taking the snapshot, and again for removing it. */
  timeout_ms: z.number(),
});
export type RunningSection = z.infer<typeof running>;

const clones = z.object({
  /** Their folder, in datastore form. */
  folder: z.string(),
});

type Planned = Pick<RunState, 'plan'>;

/** How the VM is copied while it runs; null where it is off. */
export function runningOf(state: Planned): RunningSection | null {
  return running.safeParse(state.plan.get(RUNNING)).data ?? null;
}

/** The folder of the clones that are read; null where there are none (yet). */
export function clonesOf(state: Planned): string | null {
  return clones.safeParse(state.plan.get(CLONES)).data?.folder ?? null;
}

/** The disks as they are read: their clones while there are some, else the VM's own. */
export function disksToRead(state: RunState): DiskRecord[] {
  const source = needSection(state, 'source');
  const disks = source.vm.disks.filter((disk) => source.labels.includes(disk.label));
  const folder = clonesOf(state);
  if (folder === null) return disks;
  return disks.map((disk) => {
    const path = clonePath(folder, disk.label);
    return { ...disk, path, chain: [path] };
  });
}

export function clonePath(folder: string, label: string): string {
  return `${folder}/${cloneFile(label)}`;
}

/**
 * Refuses to make a server of a copy that was made while the VM ran: what the VM has written since would be lost, and
 * both would be on the network with one identity.
 * @throws StackferryError `vm.copied_while_running` (exit code 3).
 */
export function assertNoLiveCopy(state: RunState): void {
  if (runningOf(state) === null) return;
  const name = state.vm?.name ?? 'The VM';
  throw new StackferryError(
    'vm.copied_while_running',
    `Run ${state.run} is a copy of ${name} made while it ran; no server is made of it, for what ${name} has written since would be lost.`,
    {
      hint: `Move it switched off: stackferry migrate --vm ${quoteForHint(name)} --power-off. The copy's images and volumes are yours to use.`,
      exitCode: 3,
    },
  );
}
