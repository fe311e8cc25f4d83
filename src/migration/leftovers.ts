import { isCode, messageOf, type Context } from '../core/index.js';
import { findLeftovers, removeFolder, removeSnapshot, type HostLeftover } from '../esxi/clone/index.js';
import type { EsxiHost } from '../esxi/index.js';
import type { RunStore } from './state/store.js';
import { HOST_STEP, undisturbed } from './steps/release.js';

/** What copies of running VMs have left on a host: found by our names, joined with the runs of this machine. */

interface Leftover {
  kind: 'snapshot' | 'clone';
  /** Of the snapshot; of the folder, in datastore form. */
  name: string;
  run: string;
  /** The VM that has the snapshot; null for a folder. */
  vm: string | null;
  /**
   * `ours`: of a run of this machine that nobody works on; `at_work`: of one that a program works on now; `unknown`: of a
   * run that this machine does not know, so another machine may be at it.
   */
  owner: 'ours' | 'at_work' | 'unknown';
  /** Null until it was tried. */
  removed: boolean | null;
  error: string | null;
}

interface Found extends Leftover {
  at: HostLeftover;
}

/**
 * Looks for leftovers and says whose they are.
 * @param claimed runs that this machine does not know and that are dead by the word of the user
 */
export async function lookForLeftovers(
  host: EsxiHost,
  store: RunStore,
  ctx: Context,
  claimed: readonly string[],
): Promise<Found[]> {
  const inventory = await host.inventory();
  const { runs, unreadable } = await store.survey();
  const known = new Set([...runs, ...unreadable].map(({ run }) => run));
  const found: Found[] = [];
  for (const at of await findLeftovers(host.shell, ctx, inventory)) {
    const { kind, name, run } = at;
    const isAtWork = known.has(run) && (await store.worker(run)) !== null;
    const owner = isAtWork ? 'at_work' : known.has(run) || claimed.includes(run) ? 'ours' : 'unknown';
    const vm = at.kind === 'snapshot' ? at.vm.name : null;
    found.push({ kind, name, run, vm, owner, removed: null, error: null, at });
  }
  return found;
}

/**
 * Removes those that are ours, snapshots first. Their run is locked meanwhile, and its journal told. What fails is noted
 * on the leftover, and costs the others nothing.
 */
export async function removeLeftovers(
  host: EsxiHost,
  store: RunStore,
  ctx: Context,
  found: readonly Found[],
  timeoutMs: number,
): Promise<void> {
  const ours = found.filter(({ owner }) => owner === 'ours');
  for (const item of [
    ...ours.filter(({ kind }) => kind === 'snapshot'),
    ...ours.filter(({ kind }) => kind === 'clone'),
  ]) {
    try {
      await removeOne(host, store, ctx, item, timeoutMs);
      item.removed = true;
    } catch (error) {
      if (isCode(error, 'interrupted')) throw error;
      item.removed = false;
      item.error = messageOf(error);
    }
  }
}

async function removeOne(host: EsxiHost, store: RunStore, ctx: Context, item: Found, timeoutMs: number): Promise<void> {
  const { at, kind: resource, name, run } = item;
  const open = (await store.has(run)) ? await store.amend(run) : null;
  try {
    const calm = undisturbed(ctx);
    if (at.kind === 'snapshot') await removeSnapshot(host.shell, calm, { vm: at.vm, name, timeoutMs });
    else await removeFolder(host.shell, calm, name);
    await open?.journal.append({ kind: 'gone', step: HOST_STEP, resource, id: name });
  } finally {
    await open?.close();
  }
}
