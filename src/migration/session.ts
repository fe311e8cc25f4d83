import { rm } from 'node:fs/promises';
import { InterruptedError, StackferryError, teeEvents, type Context } from '../core/index.js';
import type { EsxiHost } from '../esxi/index.js';
import type { Cloud } from '../openstack/index.js';
import type { PackageAddress } from './import/address.js';
import { runResult, type RunResult } from './result.js';
import { describe } from './runner.js';
import { foldJournal, type RunState } from './state/fold.js';
import type { JournalEntry } from './state/journal-line.js';
import { ProgressFile } from './state/progress.js';
import { writeAtomic, type OpenRun, type RunPaths, type RunStore } from './state/store.js';
import { cloudSection } from './plan/sections.js';
import type { RunSettings } from './steps/settings.js';
import { inMemory, newState } from './dry.js';
import { runContext, section, type PlannedCall, type RunContext } from './steps/step.js';
import { WarningNotes, type Warning } from './warning-notes.js';

/** The doors to both sides; each is opened when it is first needed. */
export interface Doors {
  host: (ctx: Context) => Promise<EsxiHost>;
  /** The files of a run that imports such; unset where `host` is what opens them. */
  files?: (address: PackageAddress, ctx: Context) => Promise<EsxiHost>;
  cloud: (ctx: Context) => Promise<Cloud>;
}

export interface SessionBase {
  /** Set for `--dry-run`: what would be changed is collected here, and nothing is. */
  dry?: PlannedCall[];
  store: RunStore;
  ctx: Context;
  doors: Doors;
  settings: RunSettings;
  /** Version of the program, kept in the journal. */
  program: string;
  /** What was called: `migrate`, `export` … */
  command: string;
  /** What this command has warned of before its run was opened; the run keeps it, too. */
  warned?: readonly Warning[];
}

/** Work on one run: its context, its files. */
export interface Session {
  rc: RunContext;
  paths: RunPaths;
}

/**
 * Begins a run (or goes on with one), does `work` in it, and closes it: the journal ends with how it went, and
 * `report.json` is written. What `work` returns says whether the run is complete; a step command leaves it `ready` for the
 * next one, a rollback that left something behind `open`.
 * @throws RunFailure where the run goes on existing. A new one that failed before its first step is removed, and the
 * error comes as it is.
 */
export async function withRun(
  base: SessionBase,
  which: { resume: string } | { vm: RunState['vm'] },
  work: (session: Session) => Promise<'done' | 'ready' | 'open' | 'rolled_back'>,
): Promise<RunResult> {
  if (base.dry) return withoutRun(base, base.dry, which, work);
  const resumed = 'resume' in which;
  const open = resumed ? await base.store.reopen(which.resume, base.command) : await begin(base, which.vm);
  const state = foldJournal(open.journal.lines);
  if (!state) {
    await open.close();
    throw new StackferryError('run.empty', 'This run was cut off before it held anything.', {
      hint: 'Nothing was made by it. Begin a new one.',
    });
  }
  const progress = new ProgressFile(open.paths.progress, base.ctx.clock);
  const warnings = new WarningNotes(state, (entry) => rc.record(entry));
  const announce = once(() => {
    base.ctx.events.emit({ kind: 'run.started', run: state.run, vm: state.vm?.name ?? '', resumed });
  });
  const ctx: Context = {
    ...base.ctx,
    events: teeEvents(base.ctx.events, (event) => {
      // A new run is told of when its first step begins: before that it may be gone again.
      if (event.kind === 'step.started') announce();
      if (event.kind === 'warning') warnings.take(event);
      progress.listen(event);
    }),
  };
  const rc: RunContext = runContext({
    ctx,
    dir: open.paths.dir,
    stateDir: base.store.dir,
    state,
    journal: open.journal,
    settings: base.settings,
    measured: base.store.measured,
    host: once(() => sourceOf(base.doors, state, ctx)),
    cloud: once(async () => sameProject(state, await base.doors.cloud(ctx))),
  });
  const start = base.ctx.clock.now();
  const begun = open.journal.lines.length;
  if (resumed) announce();
  for (const warning of base.warned ?? []) warnings.take(warning);
  try {
    const said = await work({ rc, paths: open.paths });
    // A step that is asked for again on a finished run finds all done: the run stays finished.
    const stays = said === 'ready' && resumed && stateBefore(open, begun) === 'done';
    const end = stays ? 'done' : said;
    await warnings.settle();
    if (end !== 'open') await rc.record({ kind: 'run.closed', state: end });
    return await finish(rc, open, progress, start, end === 'done' ? 'done' : null);
  } catch (error) {
    await warnings.settle();
    const stopped = error instanceof InterruptedError || base.ctx.signal.aborted;
    if (!resumed && state.steps.size === 0) {
      await progress.close();
      await open.close();
      await rm(open.paths.dir, { recursive: true, force: true });
      if (!stopped) throw error;
      throw new InterruptedError('Stopped before the first step: nothing was made, and there is no run to go on with.');
    }
    const { code, message, hint } = describe(error);
    const told = { code, message, ...(hint === undefined ? {} : { hint }) };
    if (resumed && !hasWorked(open, begun)) {
      // A refused command, a wrong password, a host that is away: the run is what it was.
      const before = foldJournal(open.journal.lines.slice(0, begun - 1));
      if (before && before.state !== 'open') await rc.record(closing(before));
      throw new RunFailure(error, await finish(rc, open, progress, start, null), rc.state);
    }
    await rc.record({ kind: 'run.closed', state: stopped ? 'stopped' : 'failed', error: told });
    const result = await finish(rc, open, progress, start, stopped ? 'stopped' : 'failed');
    throw new RunFailure(error, result, rc.state);
  }
}

/** `--dry-run`: the same work on a state in memory. Nothing is opened, locked or written, and no step is run. */
async function withoutRun(
  base: SessionBase,
  dry: PlannedCall[],
  which: { resume: string } | { vm: RunState['vm'] },
  work: (session: Session) => Promise<unknown>,
): Promise<RunResult> {
  const state =
    'resume' in which
      ? await base.store.read(which.resume)
      : newState({ program: base.program, command: base.command, at: base.ctx.clock.now(), vm: which.vm });
  const paths = base.store.paths(state.run);
  const { ctx, settings, store, doors } = base;
  const of = { ctx, dir: paths.dir, stateDir: base.store.dir, state, settings, store, doors };
  const rc = inMemory({ ...of, sameProject, sourceOf, dry });
  await work({ rc, paths });
  return runResult(state);
}

/** Kinds of lines that plan or tell only; whatever else a session writes is work on the run. */
const PLANNING = new Set(['session', 'plan', 'warning']);

/** Whether this session, whose own line is the last of the first `begun`, did anything. */
function hasWorked(open: OpenRun, begun: number): boolean {
  return open.journal.lines.slice(begun).some((line) => !PLANNING.has(line.kind));
}

/** The line that closes a run as an earlier session left it. */
function closing(before: RunState): JournalEntry {
  const { error } = before;
  if (before.state === 'open') throw new Error('an open run is not closed');
  return {
    kind: 'run.closed',
    state: before.state,
    ...(error === null
      ? {}
      : { error: { code: error.code, message: error.message, ...(error.hint === null ? {} : { hint: error.hint }) } }),
  };
}

/** The state of the run before this session, whose own line is the last of the first `begun`. */
function stateBefore(open: OpenRun, begun: number): RunState['state'] | null {
  return foldJournal(open.journal.lines.slice(0, begun - 1))?.state ?? null;
}

/** An error that ended the work on a run, with what the run has come to. The program prints both. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure';
  /** The run's own state, with this error in it (also where the run is still what it was before). */
  readonly result: RunResult;
  /** Whether a rollback would find something: in the cloud, or staged here. */
  readonly undoable: boolean;
  constructor(cause: unknown, result: RunResult, state: RunState) {
    super(`run ${result.run} failed`, { cause });
    const { code, message, hint } = describe(cause);
    const error = { code, message, hint: hint ?? null };
    this.result = { ...result, vms: result.vms.map((vm) => ({ ...vm, error })) };
    const staged = section(state, 'source')?.ownDir === true && [...state.steps.keys()].some(isStaging);
    this.undoable = staged || state.resources.some((item) => !item.gone);
  }
}

function isStaging(key: string): boolean {
  return key.startsWith('export:') || key.startsWith('convert:');
}

async function finish(
  rc: RunContext,
  open: OpenRun,
  progress: ProgressFile,
  start: number,
  state: 'done' | 'failed' | 'stopped' | null,
): Promise<RunResult> {
  const result = runResult(rc.state);
  await progress.close();
  await writeAtomic(open.paths.report, `${JSON.stringify({ version: 1, ...result }, null, 2)}\n`);
  await open.close();
  if (state !== null) {
    const seconds = (rc.ctx.clock.now() - start) / 1000;
    rc.ctx.events.emit({ kind: 'run.finished', run: rc.run, vm: rc.state.vm?.name ?? '', state, seconds });
  }
  return result;
}

async function begin(base: SessionBase, vm: RunState['vm']): Promise<OpenRun> {
  const { open } = await base.store.create({ command: base.command, program: base.program, vm });
  return open;
}

/** What the disks of a run are read from: its host, or the files that it imports. */
export function sourceOf(doors: Doors, state: RunState, ctx: Context): Promise<EsxiHost> {
  const files = section(state, 'source')?.package;
  return files && doors.files ? doors.files(files, ctx) : doors.host(ctx);
}

/** A run belongs to one project of one cloud: its ids mean nothing elsewhere. */
export function sameProject(state: RunState, cloud: Cloud): Cloud {
  const known = cloudSection.safeParse(state.plan.get('cloud')).data;
  if (known && known.project_id !== cloud.project.id) {
    throw new StackferryError(
      'run.other_cloud',
      `Run ${state.run} belongs to project ${known.project_name} of ${known.auth_url}, not to ${cloud.project.name} of ${cloud.authUrl}.`,
      { hint: 'Use --os-cloud (or the OS_* variables) of that project.' },
    );
  }
  return cloud;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
