import { UsageError } from '../core/index.js';
import { readInventory, type InventoryWithFindings } from '../migration/read-inventory.js';
import type { PlanDocument } from '../migration/plan/document/index.js';
import {
  buildReport,
  parseSavedInventory,
  targetsOfPlan,
  type Report,
  type RunInput,
} from '../migration/report/index.js';
import { foldJournal } from '../migration/state/fold.js';
import { readJournal } from '../migration/state/journal.js';
import { readInventoryText, warnOfAge } from './options/inventory-file.js';
import type { SourceOptions } from './options/source.js';
import { sourceTarget } from './options/source.js';
import type { Tools } from './tools.js';

export interface ReportRequest {
  /** Ids of runs, or their beginnings. */
  runs: readonly string[];
  /** Of a saved inventory; `-` for stdin. */
  file: string | undefined;
  /** Read the host itself. */
  host: SourceOptions | undefined;
  selectors: readonly string[] | undefined;
  rate: number | undefined;
  /** Whose targets are shown of VMs that no run has moved. */
  plan: PlanDocument | undefined;
}

/** Reads what the report is made of, and makes it. */
export async function collectReport(tools: Tools, request: ReportRequest): Promise<Report> {
  const { app, ctx } = tools;
  const runs: RunInput[] = [];
  for (const id of request.runs) runs.push(await readRun(tools, id));
  let inventory: InventoryWithFindings | null = null;
  let source: Report['source'] = { kind: 'run', name: runs.map(({ state }) => state.run).join(', '), saved_at: null };
  if (request.file !== undefined) {
    const name = request.file === '-' ? 'stdin' : request.file;
    const saved = parseSavedInventory(await readInventoryText(app.cwd, request.file), name);
    await warnOfAge(ctx, saved.savedAt);
    ({ inventory } = saved);
    source = { kind: 'file', name, saved_at: saved.savedAt };
  } else if (request.host) {
    // With a run the selectors are of both, so the host is read whole.
    const only = runs.length === 0 && request.selectors ? [...request.selectors] : undefined;
    inventory = await readInventory(await tools.host(request.host), only);
    source = { kind: 'host', name: sourceTarget(app, request.host).host, saved_at: null };
  }
  return buildReport({
    now: ctx.clock.now(),
    program: app.version,
    source,
    inventory,
    runs: runs.filter((item, index) => runs.findIndex(({ state }) => state.run === item.state.run) === index),
    ...(request.selectors === undefined ? {} : { selectors: request.selectors }),
    ...(request.rate === undefined ? {} : { rate: request.rate }),
    ...(request.plan === undefined ? {} : { planned: targetsOfPlan(request.plan) }),
  });
}

async function readRun({ store }: Tools, id: string): Promise<RunInput> {
  const { run } = await store.read(id);
  // State and lines of one reading: a run that is worked on grows meanwhile.
  const lines = await readJournal(store.paths(run).journal);
  const state = foldJournal(lines);
  if (!state) throw new UsageError(`Run ${run} holds nothing yet.`, 'List them with: stackferry status');
  return { state, lines, worker: await store.worker(run) };
}
