import { messageOf, type Context } from '../../core/index.js';
import { SNAPSHOT_TIMEOUT_MS, removeFolder, removeSnapshot } from '../../esxi/clone/index.js';
import type { MadeResource } from '../state/fold.js';
import { CLONES, clonesOf, runningOf } from './running.js';
import { sourceVm, type PlannedCall, type RunContext } from './step.js';

/** The step that makes things on the host. */
export const HOST_STEP = 'source';

/** What the run made on the source host and is not known to be gone. */
export function leftOnHost(state: RunContext['state']): MadeResource[] {
  return state.resources.filter((item) => isOnHost(item) && !item.gone);
}

export function isOnHost({ resource }: Pick<MadeResource, 'resource'>): boolean {
  return resource === 'snapshot' || resource === 'clone';
}

/** Work on the host that an interrupt does not stop. */
export function undisturbed(ctx: Context): Context {
  return { ...ctx, signal: new AbortController().signal };
}

/**
 * Removes the snapshot and the clones that the run made, also after an interrupt. Both are tried; the first error is
 * thrown. They are looked up by their names: one that was announced and never made is noted as gone.
 * @param only the snapshot alone; the clones stay
 */
export async function releaseHost(rc: RunContext, only?: 'snapshot'): Promise<void> {
  const left = leftOnHost(rc.state).filter(({ resource }) => only === undefined || resource === only);
  if (left.length === 0) return;
  const { shell } = await rc.host();
  const ctx = undisturbed(rc.ctx);
  const vm = sourceVm(rc.state);
  if (only === undefined && clonesOf(rc.state) !== null)
    await rc.record({ kind: 'plan', section: CLONES, value: null });
  const errors: unknown[] = [];
  // The snapshot first: it costs the running VM something.
  for (const { resource, name } of [...left].sort(
    (a, b) => Number(b.resource === 'snapshot') - Number(a.resource === 'snapshot'),
  )) {
    try {
      const timeoutMs = runningOf(rc.state)?.timeout_ms ?? SNAPSHOT_TIMEOUT_MS;
      if (resource === 'snapshot') await removeSnapshot(shell, ctx, { vm, name, timeoutMs });
      else await removeFolder(shell, ctx, name);
      await rc.record({ kind: 'gone', step: HOST_STEP, resource, id: name });
      rc.ctx.events.emit({ kind: 'resource.deleted', resource, id: name, name });
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** Does work that makes things on the host, and removes them however it ends badly. */
export async function orRelease<T>(rc: RunContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!rc.dry) {
      await releaseHost(rc).catch((more: unknown) => {
        rc.ctx.events.emit({
          kind: 'warning',
          code: 'esxi.left_behind',
          message: `On the host stays what was made to copy the running VM: ${messageOf(more)}`,
          hint: `Remove it with: stackferry rollback ${rc.run}, or: stackferry doctor --cleanup`,
        });
      });
    }
    throw error;
  }
}

/** The commands by which it would be removed. */
export function releaseCalls(state: RunContext['state']): PlannedCall[] {
  const call = (path: string): PlannedCall => ({ step: HOST_STEP, service: 'esxi', method: 'SSH', path, body: null });
  const vm = state.vm?.id ?? 'VMID';
  return leftOnHost(state).map(({ resource, name }) =>
    call(resource === 'snapshot' ? `vim-cmd vmsvc/snapshot.remove ${vm} ID of ${name}` : `rm -r ${name}`),
  );
}
