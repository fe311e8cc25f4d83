import { StackferryError, formatBytes, isCode, poll, throwIfAborted } from '../../core/index.js';
import {
  assertCloneable,
  cloneDisk,
  cloneSpace,
  createSnapshot,
  hostName,
  makeFolder,
  readSnapshots,
} from '../../esxi/clone/index.js';
import type { EsxiHost, Inventory, VmRecord } from '../../esxi/index.js';
import { withProgress } from './progress.js';
import { HOST_STEP, leftOnHost, releaseHost, undisturbed } from './release.js';
import { CLONES, clonePath, clonesOf, runningOf, type RunningSection } from './running.js';
import { sourceDisks, forgetRead, takeTokens } from './source.js';
import { needSection, sourceVm, type PlannedCall, type RunContext, type Step } from './step.js';

/**
 * The source of a copy of a running VM: a snapshot of ours freezes its disks, they are cloned on the host, and the
 * snapshot goes again before a byte comes here, so that it is there for as short as can be. What is read are the clones.
 */
export function cloneStep(state: RunContext['state']): Step {
  const vm = sourceVm(state);
  return {
    key: HOST_STEP,
    kind: 'source',
    subject: `VM ${vm.name}`,
    needs: [],
    holds: () => Promise.resolve(false), // the clones may be gone: always look before reading them
    preview: (rc) => preview(rc),
    run: async (rc) => {
      const plan = (await earlierClones(rc)) ?? (await makeClones(rc));
      const held = plan.allocatedBytes === null ? '' : `, ${formatBytes(plan.allocatedBytes)} held`;
      const result = { bytes: plan.bytes, allocated_bytes: plan.allocatedBytes };
      return { result, summary: `running, ${plan.disks.length} disk(s) cloned, ${formatBytes(plan.bytes)}${held}` };
    },
  };
}

/** After the last byte: the clones are the files that were read, and go. */
export function releaseStep(state: RunContext['state'], readers: readonly string[]): Step {
  const vm = sourceVm(state);
  return {
    key: 'recheck',
    kind: 'recheck',
    subject: `clones of ${vm.name}`,
    needs: [HOST_STEP, ...readers],
    run: async (rc) => {
      try {
        await (await sourceDisks(rc)).recheck(rc.ctx);
      } catch (error) {
        if (!isCode(error, 'vm.changed_during_copy')) throw error;
        throw new StackferryError('esxi.clone_changed', `The clones of ${vm.name} are not those that were read.`, {
          hint: 'Something else wrote to them or removed them. Run the same command again; the copy starts over.',
          cause: error,
        });
      }
      await releaseHost(rc);
      return { result: {}, summary: 'removed; the snapshot is gone' };
    },
  };
}

/** The plan of the clones that an earlier session left whole; null where there are none that are as it knew them. */
async function earlierClones(rc: RunContext) {
  if (clonesOf(rc.state) === null) return null;
  delete rc.cache.disks;
  try {
    const plan = await sourceDisks(rc);
    await takeTokens(rc, plan);
    return plan;
  } catch (error) {
    if (!isCode(error, 'disk')) throw error;
    return null;
  }
}

/** Takes the snapshot, clones the disks, removes the snapshot; each thing is announced in the journal before it is made. */
async function makeClones(rc: RunContext) {
  await releaseHost(rc); // what an earlier session left half done
  const how = runningOf(rc.state);
  if (!how) throw new Error(`run ${rc.run} does not copy a running VM`);
  const host = await rc.host();
  const { vm, labels, space } = await look(rc, host, how);
  const name = nextName(rc);
  const folder = `[${space.datastore}] ${name}`;
  await announced(rc, 'clone', folder, () => makeFolder(host.shell, rc.ctx, folder));
  const snapshot = { vm, name, quiesce: how.quiesce, timeoutMs: how.timeout_ms };
  await announced(rc, 'snapshot', name, () => createSnapshot(host.shell, undisturbed(rc.ctx), snapshot));
  throwIfAborted(rc.ctx.signal);
  await assertAlone(rc, host, vm, name);
  for (const label of labels) await clone(rc, host, vm, label, folder);
  await releaseSnapshot(rc, host, vm, how);
  await rc.record({ kind: 'plan', section: CLONES, value: { folder } });
  for (const label of labels) await forgetRead(rc, label);
  delete rc.cache.disks;
  const plan = await sourceDisks(rc);
  assertSizes(vm, plan.disks);
  await takeTokens(rc, plan);
  return plan;
}

/** Each try of a run has a name of its own, so that nothing of one is taken for another's. */
function nextName(rc: RunContext): string {
  return hostName(rc.run, 1 + rc.state.resources.filter(({ resource }) => resource === 'clone').length);
}

/** The VM as the host has it now; what stands in the way is an error before anything is made. */
async function look(rc: RunContext, host: EsxiHost, how: RunningSection) {
  const { labels, vm: known } = needSection(rc.state, 'source');
  const inventory = await host.inventory({ only: [`id:${known.id}`] });
  const vm = vmIn(inventory, known);
  assertCloneable(vm, labels, how.quiesce);
  return { vm, labels, space: cloneSpace(vm, labels, inventory.datastores, how.datastore) };
}

function vmIn({ vms }: Inventory, known: VmRecord): VmRecord {
  const vm = vms.find((item) => item.id === known.id && item.uuid === known.uuid);
  if (vm) return vm;
  throw new StackferryError('vm.not_found', `The host no longer has ${known.name} (id:${known.id}).`, {
    hint: 'Look at it with: stackferry inventory',
  });
}

async function announced(
  rc: RunContext,
  resource: 'snapshot' | 'clone',
  name: string,
  make: () => Promise<void>,
): Promise<void> {
  // The name is its id: it is chosen by us, and unique.
  await rc.record({ kind: 'intent', step: HOST_STEP, resource, name, id: name });
  await make();
  await rc.record({ kind: 'made', step: HOST_STEP, resource, id: name, name });
  rc.ctx.events.emit({ kind: 'resource.created', resource, id: name, name });
}

/** Someone else's snapshot of the same moment would mean that other files than those known were frozen. */
async function assertAlone(rc: RunContext, host: EsxiHost, vm: VmRecord, name: string): Promise<void> {
  const other = (await readSnapshots(host.shell, rc.ctx, vm)).find((node) => node.name !== name);
  if (!other) return;
  throw new StackferryError('vm.snapshots', `Another snapshot of ${vm.name} was taken meanwhile: ${other.name}.`, {
    hint: 'Wait until what took it (a backup?) has removed it, and run the same command again.',
    exitCode: 3,
  });
}

async function clone(rc: RunContext, host: EsxiHost, vm: VmRecord, label: string, folder: string): Promise<void> {
  const disk = vm.disks.find((item) => item.label === label);
  if (!disk?.path) throw new Error(`disk ${label} has no path`);
  const total = disk.capacity_bytes ?? 0;
  const request = { label, source: disk.path, target: clonePath(folder, label) };
  await withProgress(rc, { task: `clone:${label}`, label: `clone ${label} on the host`, total }, (onBytes) => {
    let told = 0;
    return cloneDisk(host.shell, rc.ctx, request, (percent) => {
      const done = Math.floor((total * percent) / 100);
      if (done > told) onBytes(done - told);
      told = Math.max(told, done);
    });
  });
}

/** Removes the snapshot while the clones stay, and waits until the VM runs on its own files again. */
async function releaseSnapshot(rc: RunContext, host: EsxiHost, vm: VmRecord, how: RunningSection): Promise<void> {
  await releaseHost(rc, 'snapshot');
  await poll(rc.ctx, {
    task: `consolidate:${vm.id}`,
    label: `${vm.name} to run on its own files again`,
    timeoutMs: how.timeout_ms,
    intervalMs: Math.min(5_000, how.timeout_ms / 4),
    timeout: {
      code: 'vm.consolidation_needed',
      hint: 'Consolidate its disks in the host client (Snapshots, Consolidate disks), then run the same command again.',
    },
    look: async () => vmIn(await host.inventory({ only: [`id:${vm.id}`] }), vm),
    done: (now) => vm.disks.every(({ label, path }) => now.disks.find((disk) => disk.label === label)?.path === path),
    describe: () => ({ state: 'on a delta' }),
  });
}

/** A clone that is not the size of its disk is no copy of it. */
function assertSizes(vm: VmRecord, disks: readonly { label: string; capacityBytes: number }[]): void {
  for (const { label, capacityBytes } of disks) {
    const own = vm.disks.find((disk) => disk.label === label)?.capacity_bytes ?? null;
    if (own === null || own === capacityBytes) continue;
    throw new StackferryError(
      'esxi.clone_failed',
      `The clone of ${label} of ${vm.name} has ${capacityBytes} bytes and the disk ${own}.`,
      { hint: 'Was the disk resized meanwhile? Run the same command again.' },
    );
  }
}

/** The commands on the host, in order. */
async function preview(rc: RunContext): Promise<PlannedCall[]> {
  const how = runningOf(rc.state);
  if (!how) return [];
  const { vm, labels, space } = await look(rc, await rc.host(), how);
  const name = nextName(rc);
  const folder = `[${space.datastore}] ${name}`;
  const call = (path: string, body: string | null = null): PlannedCall => {
    return { step: HOST_STEP, service: 'esxi', method: 'SSH', path, body };
  };
  return [
    ...leftOnHost(rc.state).map((item) => call(`remove ${item.name}`, 'left by an earlier session')),
    call(`mkdir ${folder}`),
    call(`vim-cmd vmsvc/snapshot.create ${vm.id} ${name} … 0 ${how.quiesce ? 1 : 0}`),
    ...vm.disks
      .filter(({ label }) => labels.includes(label))
      .map(({ label, path, allocated_bytes: held }) =>
        call(
          `vmkfstools -i ${path ?? ''} ${clonePath(folder, label)} -d thin`,
          held === null ? null : `at most ${formatBytes(held)}`,
        ),
      ),
    call(`vim-cmd vmsvc/snapshot.remove ${vm.id} SNAPSHOT_ID`),
    call(`rm -r ${folder}`, 'once it is read'),
  ];
}
