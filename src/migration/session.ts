import { rm } from 'node:fs/promises';
import { InterruptedError, StackferryError, teeEvents, type Context } from '../core/index.js';
import type { EsxiHost } from '../esxi/index.js';
import type { Cloud } from '../openstack/index.js';
import { runResult, type RunResult } from './result.js';
import { describe } from './runner.js';
import { foldJournal, type RunState } from './state/fold.js';
import { ProgressFile } from './state/progress.js';
import { writeAtomic, type OpenRun, type RunPaths, type RunStore } from './state/store.js';
import { cloudSection } from './plan/sections.js';
import type { RunSettings } from './steps/settings.js';
import { runContext, type RunContext } from './steps/step.js';

/** The doors to both sides; each is opened when it is first needed. */
export interface Doors {
  host: (ctx: Context) => Promise<EsxiHost>;
  cloud: (ctx: Context) => Promise<Cloud>;
}

export interface SessionBase {
  store: RunStore;
  ctx: Context;
  doors: Doors;
  settings: RunSettings;
  /** Version of the program, kept in the journal. */
  program: string;
  /** What was called: `migrate`, `export` … */
  command: string;
}

/** Work on one run: its context, its files. */
export interface Session {
  rc: RunContext;
  paths: RunPaths;
}

/**
 * Begins a run (or goes on with one), does `work` in it, and closes it: the journal ends with how it went, and
 * `report.json` is written. What `work` returns says whether the run is complete; a step command leaves it open.
 */
export async function withRun(
  base: SessionBase,
  which: { resume: string } | { vm: RunState['vm'] },
  work: (session: Session) => Promise<'done' | 'open' | 'rolled_back'>,
): Promise<RunResult> {
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
  const ctx: Context = { ...base.ctx, events: teeEvents(base.ctx.events, progress.listen) };
  const rc = runContext({
    ctx,
    state,
    journal: open.journal,
    settings: base.settings,
    host: once(() => base.doors.host(ctx)),
    cloud: once(async () => sameProject(state, await base.doors.cloud(ctx))),
  });
  const start = base.ctx.clock.now();
  const begun = open.journal.lines.length;
  ctx.events.emit({ kind: 'run.started', run: state.run, vm: state.vm?.name ?? '', resumed });
  try {
    const said = await work({ rc, paths: open.paths });
    // A step that is asked for again on a finished run finds all done: the run stays finished.
    const stays = said === 'open' && resumed && base.command !== 'rollback' && stateBefore(open, begun) === 'done';
    const end = stays ? 'done' : said;
    if (end !== 'open') await rc.record({ kind: 'run.closed', state: end });
    return await finish(rc, open, progress, start, end === 'done' ? 'done' : null);
  } catch (error) {
    if (!resumed && state.steps.size === 0) {
      // Nothing was begun, so there is nothing to go on with: a run that failed its checks leaves no trace.
      await progress.close();
      await open.close();
      await rm(open.paths.dir, { recursive: true, force: true });
      throw error;
    }
    // A session that did nothing (a refused rollback, a wrong password) leaves a finished run finished.
    const before = resumed && open.journal.lines.length === begun ? stateBefore(open, begun) : null;
    if (before === 'done' || before === 'rolled_back') {
      await rc.record({ kind: 'run.closed', state: before });
      throw new RunFailure(error, await finish(rc, open, progress, start, null));
    }
    const stopped = error instanceof InterruptedError || base.ctx.signal.aborted;
    const { code, message, hint } = describe(error);
    await rc.record({
      kind: 'run.closed',
      state: stopped ? 'stopped' : 'failed',
      error: { code, message, ...(hint === undefined ? {} : { hint }) },
    });
    const result = await finish(rc, open, progress, start, stopped ? 'stopped' : 'failed');
    throw new RunFailure(error, result);
  }
}

/** The state of the run before this session, whose own line is the last of the first `begun`. */
function stateBefore(open: OpenRun, begun: number): RunState['state'] | null {
  return foldJournal(open.journal.lines.slice(0, begun - 1))?.state ?? null;
}

/** An error that ended a run, with what the run has come to. The program prints both. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure';
  readonly result: RunResult;
  constructor(cause: unknown, result: RunResult) {
    super(`run ${result.run} failed`, { cause });
    this.result = result;
  }
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

/** A run belongs to one project of one cloud: its ids mean nothing elsewhere. */
function sameProject(state: RunState, cloud: Cloud): Cloud {
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

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
