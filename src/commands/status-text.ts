import { formatBytes, formatRate, formatSeconds, quoteForHint } from '../core/index.js';
import { nextCommand, shownState } from '../migration/next-command.js';
import { runResult, type RunResult } from '../migration/result.js';
import type { RunState } from '../migration/state/fold.js';
import { readProgress, type Progress } from '../migration/state/progress.js';
import type { RunStore } from '../migration/state/store.js';
import type { UnreadableRun } from '../migration/state/unreadable.js';
import { section } from '../migration/steps/step.js';
import { printable, render, renderTable, type Column, type Format } from '../ui/index.js';
import { printResult } from './results.js';

interface RunRow {
  run: string;
  vm: string | null;
  /** As `--esxi` named it; null where the run read no host. */
  host: string | null;
  /** What began the run, and what worked on it last. */
  command: string;
  last_command: string;
  state: RunResult['state'] | 'unreadable';
  step: string | null;
  begun: string | null;
  updated: string | null;
  /** The command that goes on with it. */
  next: string | null;
  /** Why it cannot be read. */
  error: UnreadableRun['error'] | null;
}

/** For spreadsheets: all there is, uncut. */
const csvColumns: Column<RunRow>[] = [
  { name: 'run', value: (row) => row.run },
  { name: 'vm', value: (row) => row.vm },
  { name: 'command', value: (row) => row.command },
  { name: 'state', value: (row) => row.state },
  { name: 'step', value: (row) => row.step },
  { name: 'begun', value: (row) => row.begun },
  { name: 'updated', value: (row) => row.updated },
  { name: 'host', value: (row) => row.host },
  { name: 'last_command', value: (row) => row.last_command },
  { name: 'next', value: (row) => row.next },
  { name: 'error', value: (row) => row.error?.code ?? null },
];

/** For a person: a run that waits for its next step is `ready`, and the last command counts. */
const tableColumns = (shown: ReadonlyMap<string, string>): Column<RunRow>[] => [
  { name: 'run', value: (row) => row.run },
  { name: 'vm', value: (row) => row.vm, fit: true },
  { name: 'host', value: (row) => row.host, fit: true },
  { name: 'command', value: (row) => row.last_command },
  { name: 'state', value: (row) => shown.get(row.run) ?? row.state },
  { name: 'step', value: (row) => row.step },
  { name: 'begun', value: (row) => row.begun?.replace(/:\d\d(\.\d+)?Z$/, 'Z') ?? null },
  { name: 'next', value: (row) => row.next },
];

/**
 * All runs, a line each, those that cannot be read among them. As JSON: the newest readable run's result, with the list
 * of all beside it. `width` is that of the terminal; null cuts nothing.
 */
export async function printRuns(
  out: (text: string) => void,
  format: Format,
  store: RunStore,
  { runs, unreadable }: { runs: readonly RunState[]; unreadable: readonly UnreadableRun[] },
  width: number | null,
): Promise<void> {
  const rows: RunRow[] = [];
  const shown = new Map<string, string>();
  let newest: RunResult | undefined;
  for (const state of runs) {
    const worker = await store.worker(state.run);
    newest = runResult(state, worker);
    shown.set(state.run, shownState(state, worker));
    rows.push({
      run: state.run,
      vm: state.vm?.name ?? null,
      host: section(state, 'source')?.host ?? null,
      command: state.command,
      last_command: state.lastCommand,
      state: newest.state,
      step: stepOf(state),
      begun: state.openedAt,
      updated: state.updatedAt,
      next: nextCommand(state, worker),
      error: null,
    });
  }
  for (const { run, opened, updatedAt, error } of unreadable) {
    const command = opened?.command ?? '?';
    rows.push({
      run,
      vm: opened?.vm?.name ?? null,
      host: null,
      command,
      last_command: command,
      state: 'unreadable',
      step: null,
      begun: opened?.at ?? null,
      updated: updatedAt,
      next: null,
      error,
    });
  }
  // One that does not even say when it was begun counts from when it was written last.
  const age = (row: RunRow) => row.begun ?? row.updated ?? '';
  rows.sort((one, other) => age(one).localeCompare(age(other)));
  if (format === 'table') {
    out(await render(format, null, tableColumns(shown), rows, width));
    return;
  }
  out(await render(format, { ...(newest ?? { run: null, state: null, vms: [] }), runs: rows }, csvColumns, rows));
}

/** The lines that say why a run cannot be read, and what to do about it. */
export function unreadableText({ run, dir, error }: UnreadableRun): string {
  const hint = error.hint === null ? '' : ` ${printable(error.hint)}`;
  return (
    `${run} cannot be read: ${printable(error.message)} (${error.code})\n` +
    `  ${hint.trim()}${hint === '' ? '' : ' '}To take it off the list: mv ${quoteForHint(dir)} ~/\n`
  );
}

/** Where the run stands: the step that is not done, or the last one; none where all was undone. */
function stepOf(state: RunState): string | null {
  if (state.state === 'rolled_back') return null;
  return [...state.steps].findLast(([, step]) => step.state !== 'done')?.[0] ?? [...state.steps.keys()].at(-1) ?? null;
}

/** One run: the result as far as it has come, and where it is now. */
export async function printRun(
  out: (text: string) => void,
  format: Format,
  store: RunStore,
  state: RunState,
): Promise<void> {
  const worker = await store.worker(state.run);
  const progress = worker === null ? null : await readProgress(store.paths(state.run).progress);
  const result = runResult(state, worker);
  if (format !== 'table') {
    if (format === 'csv') await printResult(out, format, result);
    else
      out(
        await render(
          format,
          { ...result, steps: stepRows(state, worker), progress: progressOf(progress, worker) },
          [],
          [],
        ),
      );
    return;
  }
  out(renderTable(stepColumns, stepRows(state, worker)));
  if (progress) for (const line of taskLines(progress)) out(`${line}\n`);
  await printResult(out, 'table', result, state);
  const error = result.vms[0]?.error;
  if (error)
    out(
      `error    ${printable(error.message)} (${error.code})${error.hint === null ? '' : `\n         ${printable(error.hint)}`}\n`,
    );
  if (worker !== null) out(`worker   process ${worker}\n`);
}

interface StepRow {
  step: string;
  state: string;
  seconds: number | null;
}

const stepColumns: Column<StepRow>[] = [
  { name: 'step', value: (row) => row.step },
  { name: 'state', value: (row) => row.state },
  {
    name: 'seconds',
    value: (row) => (row.seconds === null ? null : Math.round(row.seconds * 10) / 10),
    align: 'right',
  },
];

function stepRows(state: RunState, worker: number | null): StepRow[] {
  return [...state.steps].map(([step, entry]) => ({
    step,
    state: entry.state === 'running' && worker === null ? 'cut off' : entry.state,
    seconds: entry.seconds,
  }));
}

function progressOf(progress: Progress | null, worker: number | null) {
  return progress === null ? null : { worker, at: progress.at, step: progress.step, tasks: progress.tasks };
}

function taskLines(progress: Progress): string[] {
  return progress.tasks.map((task) => {
    const label = `now      ${printable(task.label)}`;
    if (task.total === 0) return task.state === null ? label : `${label}: ${printable(task.state)}`;
    const percent = Math.floor((task.done / task.total) * 100);
    const left = task.rate > 0 ? `, ${formatSeconds((task.total - task.done) / task.rate)} left` : '';
    return `${label}: ${percent} % (${formatBytes(task.done)} of ${formatBytes(task.total)}), ${formatRate(task.rate)}${left}`;
  });
}
