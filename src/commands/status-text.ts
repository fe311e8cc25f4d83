import { formatBytes, formatRate, formatSeconds } from '../core/index.js';
import { runResult, type RunResult } from '../migration/result.js';
import type { RunState } from '../migration/state/fold.js';
import { readProgress, type Progress } from '../migration/state/progress.js';
import type { RunStore } from '../migration/state/store.js';
import { printable, render, renderTable, type Column, type Format } from '../ui/index.js';
import { printResult } from './results.js';

interface RunRow {
  run: string;
  vm: string | null;
  command: string;
  state: RunResult['state'];
  step: string | null;
  begun: string;
  updated: string;
}

const runColumns: Column<RunRow>[] = [
  { name: 'run', value: (row) => row.run },
  { name: 'vm', value: (row) => row.vm },
  { name: 'command', value: (row) => row.command },
  { name: 'state', value: (row) => row.state },
  { name: 'step', value: (row) => row.step },
  { name: 'begun', value: (row) => row.begun },
  { name: 'updated', value: (row) => row.updated },
];

/** All runs, a line each. As JSON: the newest run's result, with the list of all beside it. */
export async function printRuns(
  out: (text: string) => void,
  format: Format,
  store: RunStore,
  states: readonly RunState[],
): Promise<void> {
  const rows: RunRow[] = [];
  let newest: RunResult | undefined;
  for (const state of states) {
    newest = runResult(state, await store.worker(state.run));
    rows.push({
      run: state.run,
      vm: state.vm?.name ?? null,
      command: state.command,
      state: newest.state,
      step:
        [...state.steps].findLast(([, step]) => step.state !== 'done')?.[0] ?? [...state.steps.keys()].at(-1) ?? null,
      begun: state.openedAt,
      updated: state.updatedAt,
    });
  }
  out(await render(format, { ...(newest ?? { run: null, state: null, vms: [] }), runs: rows }, runColumns, rows));
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
  await printResult(out, 'table', result);
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
