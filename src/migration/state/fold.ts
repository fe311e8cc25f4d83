import type { ResourceKind } from '../../core/index.js';
import type { JournalLine } from './journal-line.js';

/** Something the run announced or made. `id` is null while only the intent is known. */
export interface MadeResource {
  step: string;
  resource: ResourceKind;
  name: string;
  id: string | null;
  /** Deleted by us, or seen to be gone. */
  gone: boolean;
}

export interface StepState {
  state: 'running' | 'done' | 'failed';
  startedAt: string;
  seconds: number | null;
  result: unknown;
  error: { code: string; message: string; hint: string | null } | null;
}

/** The state of a run: what its journal says, folded. */
export interface RunState {
  run: string;
  /** What began the run, and what worked on it last. */
  command: string;
  lastCommand: string;
  openedAt: string;
  updatedAt: string;
  vm: { id: string; name: string; uuid: string | null } | null;
  plan: Map<string, unknown>;
  steps: Map<string, StepState>;
  resources: MadeResource[];
  /** Ids of servers that were asked to start. */
  startedServers: Set<string>;
  /**
   * `open` until a line closes it; a new session opens it again. `ready`: a step command did what it was asked for, and
   * the run waits for the next one.
   */
  state: 'open' | 'ready' | 'done' | 'failed' | 'stopped' | 'rolled_back';
  error: { code: string; message: string; hint: string | null } | null;
  warnings: { code: string; message: string }[];
}

/** Folds the lines of a journal into the state of the run. Null when not even its first line was written. */
export function foldJournal(lines: readonly JournalLine[]): RunState | null {
  const first = lines[0];
  if (first?.kind !== 'run.opened') return null;
  const state: RunState = {
    run: first.run,
    command: first.command,
    lastCommand: first.command,
    openedAt: first.at,
    updatedAt: first.at,
    vm: first.vm,
    plan: new Map(),
    steps: new Map(),
    resources: [],
    startedServers: new Set(),
    state: 'open',
    error: null,
    warnings: [],
  };
  for (const line of lines) applyLine(state, line);
  return state;
}

/** Takes one more line into the state. */
export function applyLine(state: RunState, line: JournalLine): void {
  state.updatedAt = line.at;
  switch (line.kind) {
    case 'run.opened':
      break;
    case 'plan':
      state.plan.set(line.section, line.value);
      break;
    case 'intent':
      if (!findResource(state, line.step, line.resource, line.name, line.id ?? null)) {
        state.resources.push({
          step: line.step,
          resource: line.resource,
          name: line.name,
          id: line.id ?? null,
          gone: false,
        });
      }
      break;
    case 'made': {
      const known = findResource(state, line.step, line.resource, line.name, line.id);
      if (known) known.id = line.id;
      else
        state.resources.push({ step: line.step, resource: line.resource, name: line.name, id: line.id, gone: false });
      break;
    }
    case 'gone':
      for (const item of state.resources) if (item.resource === line.resource && item.id === line.id) item.gone = true;
      break;
    case 'server.started':
      state.startedServers.add(line.id);
      break;
    case 'step.started':
      state.steps.set(line.step, { state: 'running', startedAt: line.at, seconds: null, result: null, error: null });
      break;
    case 'step.done': {
      const before = state.steps.get(line.step);
      state.steps.set(line.step, {
        state: 'done',
        startedAt: before?.startedAt ?? line.at,
        seconds: line.seconds,
        result: line.result,
        error: null,
      });
      break;
    }
    case 'step.failed': {
      const before = state.steps.get(line.step);
      const error = { code: line.code, message: line.message, hint: line.hint ?? null };
      state.steps.set(line.step, {
        state: 'failed',
        startedAt: before?.startedAt ?? line.at,
        seconds: null,
        result: null,
        error,
      });
      break;
    }
    case 'step.reset':
      state.steps.delete(line.step);
      break;
    case 'session':
      state.lastCommand = line.command;
      state.state = 'open';
      state.error = null;
      break;
    case 'run.closed':
      state.state = line.state;
      state.error = line.error
        ? { code: line.error.code, message: line.error.message, hint: line.error.hint ?? null }
        : null;
      break;
    case 'warning':
      state.warnings.push({ code: line.code, message: line.message });
      break;
  }
}

/** The live resource that an intent or result speaks of: same step, and the id where both know one. */
function findResource(
  state: RunState,
  step: string,
  resource: ResourceKind,
  name: string,
  id: string | null,
): MadeResource | undefined {
  return state.resources.find(
    (item) =>
      item.step === step &&
      item.resource === resource &&
      !item.gone &&
      (item.id === null || id === null ? item.name === name : item.id === id),
  );
}
