import { UsageError } from '../core/index.js';
import type { MigrateRequest, SourceAddress, SourceRequest } from './migrate.js';
import { chooseDisks, readSource } from './read-source.js';
import { runResult } from './result.js';
import type { SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import { section } from './steps/step.js';

/** Which run a command works on. */

/** Which run to work on: the one that was named, the VM's unfinished one, or a new one. */
export async function openOrBegin(
  base: SessionBase,
  request: MigrateRequest,
): Promise<{ resume: string } | { vm: RunState['vm'] } | { done: RunState }> {
  if (request.resume !== undefined) return { resume: request.resume };
  const host = await base.doors.host(base.ctx);
  const { vm } = await readSource(host, request.source.selector);
  const key = { id: vm.id, uuid: vm.uuid, host: request.source.address.host };
  const done = request.again ? undefined : await standingRun(base, key);
  if (done) {
    const message = `${vm.name} was migrated by run ${done.run}, and what it made is there; nothing was made now. Another one: --again`;
    base.ctx.events.emit({ kind: 'notice', message });
    return { done };
  }
  if (request.again) return { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
  // A run that moves other disks, or stages them elsewhere, is not the one that is asked for now.
  const wanted = chooseDisks(vm, diskChoice(request.source)).join();
  const { outputDir } = request.source;
  const open = (await openRunsOf(base, key)).filter((state) => {
    const source = section(state, 'source');
    return (
      source === undefined || (source.labels.join() === wanted && (outputDir ?? source.outputDir) === source.outputDir)
    );
  });
  const last = open.at(-1);
  if (open.length > 1) throw severalRuns(vm.name, open);
  if (last) {
    base.ctx.events.emit({
      kind: 'notice',
      message: `Going on with run ${last.run} of ${vm.name}, begun ${last.openedAt}.`,
    });
    return { resume: last.run };
  }
  return { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
}

/** Unfinished runs of a VM of a host, oldest first. */
export async function openRunsOf(
  base: SessionBase,
  vm: { id: string; uuid: string | null; host: string },
): Promise<RunState[]> {
  const runs = await base.store.list();
  return runs.filter((state) => isUnfinished(state) && isRunOf(state, vm));
}

/** The newest finished migration of a VM into this project whose server still exists. */
async function standingRun(
  base: SessionBase,
  vm: { id: string; uuid: string | null; host: string },
): Promise<RunState | undefined> {
  const runs = (await base.store.list()).filter((state) => state.state === 'done' && isRunOf(state, vm));
  if (runs.length === 0) return undefined;
  const cloud = await base.doors.cloud(base.ctx);
  for (const state of runs.toReversed()) {
    if (section(state, 'cloud')?.project_id !== cloud.project.id) continue;
    const [vm] = runResult(state).vms;
    const server = vm?.server_id ?? null;
    const volume = vm?.volumes[0]?.volume_id;
    if (
      server !== null ? await cloud.servers.find(server) : volume !== undefined && (await cloud.volumes.find(volume))
    ) {
      return state;
    }
  }
  return undefined;
}

/** Whether a run can be gone on with. */
export function isUnfinished(state: RunState): boolean {
  return state.state !== 'done' && state.state !== 'rolled_back';
}

function isRunOf(state: RunState, vm: { id: string; uuid: string | null; host: string }): boolean {
  const source = section(state, 'source');
  return state.vm?.id === vm.id && state.vm.uuid === vm.uuid && (source === undefined || source.host === vm.host);
}

export function severalRuns(name: string, runs: readonly RunState[]): UsageError {
  return new UsageError(
    `${name} has ${runs.length} unfinished runs: ${runs.map((state) => state.run).join(', ')}.`,
    'Name one with --run ID, or undo one with: stackferry rollback ID',
  );
}

/** The choice of disks in the words of {@link chooseDisks}. */
export function diskChoice(request: SourceRequest): { only?: string[]; skip?: string[] } {
  return {
    ...(request.onlyDisks === undefined ? {} : { only: request.onlyDisks }),
    ...(request.skipDisks === undefined ? {} : { skip: request.skipDisks }),
  };
}

/** The run that `--resume` means: the one of `--run`, or the only unfinished one of the VM (or of all). */
export async function runToResume(
  store: RunStore,
  which: { run?: string | undefined; vm?: string | undefined },
): Promise<{ run: string; address: SourceAddress | undefined }> {
  const fits = (state: RunState) =>
    which.vm === undefined || state.vm?.name === which.vm || `id:${state.vm?.id ?? ''}` === which.vm;
  let state: RunState;
  if (which.run !== undefined) {
    state = await store.read(which.run);
  } else {
    const open = (await store.list()).filter((item) => item.vm !== null && isUnfinished(item) && fits(item));
    const [only, ...more] = open;
    if (!only) {
      const of = which.vm === undefined ? '' : ` of ${which.vm}`;
      throw new UsageError(`There is no unfinished run${of} to resume.`, 'List runs with: stackferry status');
    }
    if (more.length > 0) throw severalRuns(which.vm ?? 'This machine', open);
    state = only;
  }
  if (state.state === 'rolled_back')
    throw new UsageError(`Run ${state.run} was rolled back; there is nothing to resume.`);
  const source = section(state, 'source');
  return {
    run: state.run,
    address: source && { host: source.host, port: source.port, user: source.user },
  };
}
/** A run that `export` may go on with: same host and folder, nothing beyond the copy begun. */
export function isHalfExported(state: RunState, request: SourceRequest): boolean {
  const source = section(state, 'source');
  if (!source || state.command !== 'export' || !isUnfinished(state)) return false;
  const sameFolder = request.outputDir === undefined ? source.ownDir : source.outputDir === request.outputDir;
  const sameDisks = request.onlyDisks === undefined || request.onlyDisks.join() === source.labels.join();
  const complete = state.steps.get('recheck')?.state === 'done';
  return source.host === request.address.host && sameFolder && sameDisks && !complete;
}

/** The run that `--run ID` names, or the only unfinished one of the VM that `--vm NAME` names. */
export async function findRun(
  store: RunStore,
  which: { run?: string | undefined; vm?: string | undefined },
): Promise<string> {
  if (which.run !== undefined) return store.resolveId(which.run);
  if (which.vm === undefined)
    throw new UsageError('No run is named.', 'Use --run ID or --vm NAME; list them with: stackferry status');
  const wanted = which.vm;
  const fits = (state: RunState) =>
    state.vm !== null &&
    (state.vm.name === wanted ||
      `id:${state.vm.id}` === wanted ||
      `uuid:${state.vm.uuid ?? ''}` === wanted.toLowerCase());
  const open = (await store.list()).filter((state) => fits(state) && isUnfinished(state));
  const [only, ...more] = open;
  if (!only) throw new UsageError(`There is no unfinished run of ${wanted}.`, 'List runs with: stackferry status');
  if (more.length > 0) throw severalRuns(wanted, open);
  return only.run;
}
