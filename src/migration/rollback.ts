import { rm, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { StackferryError, isCode, throwIfAborted, type ResourceKind } from '../core/index.js';
import type { MadeResource, RunState } from './state/fold.js';
import { convertResult } from './steps/convert.js';
import { exportResult } from './steps/export.js';
import { listSteps } from './steps/list.js';
import { HOST_STEP, isOnHost, releaseCalls, releaseHost } from './steps/release.js';
import { hasLaunched, serversOf } from './steps/server.js';
import { section, type PlannedCall, type RunContext } from './steps/step.js';

export interface RollbackOptions {
  /** The VM's name, typed out: the server has run and what it wrote is given up. */
  discard?: string;
}

/** Something that a rollback removed, or found gone by then. `folder` is the run's own on this machine, its path in `name`. */
export interface Removed {
  kind: ResourceKind | 'folder';
  /** Null for what has none: a folder. */
  id: string | null;
  name: string;
}

export interface RollbackOutcome {
  /** In the order in which they went. What an earlier rollback removed is not in it. */
  removed: Removed[];
  /** Resources that could not go, with why. Empty when all that the run made is gone. */
  left: { resource: string; message: string }[];
  /** Files of the run that are still there: they lie in a folder that was named on the command line. Absolute. */
  keptFiles: string[];
}

/**
 * Removes what the run made, newest first: only what its journal names or what carries its mark. Safe to run again.
 * Of files only the run's own folder goes; those under `--output` are the user's to keep, and may be another run's, too.
 * @throws StackferryError `rollback.server_has_run` unless `discard` is the VM's name.
 */
export async function rollback(rc: RunContext, options: RollbackOptions): Promise<RollbackOutcome> {
  const steps = listSteps(rc.state).toReversed();
  if (rc.dry) {
    rc.dry.push(...(await removals(rc)));
    return { removed: [], left: [], keptFiles: [] };
  }
  const touchesCloud = rc.state.resources.some((item) => item.resource !== 'file' && !isOnHost(item) && !item.gone);
  const left: RollbackOutcome['left'] = [];
  const removed: Removed[] = [];
  const before = new Set(rc.state.resources.filter((item) => item.gone));
  await releaseHost(rc);
  removed.push(...goneOf(rc.state, HOST_STEP, before));
  if (touchesCloud) {
    await confirmDiscard(rc, options.discard);
    for (const step of steps) {
      throwIfAborted(rc.ctx.signal);
      if (!step.undo || !rc.state.resources.some((item) => item.step === step.key && !item.gone)) continue;
      try {
        await step.undo(rc);
        removed.push(...goneOf(rc.state, step.key, before));
        // An announced resource that is nowhere to be found was never made.
        for (const item of rc.state.resources) if (item.step === step.key && item.id === null) item.gone = true;
      } catch (error) {
        if (!isCode(error, 'cloud.image_in_use') && !isCode(error, 'cloud.volume_in_use')) throw error;
        removed.push(...goneOf(rc.state, step.key, before));
        left.push({ resource: step.subject, message: error.message });
        rc.ctx.events.emit({
          kind: 'warning',
          code: error.code,
          message: error.message,
          hint: 'Run rollback again later.',
        });
        continue;
      }
      if (rc.state.steps.has(step.key)) await rc.record({ kind: 'step.reset', step: step.key });
    }
  }
  const source = section(rc.state, 'source');
  if (source?.ownDir === true && (await isThere(source.outputDir))) {
    await rm(source.outputDir, { recursive: true, force: true });
    removed.push({ kind: 'folder', id: null, name: source.outputDir });
  }
  const keptFiles = await filesThatStay(rc.state);
  // Nothing of these steps holds any more, but of those whose resource could not go.
  for (const step of [...rc.state.steps.keys()]) {
    const holds = rc.state.resources.some((item) => item.step === step && !item.gone);
    if (!holds) await rc.record({ kind: 'step.reset', step });
  }
  return { removed, left, keptFiles };
}

/** What a step has undone now: its resources that are gone, without those that were before. */
function goneOf(state: RunState, step: string, before: ReadonlySet<MadeResource>): Removed[] {
  return state.resources
    .filter((item) => item.step === step && item.gone && item.id !== null && !before.has(item))
    .map(({ resource, id, name }) => ({ kind: resource, id, name }));
}

/** What a rollback would remove, newest first, and does not. */
async function removals(rc: RunContext): Promise<PlannedCall[]> {
  const calls: PlannedCall[] = [];
  for (const step of listSteps(rc.state).toReversed()) {
    for (const { resource, id, name, gone } of rc.state.resources.filter((item) => item.step === step.key)) {
      if (id === null || gone || resource === 'file') continue;
      if (resource === 'snapshot' || resource === 'clone') continue; // told below
      const { requests } = await rc.cloud();
      const made =
        resource === 'attachment'
          ? await requests.detach(name, section(rc.state, 'via')?.server_id ?? null, id)
          : [await requests.remove(resource, id)];
      calls.push(...made.map((call) => ({ step: step.key, ...call, body: null })));
    }
  }
  calls.push(...releaseCalls(rc.state));
  const source = section(rc.state, 'source');
  if (source?.ownDir === true && (await isThere(source.outputDir))) {
    calls.push({ step: 'export', service: 'local', method: 'DELETE', path: source.outputDir, body: null });
  }
  return calls;
}

/** The files that the copy and the conversion named and that are still there. */
async function filesThatStay(state: RunState): Promise<string[]> {
  const own = section(state, 'source')?.ownDir === true ? section(state, 'source')?.outputDir : undefined;
  const named = [...state.steps].flatMap(([key, { result }]) => {
    if (key.startsWith('export:')) return exportResult.safeParse(result).data?.files.map(({ path }) => path) ?? [];
    return key.startsWith('convert:') ? (convertResult.safeParse(result).data?.path ?? []) : [];
  });
  const there: string[] = [];
  for (const path of new Set(named)) {
    if (own !== undefined && path.startsWith(`${own}${sep}`)) continue;
    if (await isThere(path)) there.push(path);
  }
  return there;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function confirmDiscard(rc: RunContext, typed: string | undefined): Promise<void> {
  const cloud = await rc.cloud();
  const name = rc.state.vm?.name ?? section(rc.state, 'server')?.name ?? rc.run;
  for (const id of await serversOf(rc, cloud)) {
    const server = await cloud.servers.find(id);
    if (!server || !hasLaunched(server)) continue;
    const answer =
      typed ??
      (await rc.ctx.events.ask({
        type: 'text',
        code: 'rollback.discard',
        message: `Server ${server.name} has run and may hold new data, which will be lost. Type the VM's name to go on`,
        option: `--discard ${quoteForHint(name)}`,
      }));
    if (answer === name) return;
    throw new StackferryError(
      'rollback.server_has_run',
      `Server ${server.name} has run and may hold new data; nothing was removed.`,
      {
        hint: `To give that data up: stackferry rollback ${rc.run} --discard ${quoteForHint(name)}`,
      },
    );
  }
}

function quoteForHint(text: string): string {
  return /^[\w.@%+=:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
