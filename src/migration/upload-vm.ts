import { assertNoneHidden } from './choose-run.js';
import { isUnfinished, runsOfVm } from './find-run.js';
import { powerLeave, takeSource, type SourceRequest } from './migrate.js';
import type { MappingOptions } from './plan/options.js';
import { ensureSections, takeOptions } from './plan/resolve.js';
import { readSource } from './read-source.js';
import { runSteps } from './runner.js';
import { withRun, type SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import { listSteps } from './steps/list.js';

/** Whether a VM that `--vm` fits has a run that can be gone on with. */
export async function hasOpenRun(store: RunStore, selector: string): Promise<boolean> {
  const { runs } = await store.survey();
  return runsOfVm(runs, selector).some(isUnfinished);
}

/**
 * Moves the disks of a VM straight into images, as the beginning of a run that `volume` and `server` go on with.
 * @throws StackferryError `run.unreadable` where a run that cannot be read may be one of this VM.
 */
export async function uploadVm(
  base: SessionBase,
  request: { source: SourceRequest; options: Partial<MappingOptions> },
): Promise<RunState> {
  const host = await base.doors.host(base.ctx);
  const { vm } = await readSource(host, request.source.selector);
  assertNoneHidden((await base.store.survey()).unreadable, vm);
  let final: RunState | undefined;
  await withRun(base, { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } }, async (session) => {
    const { rc } = session;
    final = rc.state;
    await takeSource(session, request.source, powerLeave(rc));
    const options = await takeOptions(rc, request.options);
    await ensureSections(rc, options, ['cloud', 'images']);
    // Disks of kinds that are not read in place are staged first.
    await runSteps(rc, listSteps(rc.state, ['export', 'convert', 'upload']));
    return 'ready';
  });
  if (!final) throw new Error('no run was opened');
  return final;
}
