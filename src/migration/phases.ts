import { StackferryError, UsageError, quoteForHint } from '../core/index.js';
import type { MappingOptions } from './plan/options.js';
import { ensureSections, takeOptions } from './plan/resolve.js';
import { assertNoneHidden, halfExportedRun, partialRun } from './choose-run.js';
import { powerLeave, takeSource, type SourceRequest } from './migrate.js';
import { PARTIAL, exportCommand, isPartial, leftOut, missingOf, phasesOf } from './next-command.js';
import { readSource } from './read-source.js';
import { runSteps } from './runner.js';
import { withRun, type SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import { convertResult } from './steps/convert.js';
import { exportResult, filesStand } from './steps/export.js';
import { listSteps, type Phase } from './steps/list.js';
import { orRelease, releaseHost } from './steps/release.js';
import { RUNNING, assertNoLiveCopy, runningOf, type RunningSection } from './steps/running.js';
import { forgetRead } from './steps/source.js';
import { needSection, section, type RunContext } from './steps/step.js';
import { transferOf } from './steps/transfer.js';

/** The step commands: each runs one phase of a run, on the same state as `migrate`. */

export interface ExportRequest {
  source: SourceRequest;
  /** Image files instead of the disks' own, as `export --disk-format raw|qcow2` makes them. */
  convertTo: 'raw' | 'qcow2' | null;
  /** A VM that runs may be copied so; null: it must be off. */
  running: RunningSection | null;
}

/**
 * Copies the disks of a VM. Begins a run, or goes on with one of the same disks whose copy is not complete. What was
 * made on the host to copy a running one is removed, however it ends.
 * @throws StackferryError `run.unreadable` where a run that cannot be read may be that one.
 */
export async function exportVm(base: SessionBase, request: ExportRequest): Promise<RunState> {
  const host = await base.doors.host(base.ctx);
  const { vm } = await readSource(host, request.source.selector);
  const { runs, unreadable } = await base.store.survey();
  // A compressed image cannot be written to from the middle: it is converted from a copy.
  const toFile = request.convertTo !== null && !base.settings.compress;
  const last = halfExportedRun(runs, vm, request.source, toFile ? request.convertTo : null);
  if (!last) assertNoneHidden(unreadable, vm);
  const which = last ? { resume: last.run } : { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
  let final: RunState | undefined;
  await withRun(base, which, async (session) => {
    const { rc } = session;
    final = rc.state;
    const whileRunning = request.running !== null;
    await takeSource(session, request.source, { ...powerLeave(rc), whileRunning, staged: true, toFile });
    await takeWay(rc, vm.power_state === 'on' ? request.running : null);
    const phases: Phase[] = ['export'];
    if (request.convertTo !== null) {
      const options = await takeOptions(rc, { imageFormat: request.convertTo });
      await ensureSections(rc, options, ['images']);
      phases.push('convert');
    }
    if (transferOf(rc.state) === 'file' && missingOf(rc.state, 'export').length === 0) {
      for (const step of ['source', 'recheck']) await rc.record({ kind: 'step.reset', step });
    }
    await orRelease(rc, () => runSteps(rc, listSteps(rc.state, phases)));
    return 'ready';
  });
  if (!final) throw new Error('no run was opened');
  return final;
}

/** Notes whether the VM is copied while it runs. Where that has changed since, all is read again. */
async function takeWay(rc: RunContext, how: RunningSection | null): Promise<void> {
  const before = runningOf(rc.state);
  if (JSON.stringify(before) === JSON.stringify(how)) return;
  await rc.record({ kind: 'plan', section: RUNNING, value: how });
  if ((before === null) === (how === null)) return;
  if (!rc.dry) await releaseHost(rc);
  for (const label of needSection(rc.state, 'source').labels) await forgetRead(rc, label);
  for (const step of ['source', 'recheck']) if (rc.state.steps.has(step)) await rc.record({ kind: 'step.reset', step });
}

/** What each phase reads of the plan. */
const needs = {
  export: [],
  convert: ['images'],
  upload: ['cloud', 'images'],
  volume: ['cloud', 'volumes'],
  server: ['cloud', 'ports', 'server', 'boot'],
} as const;

/** Converts the exported disks of a run, into another folder or again if wanted. */
export async function convertRun(
  base: SessionBase,
  run: string,
  request: { options: Partial<MappingOptions>; outputDir?: string; again: boolean },
): Promise<RunState> {
  return runPhase(base, run, { phase: 'convert', options: request.options, partial: false }, async (rc) => {
    const dir = request.outputDir;
    const moved = dir !== undefined && dir !== rc.state.plan.get('convert_dir');
    const anew: string[] = [];
    for (const label of needSection(rc.state, 'source').labels) {
      const done = convertResult.safeParse(rc.state.steps.get(`convert:${label}`)?.result).data;
      if (done && !moved && !request.again && (await filesStand([done]))) continue;
      if (rc.state.steps.get(`image:${label}`)?.state === 'done') throw servedAlready(rc.state, label, done?.path);
      await assertExported(rc.state, label);
      if (done) anew.push(`convert:${label}`);
    }
    if (moved) await rc.record({ kind: 'plan', section: 'convert_dir', value: dir });
    for (const step of anew) await rc.record({ kind: 'step.reset', step });
  });
}

function servedAlready(state: RunState, label: string, path: string | undefined): UsageError {
  const kept = path === undefined || section(state, 'source')?.ownDir === true ? 'is not kept' : `was ${path}`;
  return new UsageError(
    `Run ${state.run} has uploaded ${label} already, and its file ${kept}; converting it again would serve nothing.`,
    `For files of the disks: stackferry export --vm ${quoteForHint(state.vm?.name ?? '')} --disk-format qcow2 --output DIR`,
  );
}

/** The exported files are a user's to look at, and may be gone or changed when it is their turn. */
async function assertExported(state: RunState, label: string): Promise<void> {
  const exported = exportResult.safeParse(state.steps.get(`export:${label}`)?.result).data;
  if (!exported || (await filesStand(exported.files))) return;
  throw new StackferryError('run.files_gone', `The exported files of ${label} are gone or changed: ${exported.path}`, {
    hint: `Undo the run and export again: stackferry rollback ${state.run}`,
  });
}

export interface PhaseRequest {
  phase: Phase;
  options: Partial<MappingOptions>;
  /** The disks that `export --disk` left out are left behind on purpose. */
  partial: boolean;
}

/**
 * Runs one phase of an existing run. The run is complete when its server is made.
 * @throws UsageError where an earlier phase is not done; StackferryError `run.partial` where disks are left out unasked.
 */
export async function runPhase(
  base: SessionBase,
  run: string,
  { phase, options: given, partial }: PhaseRequest,
  prepare?: (rc: RunContext) => Promise<void>,
): Promise<RunState> {
  let final: RunState | undefined;
  await withRun(base, { resume: run }, async ({ rc }) => {
    final = rc.state;
    const { state } = rc;
    const isOfVm = state.plan.has('source');
    if (isOfVm) {
      assertReady(state, phase);
      if (partial && leftOut(state).length > 0) await rc.record({ kind: 'plan', section: PARTIAL, value: true });
      if (phase !== 'convert' && isPartial(state)) {
        throw partialRun(state, `stackferry ${phase} --run ${state.run} --partial`);
      }
      await prepare?.(rc);
      const options = await takeOptions(rc, given);
      await ensureSections(rc, options, needs[phase]);
    } else {
      assertAlone(state, phase, given);
    }
    await runSteps(rc, listSteps(state, [phase]));
    return phase === 'server' || !isOfVm ? 'done' : 'ready';
  });
  if (!final) throw new Error('no run was opened');
  return final;
}

function assertReady(state: RunState, phase: Phase): void {
  if (state.state === 'rolled_back') throw new UsageError(`Run ${state.run} was rolled back.`, 'Begin another one.');
  if (phase === 'server') assertNoLiveCopy(state);
  const own = phasesOf(state);
  if (!own.includes(phase)) {
    throw new UsageError(
      `Run ${state.run} moves its disks in one pass: it has no files to ${phase}.`,
      `Go on with: stackferry upload --run ${state.run}. For files: stackferry export --vm ${quoteForHint(state.vm?.name ?? '')} --output DIR`,
    );
  }
  const earlier = own[own.indexOf(phase) - 1] ?? null;
  // Of a finished run everything was there; what is gone by now is for the steps to see.
  if (earlier === null || missingOf(state, phase).length === 0) return;
  const missing = missingOf(state, earlier);
  if (missing.length === 0) return;
  throw new UsageError(
    `Run ${state.run} is not so far: ${earlier} is not done for ${missing.join(', ')}.`,
    `First: ${firstCommand(state, earlier)}`,
  );
}

/** The command that comes first: the earliest phase that is not done. */
function firstCommand(state: RunState, earlier: Phase): string {
  const first = phasesOf(state).find((phase) => missingOf(state, phase).length > 0) ?? earlier;
  return first === 'export'
    ? (exportCommand(state) ?? 'stackferry export --vm NAME')
    : `stackferry ${first} --run ${state.run}`;
}

/** A run of files, images or volumes has one phase, planned when it began. */
function assertAlone(state: RunState, phase: Phase, given: Partial<MappingOptions>): void {
  const words = Object.keys(given).filter((key) => key !== 'start');
  if (state.state === 'rolled_back' || state.vm !== null || state.command !== phase) {
    const what = state.vm === null ? `was begun by ${state.command} on its own` : `has not read ${state.vm.name} yet`;
    throw new UsageError(
      `Run ${state.run} ${state.state === 'rolled_back' ? 'was rolled back' : what}; ${phase} cannot go on with it.`,
      `Look at it with: stackferry status ${state.run}`,
    );
  }
  if (words.length > 0) {
    throw new UsageError(
      `Run ${state.run} was planned when it began; options for ${words.join(', ')} come too late.`,
      `Leave them out, or undo the run first: stackferry rollback ${state.run}`,
    );
  }
}

/** The address of a run's source, in the words of the source options: what a later command need not say again. */
export async function sourceOptionsOf(
  store: RunStore,
  run: string,
): Promise<{ esxi?: string; esxiSshPort?: number; esxiUser?: string }> {
  const source = section(await store.read(run), 'source');
  return source ? { esxi: source.host, esxiSshPort: source.port, esxiUser: source.user } : {};
}
