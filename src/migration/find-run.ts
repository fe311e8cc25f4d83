import { UsageError, quoteForHint } from '../core/index.js';
import { fitting } from '../esxi/index.js';
import type { SourceAddress } from './migrate.js';
import { shownState } from './next-command.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import type { UnreadableRun } from './state/unreadable.js';
import { section } from './steps/step.js';

/** Which run is meant by `--run ID` and `--vm SELECTOR` of a command that goes on with one. */

export interface RunSelector {
  /** A run's id, or the beginning of it. */
  run?: string | undefined;
  /** Its VM: a name, a glob, `id:N` or `uuid:U`. */
  vm?: string | undefined;
}

/** Commands that go on with a run, as they are typed. */
export type RunCommand = 'migrate' | 'convert' | 'upload' | 'volume' | 'server' | 'rollback';

/** A beginning of an id that is shorter might be a slip, and a rollback cannot be taken back. */
const LEAST_FOR_ROLLBACK = 4;

/** Whether a run can be gone on with. */
export function isUnfinished(state: RunState): boolean {
  return state.state !== 'done' && state.state !== 'rolled_back';
}

/** Whether a run is complete but for its server, which `--no-start` left out. */
export function isWithoutServer(state: RunState): boolean {
  return state.state === 'done' && section(state, 'server')?.start === false && !state.steps.has('server');
}

/** The runs of the VMs that a selector fits, on any host. */
export function runsOfVm<T extends { vm: RunState['vm'] }>(runs: readonly T[], selector: string): T[] {
  const items = runs.flatMap((run) => (run.vm === null ? [] : [{ ...run.vm, run }]));
  return fitting(items, selector).map(({ run }) => run);
}

/**
 * The run that `--run ID` names, or the only one that can be gone on with of the VM that `--vm` names.
 * @throws UsageError where none or several fit, and where both options are given and do not agree.
 */
export async function findRun(store: RunStore, which: RunSelector, command: RunCommand): Promise<string> {
  if (which.run !== undefined) return (await namedRun(store, which.run, which.vm, command)).run;
  if (which.vm === undefined)
    throw new UsageError('No run is named.', 'Use --run ID or --vm NAME; list them with: stackferry status');
  return (await onlyRun(store, which.vm, command)).run;
}

/** The run that `--resume` means: the one of `--run`, or the only unfinished one of the VM (or of all). */
export async function runToResume(
  store: RunStore,
  which: RunSelector,
): Promise<{ run: string; address: SourceAddress | undefined }> {
  const state =
    which.run === undefined
      ? await onlyRun(store, which.vm, 'migrate')
      : await namedRun(store, which.run, which.vm, 'migrate');
  if (state.state === 'rolled_back')
    throw new UsageError(`Run ${state.run} was rolled back; there is nothing to resume.`);
  if (state.vm === null) {
    throw new UsageError(
      `Run ${state.run} was begun by ${state.command} on its own and moves no VM.`,
      `Look at it with: stackferry status ${state.run}`,
    );
  }
  const source = section(state, 'source');
  return {
    run: state.run,
    address: source && {
      host: source.host,
      port: source.port,
      user: source.user,
      ...(source.package === undefined ? {} : { package: source.package }),
    },
  };
}

async function namedRun(
  store: RunStore,
  named: string,
  vm: string | undefined,
  command: RunCommand,
): Promise<RunState> {
  const state = await store.read(named);
  if (command === 'rollback' && named.length < LEAST_FOR_ROLLBACK && named !== state.run) {
    throw new UsageError(
      `"${named}" is too short for what cannot be taken back.`,
      `Give at least ${LEAST_FOR_ROLLBACK} characters of the id, or all of it: stackferry rollback ${state.run}`,
    );
  }
  if (vm !== undefined && runsOfVm([state], vm).length === 0) {
    throw new UsageError(
      `Run ${state.run} is of ${state.vm?.name ?? 'no VM'}, not of --vm ${quoteForHint(vm)}.`,
      'Leave out one of the two.',
    );
  }
  return state;
}

async function onlyRun(store: RunStore, vm: string | undefined, command: RunCommand): Promise<RunState> {
  const { runs, unreadable } = await store.survey();
  const fits = vm === undefined ? runs.filter((state) => state.vm !== null) : runsOfVm(runs, vm);
  const open = fits.filter((state) => isUnfinished(state) || (command === 'server' && isWithoutServer(state)));
  const [only, ...more] = open;
  if (only && more.length === 0) return only;
  const subject = vm === undefined ? 'This machine' : `--vm ${quoteForHint(vm)}`;
  if (only) throw severalRuns(subject, open, command);
  throw noRun(vm, command, fits.at(-1), unreadable);
}

/** Several runs fit, of one VM or of several: all are named, and a command that works for the newest. */
export function severalRuns(subject: string, runs: readonly RunState[], command: RunCommand): UsageError {
  const newest = runs.at(-1);
  const oldest = runs[0];
  const goOn = newest ? goOnWith(newest.run, command) : '';
  const undo = command === 'rollback' || !oldest ? '' : `; or undo one: stackferry rollback ${oldest.run}`;
  return new UsageError(
    `${subject} has ${runs.length} unfinished runs: ${runs.map(describeRun).join(', ')}.`,
    `Name the one that is meant: ${goOn}${undo}`,
  );
}

/** `r1 (web01 on esx1, failed)`. */
function describeRun(state: RunState): string {
  const host = section(state, 'source')?.host;
  const where = host === undefined ? '' : ` on ${host}`;
  return `${state.run} (${state.vm?.name ?? state.command}${where}, ${shownState(state)})`;
}

function goOnWith(run: string, command: RunCommand): string {
  if (command === 'migrate') return `stackferry migrate --resume --run ${run}`;
  return command === 'rollback' ? `stackferry rollback ${run}` : `stackferry ${command} --run ${run}`;
}

function noRun(
  vm: string | undefined,
  command: RunCommand,
  finished: RunState | undefined,
  unreadable: readonly UnreadableRun[],
): UsageError {
  const of = vm === undefined ? '' : ` of ${vm}`;
  const message = `There is no unfinished run${of} to ${command === 'migrate' ? 'resume' : command}.`;
  const [hidden] = unreadable.filter(
    ({ opened }) => !opened || vm === undefined || (opened.vm && runsOfVm([{ vm: opened.vm }], vm).length > 0),
  );
  if (hidden) {
    return new UsageError(message, `Run ${hidden.run} cannot be read and may be the one. See: stackferry status`);
  }
  if (!finished) return new UsageError(message, 'List runs with: stackferry status');
  const ended = finished.state === 'done' ? 'is done' : 'was rolled back';
  return new UsageError(message, `Run ${finished.run} of it ${ended}. See: stackferry status ${finished.run}`);
}
