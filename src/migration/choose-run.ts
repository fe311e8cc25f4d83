import { StackferryError, UsageError, quoteForHint } from '../core/index.js';
import type { VmRecord } from '../esxi/index.js';
import { isUnfinished, isWithoutServer, severalRuns } from './find-run.js';
import { assertFolderFree } from './output-folder.js';
import { isPartial, leftOut, missingOf } from './next-command.js';
import type { MigrateRequest, SourceRequest } from './migrate.js';
import type { MappingOptions } from './plan/options.js';
import type { SourceSection } from './plan/sections.js';
import { chooseDisks, readSource } from './read-source.js';
import { runResult } from './result.js';
import type { SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { UnreadableRun } from './state/unreadable.js';
import { runningOf } from './steps/running.js';
import { section } from './steps/step.js';
import { transferOf } from './steps/transfer.js';

/** Which run `migrate` and `export` work on, once the VM is known. */

/** A VM of a host, as the runs know it. */
interface VmKey {
  id: string;
  uuid: string | null;
  name: string;
  /** As it was named in `--esxi`. */
  host: string;
}

/** What `migrate` works on: a run that is there (with options that go with it), a new one, or nothing any more. */
export type RunChoice =
  { resume: string; options?: Partial<MappingOptions> } | { vm: RunState['vm'] } | { done: RunState };

/**
 * Which run to work on: the one that was named, the VM's unfinished one, or a new one.
 * @throws StackferryError `run.disks_changed` where the VM has a disk that it had not when its run began;
 * `run.unreadable` where a run that cannot be read may be of this VM; `usage` where several unfinished ones fit;
 * `output.in_use` where a run would begin in a folder that holds another VM's disks.
 */
export async function openOrBegin(base: SessionBase, request: MigrateRequest): Promise<RunChoice> {
  if (request.resume !== undefined) return { resume: request.resume };
  const host = await base.doors.host(base.ctx);
  const { vm } = await readSource(host, request.source.selector);
  const begin = { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
  const key = { ...begin.vm, host: request.source.address.host };
  const { runs, unreadable } = await base.store.survey();
  if (request.again) {
    assertFolder(runs, vm, request.source);
    return begin;
  }
  const notice = (message: string) => base.ctx.events.emit({ kind: 'notice', message });
  const own = runs.filter((state) => isRunOf(state, key));

  const standing = await standingRun(base, own);
  if (standing && isWithoutServer(standing) && request.options.start !== false) {
    notice(`Going on with run ${standing.run} of ${vm.name}, which made all but the server (--no-start).`);
    // Of a plan file the server is a part; other options would be refused there.
    return { resume: standing.run, ...(standing.plan.has('planned') ? {} : { options: { start: true } }) };
  }
  if (standing) {
    notice(
      `${vm.name} was migrated by run ${standing.run}, and what it made is there; nothing was made now. Another one: --again`,
    );
    return { done: standing };
  }

  // Of a copy that was made while the VM ran no server is made.
  const open = own.filter((state) => isUnfinished(state) && runningOf(state) === null);
  const found = openRunOf(open, vm, request.source);
  if (found) {
    notice(`Going on with run ${found.run} of ${vm.name}, begun ${found.openedAt}.`);
    return { resume: found.run };
  }
  assertNoneHidden(unreadable, key, ', or make another server without regard to it: --again');
  assertFolder(runs, vm, request.source);
  for (const state of open) {
    const source = section(state, 'source');
    if (source) notice(`Run ${state.run} of ${vm.name} is unfinished, too: ${otherwise(source, request.source)}.`);
  }
  return begin;
}

/** The only unfinished run that moves what is asked for now. */
function openRunOf(open: readonly RunState[], vm: VmRecord, request: SourceRequest): RunState | undefined {
  const wanted = chooseDisks(vm, diskChoice(request));
  const sameFolder = (source: SourceSection) => (request.outputDir ?? source.outputDir) === source.outputDir;
  const same = open.filter((state) => {
    const source = section(state, 'source');
    return source && source.labels.join() === wanted.join() && sameFolder(source);
  });
  const last = same.at(-1);
  if (same.length > 1) throw severalRuns(vm.name, same, 'migrate');
  if (last) return last;
  for (const state of open.toReversed()) {
    const source = section(state, 'source');
    if (!source || !sameFolder(source)) continue;
    const fresh = freshDisks(source, wanted);
    const before = wanted.filter((label) => !fresh.includes(label));
    if (fresh.length > 0 && before.join() === source.labels.join()) throw newDisks(state.run, source, fresh);
  }
  // One that was cut off before it knew its disks has made nothing yet.
  return open.findLast((state) => section(state, 'source') === undefined);
}

function assertFolder(runs: readonly RunState[], vm: VmRecord, request: SourceRequest): void {
  const key = { id: vm.id, uuid: vm.uuid, host: request.address.host };
  assertFolderFree(runs, {
    name: vm.name,
    owns: (state) => isRunOf(state, key),
    outputDir: request.outputDir,
    labels: chooseDisks(vm, diskChoice(request)),
  });
}

/** How a run differs from what is asked for now. */
function otherwise(source: SourceSection, request: SourceRequest): string {
  const elsewhere = request.outputDir !== undefined && request.outputDir !== source.outputDir;
  return elsewhere ? `it stages its disks in ${source.outputDir}` : `it moves ${source.labels.join(', ')}`;
}

/**
 * Refuses to go on with a run whose VM has got a disk since, so that no set of disks is moved that nobody asked for;
 * a run that `export --disk` limited, unless the others are left behind on purpose; and a choice that is not the run's.
 * @throws StackferryError `run.disks_changed`, `run.partial` (exit code 2); UsageError.
 */
export function assertDisksOfRun(state: RunState, vm: VmRecord, request: SourceRequest): void {
  const source = section(state, 'source');
  if (!source) return;
  const wanted = chooseDisks(vm, diskChoice(request));
  const fresh = freshDisks(source, wanted);
  if (fresh.length > 0) throw newDisks(state.run, source, fresh);
  // `export --disk` was no word about what a server is to have.
  const forgotten = isPartial(state) && request.onlyDisks === undefined ? leftOut(state) : [];
  if (forgotten.some((label) => request.skipDisks?.includes(label) !== true)) {
    throw partialRun(
      state,
      `stackferry migrate --resume --run ${state.run} ${forgotten.map((label) => `--skip-disk ${label}`).join(' ')}`,
    );
  }
  const moved = source.labels.filter((label) => request.skipDisks?.includes(label));
  if (moved.length === 0) return;
  throw new UsageError(
    `--skip-disk ${moved.join(', ')} comes too late: run ${state.run} moves ${source.labels.join(', ')}.`,
    `Leave it out, or undo the run first: stackferry rollback ${state.run}`,
  );
}

/** Labels that the VM had not when the run began. */
function freshDisks(source: SourceSection, wanted: readonly string[]): string[] {
  return wanted.filter((label) => !source.vm.disks.some((disk) => disk.label === label));
}

function newDisks(run: string, source: SourceSection, fresh: readonly string[]): StackferryError {
  const skips = fresh.map((label) => `--skip-disk ${label}`).join(' ');
  const them = fresh.length === 1 ? 'it' : 'them';
  return new StackferryError(
    'run.disks_changed',
    `${source.vm.name} has got ${fresh.join(', ')} since run ${run} began, which moves ${source.labels.join(', ')}.`,
    {
      hint:
        `To move ${them}, too, undo the run and begin anew: stackferry rollback ${run}. ` +
        `To leave ${them} behind: stackferry migrate --resume --run ${run} ${skips}`,
      exitCode: 2,
    },
  );
}

/** A run without all disks of its VM, of which nobody has said that a server may be made of them. */
export function partialRun(state: RunState, wayOut: string): StackferryError {
  const name = state.vm?.name ?? 'its VM';
  const without = leftOut(state).join(', ');
  return new StackferryError(
    'run.partial',
    `Run ${state.run} has not all disks of ${name}: export --disk left out ${without}.`,
    {
      hint: `To leave them behind on purpose: ${wayOut}. To move them, too: stackferry export --vm ${quoteForHint(name)}`,
      exitCode: 2,
    },
  );
}

/** The newest finished migration into this project of which the server (or the volumes, without one) still exist. */
async function standingRun(base: SessionBase, own: readonly RunState[]): Promise<RunState | undefined> {
  const runs = own.filter((state) => state.state === 'done');
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

function isRunOf(state: RunState, vm: Omit<VmKey, 'name'>): boolean {
  const source = section(state, 'source');
  return state.vm?.id === vm.id && state.vm.uuid === vm.uuid && (source === undefined || source.host === vm.host);
}

/**
 * Refuses to begin a run while one that cannot be read may be of this VM: what it made would be made twice.
 * @param more a further way out, after "move it away"
 * @throws StackferryError `run.unreadable` (exit code 3).
 */
export function assertNoneHidden(unreadable: readonly UnreadableRun[], vm: Omit<VmKey, 'host'>, more = ''): void {
  const hidden = unreadable.find(({ opened }) => opened === null || (opened.vm !== null && mayBe(opened.vm, vm)));
  if (!hidden) return;
  const of = hidden.opened ? `is of ${vm.name}` : `may be of ${vm.name}`;
  const newer = hidden.error.code === 'run.newer_version' ? 'Go on with the version that wrote it, or move' : 'Move';
  throw new StackferryError(
    'run.unreadable',
    `Run ${hidden.run} ${of} and cannot be read, so no other is begun. ${hidden.error.message}`,
    {
      hint: `${newer} its folder away (what it made carries stackferry_run=${hidden.run} in the cloud): mv ${quoteForHint(hidden.dir)} ~/${more}`,
      exitCode: 3,
    },
  );
}

/** The first line of a journal does not say the host, so the same id and uuid on another one may be meant as well. */
function mayBe(one: NonNullable<RunState['vm']>, other: Omit<VmKey, 'host'>): boolean {
  return one.id === other.id && (one.uuid === other.uuid || one.uuid === null || other.uuid === null);
}

/** The choice of disks in the words of {@link chooseDisks}. */
export function diskChoice(request: SourceRequest): { only?: string[]; skip?: string[] } {
  return {
    ...(request.onlyDisks === undefined ? {} : { only: request.onlyDisks }),
    ...(request.skipDisks === undefined ? {} : { skip: request.skipDisks }),
  };
}

/**
 * The run that `export` goes on with: same host, disks and folder, its copy not complete, or the conversion behind it
 * failed. One that writes images of another format than this (null: the files as they lie) is none.
 * @throws StackferryError `output.in_use` where there is none, and the folder holds another VM's disks.
 */
export function halfExportedRun(
  runs: readonly RunState[],
  vm: VmRecord,
  request: SourceRequest,
  toFile: 'raw' | 'qcow2' | null = null,
): RunState | undefined {
  const key = { id: vm.id, uuid: vm.uuid, host: request.address.host };
  const wanted = chooseDisks(vm, diskChoice(request)).join();
  const found = runs.findLast((state) => {
    const source = section(state, 'source');
    if (!source || state.command !== 'export' || !isUnfinished(state) || !isRunOf(state, key)) return false;
    const sameFolder = request.outputDir === undefined ? source.ownDir : source.outputDir === request.outputDir;
    const format = section(state, 'images')?.[0]?.format ?? toFile;
    // A VM that runs is another one by now.
    if (runningOf(state) !== null && missingOf(state, 'export').length === 0) return hasFailedConversion(state);
    if (transferOf(state) === 'file' && (toFile === null || format !== toFile)) return false;
    const goesOn =
      transferOf(state) === 'file'
        ? // The source is looked at again, and what is there is given again, unless the run has gone further.
          missingOf(state, 'export').length > 0 || ![...state.steps.keys()].some((key) => key.startsWith('image:'))
        : state.steps.get('recheck')?.state !== 'done' || hasFailedConversion(state);
    return sameFolder && source.labels.join() === wanted && goesOn;
  });
  if (!found) assertFolder(runs, vm, request);
  return found;
}

/** What was copied stands; `export --disk-format` or `convert` could not make an image of it. */
function hasFailedConversion(state: RunState): boolean {
  return (
    state.state === 'failed' &&
    [...state.steps].some(([key, step]) => key.startsWith('convert:') && step.state === 'failed')
  );
}
