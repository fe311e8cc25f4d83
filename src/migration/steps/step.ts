import type { Context, ResourceKind } from '../../core/index.js';
import type { EsxiHost, SourceDisks, VmRecord } from '../../esxi/index.js';
import type { Cloud } from '../../openstack/index.js';
import { sections, type Section, type SectionName } from '../plan/sections.js';
import { applyLine, type MadeResource, type RunState } from '../state/fold.js';
import type { MeasuredTimes } from '../measured/store.js';
import type { RunSettings } from './settings.js';
import type { JournalEntry } from '../state/journal-line.js';
import type { Journal } from '../state/journal.js';

/** What a step is given. */
export interface RunContext {
  readonly ctx: Context;
  readonly run: string;
  /** Folder of the run's own files. */
  readonly dir: string;
  /** Folder of all runs and of what they share. */
  readonly stateDir: string;
  readonly state: RunState;
  readonly settings: RunSettings;
  /** What runs have measured of clouds. */
  readonly measured: MeasuredTimes;
  /** What this process knows and a later one can look up again. */
  readonly cache: { disks?: SourceDisks };
  /** Set by `--dry-run`: nothing is run, and what would be changed is collected here, in order. */
  readonly dry?: PlannedCall[];
  /** Writes a line to the journal (flushed) and takes it into `state`. */
  record(entry: JournalEntry): Promise<void>;
  /** The source host; connected when first asked for. */
  host(): Promise<EsxiHost>;
  /** The target cloud; logged in when first asked for. */
  cloud(): Promise<Cloud>;
}

/** One unit of work, safe to run again. */
export interface Step {
  /** Unique in its run: `volume:scsi0:0`. Marks what it makes in the cloud. */
  readonly key: string;
  readonly kind: string;
  /** For a person: "volume web01-scsi0:0". */
  readonly subject: string;
  /** Keys of the steps whose results it reads. */
  readonly needs: readonly string[];
  /** Does the work; returns what later steps and the report read, and a summary for a person. */
  run(rc: RunContext): Promise<StepOutcome>;
  /** Whether an earlier result still holds. Asked only where a step that is still to run needs it. */
  holds?(rc: RunContext, result: unknown): Promise<boolean>;
  /** What `run` would change, in order, and does not: for `--dry-run`. A step that only reads has none. */
  preview?(rc: RunContext): Promise<PlannedCall[]>;
  /** Removes what the step made. Safe to run again. */
  undo?(rc: RunContext): Promise<void>;
}

/** One change that a step would make. Ids of what is not made yet are words as `VOLUME_scsi0_0`. */
export interface PlannedCall {
  step: string;
  /** `compute`, `image` …; `esxi` for a command on the host, `local` for a file on this machine. */
  service: string;
  /** Of HTTP; `SSH` for the host, `WRITE` or `DELETE` for a file. */
  method: string;
  /** Of the URL, without host; the command line on the host; the file's path. */
  path: string;
  /** The JSON that would be sent, a word for content that is no JSON, or null. */
  body: unknown;
}

/** The word that stands for the id of what a step would make. */
export function placeholder(kind: ResourceKind, label: string): string {
  return `${kind.toUpperCase()}_${label.replace(/[^A-Za-z0-9]+/g, '_')}`;
}

export interface StepOutcome {
  result: unknown;
  summary: string;
}

/** Makes the context of a run from its open journal. */
export function runContext(base: {
  ctx: Context;
  dir: string;
  stateDir: string;
  state: RunState;
  journal: Journal;
  settings: RunSettings;
  measured: MeasuredTimes;
  host: () => Promise<EsxiHost>;
  cloud: () => Promise<Cloud>;
}): RunContext {
  return {
    ctx: base.ctx,
    run: base.state.run,
    dir: base.dir,
    stateDir: base.stateDir,
    state: base.state,
    settings: base.settings,
    measured: base.measured,
    cache: {},
    host: base.host,
    cloud: base.cloud,
    record: async (entry) => {
      await base.journal.append(entry);
      const last = base.journal.lines.at(-1);
      if (last) applyLine(base.state, last);
    },
  };
}

/** A part of the plan, or undefined where it was not resolved yet. */
export function section<N extends SectionName>(state: RunState, name: N): Section<N> | undefined {
  const value = state.plan.get(name);
  // Each schema parses to its own section; the lookup by a generic name hides that from the compiler.
  return value === undefined ? undefined : (sections[name].parse(value) as Section<N>);
}

/** A part of the plan that must be there. */
export function needSection<N extends SectionName>(state: RunState, name: N): Section<N> {
  const value = section(state, name);
  if (value === undefined) throw new Error(`run ${state.run} has no section ${name}`);
  return value;
}

/** What this step made and is still there, newest last. */
export function madeBy(state: RunState, step: string, resource: ResourceKind): MadeResource[] {
  return state.resources.filter((item) => item.step === step && item.resource === resource && !item.gone);
}

/** The source VM of the run. */
export function sourceVm(state: RunState): VmRecord {
  return needSection(state, 'source').vm;
}
