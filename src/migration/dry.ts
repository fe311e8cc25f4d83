import type { Context } from '../core/index.js';
import type { EsxiHost } from '../esxi/index.js';
import type { Cloud } from '../openstack/index.js';
import { applyLine, foldJournal, type RunState } from './state/fold.js';
import { JOURNAL_VERSION, type JournalEntry } from './state/journal-line.js';
import type { MeasuredTimes } from './measured/store.js';
import type { Doors } from './session.js';
import type { RunSettings } from './steps/settings.js';
import type { PlannedCall, RunContext } from './steps/step.js';

/**
 * A run without a journal, for `--dry-run` and for what nothing is kept of: what would be written is kept in memory, and
 * nothing is opened or locked.
 */

/** The word that stands for the id of a run that is never begun. */
export const DRY_RUN_ID = 'RUN';

/** The state of a run that is never begun. */
export function newState(of: { program: string; command: string; at: number; vm: RunState['vm'] }): RunState {
  const state = foldJournal([
    {
      kind: 'run.opened',
      at: new Date(of.at).toISOString(),
      version: JOURNAL_VERSION,
      run: DRY_RUN_ID,
      program: of.program,
      command: of.command,
      vm: of.vm,
    },
  ]);
  if (!state) throw new Error('an opened run has a state');
  return state;
}

/** The context of a run whose journal is this state alone. */
export function inMemory(of: {
  ctx: Context;
  dir: string;
  stateDir: string;
  state: RunState;
  settings: RunSettings;
  store: { measured: MeasuredTimes };
  doors: Doors;
  sameProject: (state: RunState, cloud: Cloud) => Cloud;
  sourceOf: (doors: Doors, state: RunState, ctx: Context) => Promise<EsxiHost>;
  /** Set for `--dry-run`: nothing is run. */
  dry?: PlannedCall[];
}): RunContext {
  const { ctx, state, settings, store, doors, dry } = of;
  return {
    ctx,
    run: state.run,
    dir: of.dir,
    stateDir: of.stateDir,
    state,
    settings,
    measured: store.measured,
    cache: {},
    ...(dry === undefined ? {} : { dry }),
    host: () => of.sourceOf(doors, state, ctx),
    cloud: async () => of.sameProject(state, await doors.cloud(ctx)),
    record: (entry: JournalEntry) => {
      // The spread loses the discriminant for the compiler; the entry came in with it.
      applyLine(state, { ...entry, at: new Date(ctx.clock.now()).toISOString() });
      return Promise.resolve();
    },
  };
}
