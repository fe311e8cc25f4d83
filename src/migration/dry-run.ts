import { StackferryError, isCode, teeEvents, type Context, type StackferryEvent } from '../core/index.js';
import { targetBlocker, targetFindings } from './check-target.js';
import { standing } from './findings/accept.js';
import type { Finding, Severity } from './findings/index.js';
import { openOrBegin } from './choose-run.js';
import {
  lookAtSource,
  noteSource,
  saidOf,
  takeAccepted,
  takePlan,
  type MigrateRequest,
  powerLeave,
} from './migrate.js';
import type { WaitFor } from './plan/options.js';
import { ensureSections, takeOptions } from './plan/resolve.js';
import type {
  CloudSection,
  ImageSection,
  PortSection,
  ServerSection,
  ViaSection,
  VolumeSection,
} from './plan/sections.js';
import { blockerError, isOnWhatMoves, standingBlockers } from './read-source.js';
import { runResult, type RunResult } from './result.js';
import { sameProject, sourceOf, type SessionBase } from './session.js';
import { inMemory, newState } from './dry.js';
import { runSteps } from './runner.js';
import type { RunState } from './state/fold.js';
import { readingWords } from './steps/limits.js';
import { listSteps } from './steps/list.js';
import { needSection, type PlannedCall } from './steps/step.js';

/** What a migration would do, with every choice resolved. */
export interface DryRun {
  vm: { id: string; name: string; uuid: string | null };
  cloud: CloudSection;
  /** An earlier run of this VM, and what `migrate` would do about it. */
  earlier: { run: string; state: RunResult['state']; begun: string; would: 'go_on' | 'make_nothing' } | null;
  disks: { label: string; path: string | null; capacity_bytes: number | null; allocated_bytes: number | null }[];
  /** How the bytes would get into the volumes, and why so. */
  via: ViaSection;
  /** How the host would be read, in words; null where no option asks for anything. */
  reading: string | null;
  /** With `cinder` no image is made; the volumes get the properties. */
  images: ImageSection[];
  volumes: VolumeSection[];
  ports: PortSection[];
  server: ServerSection;
  wait_for: WaitFor;
  /** Of the source, and of the cloud (subject `cloud`). With a blocker among them the migration would not begin. */
  findings: Finding[];
  /** What would be changed, in order: on the host, on this machine, in the cloud. */
  calls: PlannedCall[];
  /** The error with which the migration would end before anything is made. */
  blocked: StackferryError | null;
}

/**
 * Goes the way that `migrate` goes, up to its first step, and changes nothing: not on the host, not in the cloud, not on
 * this disk. What a migration would journal is kept in memory only.
 */
export async function dryRun(base: SessionBase, request: MigrateRequest): Promise<DryRun> {
  const seen: Finding[] = [];
  const ctx = listening(base.ctx, (event) => {
    if (event.kind !== 'warning') return;
    seen.push(ofCloud('warning', event));
  });
  const which = await openOrBegin({ ...base, ctx }, request);
  const state =
    'resume' in which ? await base.store.read(which.resume) : newState({ ...base, at: base.ctx.clock.now(), vm: null });
  const earlier = earlierOf(which, state);
  const calls: PlannedCall[] = [];
  const paths = base.store.paths(state.run);
  const rc = inMemory({
    ...base,
    ctx,
    dir: paths.dir,
    stateDir: base.store.dir,
    state,
    sameProject,
    sourceOf,
    dry: calls,
  });
  const accept = await takeAccepted(rc, request.accept ?? []);
  const { source, labels } = await lookAtSource(rc, request.source);
  state.vm = { id: source.vm.id, name: source.vm.name, uuid: source.vm.uuid };
  const blockers = standing(standingBlockers(source, labels, powerLeave(base)), accept).standing;
  let blocked = blockerError(source.vm.name, blockers);
  await noteSource(rc, request.source, {
    source,
    labels,
    ownFolder: paths.disks,
    staged: request.source.outputDir !== undefined,
  });
  try {
    if (request.planned) await takePlan(rc, request.planned);
    const options = await takeOptions(rc, saidOf(rc, which, request));
    await ensureSections(rc, options, ['cloud', 'via', 'images', 'volumes', 'ports', 'server', 'boot']);
  } catch (error) {
    // What cannot move at all need not be mapped.
    throw blocked ?? error;
  }
  try {
    const found = standing(await targetFindings(rc), accept).standing;
    seen.push(...found);
    blocked ??= targetBlocker(found);
  } catch (error) {
    if (!isBlocker(error)) throw error;
    seen.push(ofCloud('blocker', error));
    blocked ??= error;
  }
  if (!('done' in which)) await runSteps(rc, listSteps(state));
  const ofSource = source.findings.filter((item) => isOnWhatMoves(source, labels, item));
  return {
    vm: state.vm,
    cloud: needSection(state, 'cloud'),
    earlier,
    disks: source.vm.disks
      .filter((disk) => labels.includes(disk.label))
      .map(({ label, path, capacity_bytes, allocated_bytes }) => ({ label, path, capacity_bytes, allocated_bytes })),
    via: needSection(state, 'via'),
    reading: readingWords(base.settings),
    images: needSection(state, 'images'),
    volumes: needSection(state, 'volumes'),
    ports: needSection(state, 'ports'),
    server: needSection(state, 'server'),
    wait_for: needSection(state, 'boot').wait_for,
    findings: [
      // A blocker that was allowed to be removed (--power-off) is none any more.
      ...ofSource.map((item) =>
        item.severity === 'blocker' && !blockers.includes(item) ? { ...item, severity: 'info' as const } : item,
      ),
      ...seen,
    ],
    calls,
    blocked,
  };
}

function ofCloud(severity: Severity, told: { code: string; message: string; hint?: string | undefined }): Finding {
  return { code: told.code, severity, subject: 'cloud', message: told.message, remedy: told.hint ?? '' };
}

function isBlocker(error: unknown): error is StackferryError {
  return error instanceof StackferryError && error.exitCode === 3 && !isCode(error, 'interrupted');
}

/** Warnings go into the result, notices about the choice of a run as well; all else is shown as ever. */
function listening(ctx: Context, listener: (event: StackferryEvent) => void): Context {
  const quiet = {
    ...ctx.events,
    emit: (event: StackferryEvent) => {
      if (event.kind !== 'warning' && event.kind !== 'notice') ctx.events.emit(event);
    },
    ask: ctx.events.ask.bind(ctx.events),
  };
  return { ...ctx, events: teeEvents(quiet, listener) };
}

function earlierOf(which: Awaited<ReturnType<typeof openOrBegin>>, resumed: RunState): DryRun['earlier'] {
  if ('vm' in which) return null;
  const state = 'done' in which ? which.done : resumed;
  const would = 'done' in which ? 'make_nothing' : 'go_on';
  return { run: state.run, state: runResult(state).state, begun: state.openedAt, would };
}
