import { quoteForHint } from '../core/index.js';
import { STDIN, isUrl } from './import/address.js';
import { runResult, type RunResult } from './result.js';
import type { RunState } from './state/fold.js';
import { phases, type Phase } from './steps/list.js';
import { runningOf } from './steps/running.js';
import { section } from './steps/step.js';
import { transferOf } from './steps/transfer.js';

/**
 * The state of a run as a person reads it: one that waits for its next step is `ready`. For programs that is `stopped`,
 * as the contract has no more words.
 */
export function shownState(state: RunState, worker: number | null = null): RunResult['state'] | 'ready' {
  return worker === null && state.state === 'ready' ? 'ready' : runResult(state, worker).state;
}

/** The command that goes on with a run, ready to be pasted; null where there is nothing to go on with. */
export function nextCommand(state: RunState, worker: number | null = null): string | null {
  const { run } = state;
  if (worker !== null) return `stackferry status ${run}`;
  if (state.state === 'rolled_back') return null;
  if (state.state === 'done') {
    const isMade = section(state, 'server')?.start !== false || state.steps.has('server');
    return isMade ? null : `stackferry server --run ${run}`;
  }
  const last = state.lastCommand;
  if (last === 'rollback') return `stackferry rollback ${run}`;
  if (state.vm === null) return isPhase(state.command) ? `stackferry ${state.command} --run ${run}` : null;
  if (last === 'migrate') return `stackferry migrate --resume --run ${run}`;
  if (last === 'import') return importCommand(state);
  const own = phasesOf(state);
  if (own.includes('export') && !isComplete(state, 'export')) return exportCommand(state);
  const next = own.find((phase) => !isComplete(state, phase));
  if (next === undefined) return null;
  // No server is made of a copy of a VM that ran on.
  if (next === 'server' && runningOf(state) !== null) return null;
  const partial = next !== 'convert' && isPartial(state) ? ' --partial' : '';
  return `stackferry ${next} --run ${run}${partial}`;
}

/** What came by stdin has to be sent again, and a link may have ended: only files can be opened without a word. */
function importCommand(state: RunState): string | null {
  const given = section(state, 'source')?.package?.given ?? [];
  if (given.length === 0) return null;
  if (given.includes(STDIN)) return 'stackferry import - < FILE.ova';
  if (!given.some(isUrl)) {
    return `stackferry migrate --resume --run ${state.run}`;
  }
  return `stackferry import ${given.map(quoteForHint).join(' ')}`;
}

/** `export` finds its run by what is copied and where to. */
export function exportCommand(state: RunState): string | null {
  const source = section(state, 'source');
  if (!source) return null;
  const words = [
    `--vm id:${source.vm.id} --esxi ${quoteForHint(source.host)}`,
    ...(source.port === 22 ? [] : [`--esxi-ssh-port ${source.port}`]),
    ...(source.user === 'root' ? [] : [`--esxi-user ${quoteForHint(source.user)}`]),
    ...(leftOut(state).length === 0 ? [] : source.labels.map((label) => `--disk ${quoteForHint(label)}`)),
    ...(source.ownDir ? [] : [`--output ${quoteForHint(source.outputDir)}`]),
    ...runningWords(state),
    ...(transferOf(state) === 'file' ? [`--disk-format ${section(state, 'images')?.[0]?.format ?? 'raw'}`] : []),
  ];
  return `stackferry export ${words.join(' ')}`;
}

function runningWords(state: RunState): string[] {
  const how = runningOf(state);
  if (how === null) return [];
  const { quiesce, datastore } = how;
  const where = datastore === null ? [] : [`--clone-datastore ${quoteForHint(datastore)}`];
  return ['--while-running', ...(quiesce ? ['--quiesce'] : []), ...where];
}

function isPhase(command: string): command is Phase {
  return phases.some((phase) => phase === command);
}

/** Keys of the steps of a phase begin so. */
const prefixes: Record<Phase, string> = {
  export: 'export:',
  convert: 'convert:',
  upload: 'image:',
  volume: 'volume:',
  server: 'server',
};

/** The phases that a run has: where its disks go in one pass, nothing is copied here, or nothing converted, or no image made. */
export function phasesOf(state: RunState): readonly Phase[] {
  const transfer = transferOf(state);
  if (transfer === 'staged') return phases;
  if (transfer === 'attached') return ['volume', 'server'];
  return [...(transfer === 'file' ? (['export'] as const) : []), 'upload', 'volume', 'server'];
}

/** What of a phase is not done yet: labels of disks, or steps. */
export function missingOf(state: RunState, phase: Phase): string[] {
  if (phase === 'server') {
    const steps = ['server', ...(state.plan.has('boot') ? ['boot'] : [])];
    return steps.filter((key) => state.steps.get(key)?.state !== 'done');
  }
  const labels = section(state, 'source')?.labels ?? [];
  const isAttached = transferOf(state) === 'attached';
  const prefix =
    isAttached && phase === 'volume'
      ? 'data:'
      : phase === 'export' && transferOf(state) === 'file'
        ? prefixes.convert
        : prefixes[phase];
  const missing = labels.filter((label) => state.steps.get(`${prefix}${label}`)?.state !== 'done');
  const last = phasesOf(state)[0];
  if (phase === last && state.plan.has('source') && state.steps.get('recheck')?.state !== 'done') {
    missing.push('the last look at the source');
  }
  return missing;
}

function isComplete(state: RunState, phase: Phase): boolean {
  return missingOf(state, phase).length === 0;
}

/** Section that notes that `--partial` was said. */
export const PARTIAL = 'partial';

/**
 * Whether a run has only some of its VM's disks and nobody has said that a server may be made of those: `migrate
 * --skip-disk` and `--partial` say so, `export --disk` does not.
 */
export function isPartial(state: RunState): boolean {
  return (
    state.command !== 'migrate' &&
    state.command !== 'import' &&
    leftOut(state).length > 0 &&
    state.plan.get(PARTIAL) !== true
  );
}

/** Labels of the VM's disks that the run does not move. */
export function leftOut(state: RunState): string[] {
  const source = section(state, 'source');
  return (source?.vm.disks ?? []).map(({ label }) => label).filter((label) => source?.labels.includes(label) === false);
}
