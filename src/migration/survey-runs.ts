import { z } from 'zod';
import { StackferryError } from '../core/index.js';
import { nextCommand } from './next-command.js';
import { runResult } from './result.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import type { UnreadableRun } from './state/unreadable.js';
import { section } from './steps/step.js';
import { strangeForm } from './strange-form.js';

/**
 * Every run, oldest first, as `status` shows them: a run whose journal can be read and whose steps or plan have a form
 * that this program does not know counts as one that cannot be read, and costs the others nothing.
 */
export async function surveyRuns(store: RunStore): Promise<{ runs: RunState[]; unreadable: UnreadableRun[] }> {
  const { runs, unreadable } = await store.survey();
  const readable: RunState[] = [];
  const strange: UnreadableRun[] = [];
  for (const state of runs) {
    const error = strangenessOf(state);
    if (error === null) readable.push(state);
    else strange.push(describe(state, store.paths(state.run).dir, error));
  }
  return { runs: readable, unreadable: [...unreadable, ...strange] };
}

/**
 * The state of one run, by its id or the beginning of it.
 * @throws StackferryError `run.unreadable` where what it holds has a form that this program does not know.
 */
export async function readRun(store: RunStore, idOrPrefix: string): Promise<RunState> {
  const state = await store.read(idOrPrefix);
  const error = strangenessOf(state);
  if (error) throw error;
  return state;
}

/** What of a run has another form than this program gives it; null where all can be shown. */
function strangenessOf(state: RunState): StackferryError | null {
  try {
    section(state, 'source');
    runResult(state);
    nextCommand(state);
    return null;
  } catch (error) {
    if (error instanceof StackferryError) return error;
    if (!(error instanceof z.ZodError)) throw error;
    return strangeForm(state.run, 'its plan', error);
  }
}

function describe(state: RunState, dir: string, error: StackferryError): UnreadableRun {
  return {
    run: state.run,
    dir,
    error: { code: error.code, message: error.message, hint: error.hint ?? null },
    opened: { at: state.openedAt, command: state.command, vm: state.vm },
    updatedAt: state.updatedAt,
  };
}
