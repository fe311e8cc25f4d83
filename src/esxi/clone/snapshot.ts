import { StackferryError, poll, quoteForHint, type Context } from '../../core/index.js';
import { parseSnapshotTree, type SnapshotNode } from '../parse/snapshot-tree.js';
import type { RemoteShell } from '../ssh/index.js';
import { saidBy, vimCmd } from '../vim-cmd.js';
import { SNAPSHOT_DESCRIPTION } from './names.js';

/** A VM in messages and commands. */
export interface VmName {
  id: string;
  name: string;
}

interface SnapshotRequest {
  vm: VmName;
  /** Of the snapshot. */
  name: string;
  timeoutMs: number;
}

/**
 * All snapshots of a VM, in the order printed.
 * @throws StackferryError `esxi.snapshot` where the host does not answer with a tree: nothing is no answer.
 */
export async function readSnapshots(shell: RemoteShell, ctx: Context, vm: VmName): Promise<SnapshotNode[]> {
  const answer = await vimCmd(shell, 'snapshot.get', vm.id, { signal: ctx.signal });
  if (answer.fault || answer.exitCode !== 0 || !/^Get Snapshot:\s*$/m.test(answer.text)) {
    throw new StackferryError('esxi.snapshot', `The snapshots of ${vm.name} cannot be read: ${saidBy(answer)}.`, {
      hint: `Look at them on the host: vim-cmd vmsvc/snapshot.get ${vm.id}`,
    });
  }
  return parseSnapshotTree(answer.text);
}

/**
 * Takes a snapshot without memory and waits until the host shows it. It is not stopped on its way, for the host would
 * go on with it unseen: give a context whose signal does not fire.
 * @throws StackferryError `esxi.snapshot_failed` with the host's words, `esxi.snapshot_timeout`.
 */
export async function createSnapshot(
  shell: RemoteShell,
  ctx: Context,
  { vm, name, quiesce, timeoutMs }: SnapshotRequest & { quiesce: boolean },
): Promise<void> {
  const answer = await vimCmd(shell, 'snapshot.create', vm.id, {
    words: [name, SNAPSHOT_DESCRIPTION, 0, quiesce ? 1 : 0],
    once: true,
    timeoutMs,
    signal: ctx.signal,
  });
  if (answer.fault || answer.exitCode !== 0) {
    throw new StackferryError('esxi.snapshot_failed', `No snapshot of ${vm.name} could be taken: ${saidBy(answer)}.`, {
      hint: quiesce
        ? 'The guest must run VMware Tools that can quiesce it; without --quiesce the copy is as after a power cut.'
        : 'Look at the VM in the host client (its events tell why), or copy it while it is off: --power-off',
      details: { vm: vm.id, fault: answer.fault?.type ?? null },
    });
  }
  await poll(ctx, {
    task: `snapshot:${vm.id}`,
    label: `the snapshot of ${vm.name}`,
    timeoutMs,
    intervalMs: Math.min(2_000, timeoutMs / 4),
    timeout: { code: 'esxi.snapshot_timeout', hint: 'Give it more time with --timeout-snapshot SECONDS.' },
    look: () => readSnapshots(shell, ctx, vm),
    done: (nodes) => nodes.some((node) => node.name === name),
    describe: () => ({ state: 'not there' }),
  });
}

/**
 * Removes a snapshot of ours by its name, and waits until the host no longer shows it. One that is not there is fine.
 * @throws StackferryError `esxi.snapshot_left`, which says how to remove it by hand.
 */
export async function removeSnapshot(shell: RemoteShell, ctx: Context, request: SnapshotRequest): Promise<void> {
  const { vm, name, timeoutMs } = request;
  const nodes = await readSnapshots(shell, ctx, vm);
  const at = nodes.findIndex((node) => node.name === name);
  const node = nodes[at];
  if (!node) return;
  const below = nodes[at + 1];
  const { id } = node;
  if (id === null) throw left(request, null, 'the host tells no id of it');
  // Whether vim-cmd would take what was built upon it along is nowhere written.
  if (below && below.depth > node.depth) {
    throw left(request, id, `another snapshot, ${quoteForHint(below.name)}, was taken upon it`);
  }
  const answer = await vimCmd(shell, 'snapshot.remove', vm.id, {
    words: [id],
    once: true,
    timeoutMs,
    signal: ctx.signal,
  });
  if (answer.fault || answer.exitCode !== 0) throw left(request, id, saidBy(answer));
  await poll(ctx, {
    task: `snapshot:${vm.id}`,
    label: `the snapshot of ${vm.name} to be gone`,
    timeoutMs,
    intervalMs: Math.min(2_000, timeoutMs / 4),
    timeout: { code: 'esxi.snapshot_left', hint: byHand(vm, id) },
    look: () => readSnapshots(shell, ctx, vm),
    done: (now) => !now.some((one) => one.name === name),
    describe: () => ({ state: 'there' }),
  });
}

function left({ vm, name }: SnapshotRequest, id: string | null, why: string): StackferryError {
  return new StackferryError('esxi.snapshot_left', `The snapshot ${name} of ${vm.name} could not be removed: ${why}.`, {
    hint: byHand(vm, id),
    details: { vm: vm.id, snapshot: name },
  });
}

function byHand(vm: VmName, id: string | null): string {
  return (
    `It grows while the VM runs. Try again with: stackferry doctor --cleanup. ` +
    `By hand on the host: vim-cmd vmsvc/snapshot.remove ${vm.id} ${id ?? 'SNAPSHOT_ID'}`
  );
}
