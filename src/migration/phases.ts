import { UsageError } from '../core/index.js';
import type { MappingOptions } from './plan/options.js';
import { ensureSections, takeOptions } from './plan/resolve.js';
import { isHalfExported } from './choose-run.js';
import { mayPowerOff, takeSource, type SourceRequest } from './migrate.js';
import { readSource } from './read-source.js';
import { runSteps } from './runner.js';
import { withRun, type SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import { listSteps, type Phase } from './steps/list.js';
import { section, type RunContext } from './steps/step.js';

/** The step commands: each runs one phase of a run, on the same state as `migrate`. */

export interface ExportRequest {
  source: SourceRequest;
  /** Also convert, as `export --disk-format raw|qcow2` does. */
  convertTo: 'raw' | 'qcow2' | null;
}

/** Copies the disks of a VM. Begins a run, or goes on with one of the same VM whose copy is not complete. */
export async function exportVm(base: SessionBase, request: ExportRequest): Promise<RunState> {
  const host = await base.doors.host(base.ctx);
  const { vm } = await readSource(host, request.source.selector);
  const unfinished = (await base.store.list()).filter(
    (state) => state.vm?.id === vm.id && state.vm.uuid === vm.uuid && isHalfExported(state, request.source),
  );
  const last = unfinished.at(-1);
  const which = last ? { resume: last.run } : { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
  let final: RunState | undefined;
  await withRun(base, which, async (session) => {
    const { rc } = session;
    final = rc.state;
    await takeSource(session, request.source, { powerOff: mayPowerOff(rc) });
    const phases: Phase[] = ['export'];
    if (request.convertTo !== null) {
      const options = await takeOptions(rc, { imageFormat: request.convertTo });
      await ensureSections(rc, options, ['images']);
      phases.push('convert');
    }
    await runSteps(rc, listSteps(rc.state, phases));
    return 'open';
  });
  if (!final) throw new Error('no run was opened');
  return final;
}

/** What each phase reads of the plan. */
const needs = {
  export: [],
  convert: ['images'],
  upload: ['cloud', 'images'],
  volume: ['cloud', 'volumes'],
  server: ['cloud', 'ports', 'server', 'boot'],
} as const;

/** The phase that must be done before another. */
const before: Record<Phase, Phase | null> = {
  export: null,
  convert: 'export',
  upload: 'convert',
  volume: 'upload',
  server: 'volume',
};

/** Converts the exported disks of a run, into another folder or again if wanted. */
export async function convertRun(
  base: SessionBase,
  run: string,
  request: { options: Partial<MappingOptions>; outputDir?: string; again: boolean },
): Promise<RunState> {
  return runPhase(base, run, 'convert', request.options, async (rc) => {
    const dir = request.outputDir;
    const moved = dir !== undefined && dir !== rc.state.plan.get('convert_dir');
    if (moved) await rc.record({ kind: 'plan', section: 'convert_dir', value: dir });
    if (!moved && !request.again) return;
    for (const key of [...rc.state.steps.keys()]) {
      if (!key.startsWith('convert:')) continue;
      if (rc.state.steps.get(key.replace('convert:', 'image:'))?.state === 'done') {
        throw new UsageError(
          `Run ${rc.run} has uploaded its disks already; converting them again would serve nothing.`,
        );
      }
      await rc.record({ kind: 'step.reset', step: key });
    }
  });
}

/** Runs one phase of an existing run. The run is complete when its server is made. */
export async function runPhase(
  base: SessionBase,
  run: string,
  phase: Phase,
  given: Partial<MappingOptions>,
  prepare?: (rc: RunContext) => Promise<void>,
): Promise<RunState> {
  let final: RunState | undefined;
  await withRun(base, { resume: run }, async ({ rc }) => {
    final = rc.state;
    assertReady(rc.state, phase);
    await prepare?.(rc);
    const options = await takeOptions(rc, given);
    await ensureSections(rc, options, needs[phase]);
    await runSteps(rc, listSteps(rc.state, [phase]));
    return phase === 'server' ? 'done' : 'open';
  });
  if (!final) throw new Error('no run was opened');
  return final;
}

function assertReady(state: RunState, phase: Phase): void {
  const earlier = before[phase];
  if (earlier === null || !state.plan.has('source')) return;
  const source = section(state, 'source');
  const prefix = { export: 'export:', convert: 'convert:', upload: 'image:', volume: 'volume:', server: 'server' }[
    earlier
  ];
  const missing = source?.labels.filter((label) => state.steps.get(`${prefix}${label}`)?.state !== 'done') ?? [];
  if (earlier === 'export' && state.steps.get('recheck')?.state !== 'done') missing.push('the last look at the source');
  if (missing.length === 0) return;
  throw new UsageError(
    `Run ${state.run} is not so far: ${earlier} is not done for ${missing.join(', ')}.`,
    earlier === 'export'
      ? `Go on with: stackferry export --vm ${state.vm?.name ?? ''}`
      : `First: stackferry ${earlier} --run ${state.run}`,
  );
}

/** The address of a run's source, in the words of the source options: what a later command need not say again. */
export async function sourceOptionsOf(
  store: RunStore,
  run: string,
): Promise<{ esxi?: string; esxiSshPort?: number; esxiUser?: string }> {
  const source = section(await store.read(run), 'source');
  return source ? { esxi: source.host, esxiSshPort: source.port, esxiUser: source.user } : {};
}
