import { z } from 'zod';
import { StackferryError, formatBytes, isCode, poll, type Context } from '../../core/index.js';
import type { EsxiHost, SourceDisks } from '../../esxi/index.js';
import { dropImagesOf } from './image-upload.js';
import { assertNoLiveCopy, disksToRead } from './running.js';
import { needSection, sourceVm, type RunContext, type Step } from './step.js';
import { readerOf, sentSection, transferOf } from './transfer.js';

/** Paths on the host with the word that stands for the file's state when it was read. */
const tokensSchema = z.record(z.string(), z.string());

/** The plan of the copy: all disks looked at together, before a byte moves. */
export async function sourceDisks(rc: RunContext): Promise<SourceDisks> {
  if (rc.cache.disks) return rc.cache.disks;
  const source = needSection(rc.state, 'source');
  const host = await rc.host();
  const disks = disksToRead(rc.state);
  // An image file looks for its room by itself, once it knows how long it gets.
  const outputDir = transferOf(rc.state) === 'staged' ? source.outputDir : null;
  const plan = await host.disks.plan(source.vm, disks, rc.ctx, { outputDir, door: doorBefore(rc) });
  rc.cache.disks = plan;
  return plan;
}

/** The source is off (or is shut down, where that was allowed), and every file of every disk is there and readable. */
export function sourceStep(state: RunContext['state']): Step {
  const vm = sourceVm(state);
  return {
    key: 'source',
    kind: 'source',
    subject: `VM ${vm.name}`,
    needs: [],
    holds: () => Promise.resolve(false), // the source may have changed since: always look again before reading it
    preview: async (rc) => {
      const power = await (await rc.host()).powerState(vm.id);
      if (power === 'off' || !(rc.settings.powerOff || rc.settings.forceOff)) return [];
      const call = (verb: string, body: string | null) => ({
        step: 'source',
        service: 'esxi',
        method: 'SSH',
        path: `vim-cmd vmsvc/power.${verb} ${vm.id}`,
        body,
      });
      const seconds = rc.settings.timeouts.shutdownMs / 1000;
      return [
        call('shutdown', null),
        ...(rc.settings.forceOff ? [call('off', `only if the guest is not off after ${seconds} s`)] : []),
      ];
    },
    run: async (rc) => {
      const host = await rc.host();
      await ensureOff(rc, host);
      delete rc.cache.disks; // what an earlier look saw may be old
      const plan = await sourceDisks(rc);
      await takeTokens(rc, plan);
      const result = { bytes: plan.bytes, allocated_bytes: plan.allocatedBytes };
      const held = plan.allocatedBytes === null ? '' : `, ${formatBytes(plan.allocatedBytes)} held`;
      return { result, summary: `off, ${plan.disks.length} disk(s), ${formatBytes(plan.bytes)}${held}` };
    },
  };
}

/** After the last byte: the VM is still off, and its files are the ones that were read. */
export function recheckStep(state: RunContext['state']): Step {
  const source = needSection(state, 'source');
  const isDirect = transferOf(state) === 'direct';
  return {
    key: 'recheck',
    kind: 'recheck',
    subject: `VM ${source.vm.name}`,
    needs: ['source', ...source.labels.map((label) => readerOf(state, label))],
    run: async (rc) => {
      try {
        await assertSourceUnchanged(rc);
      } catch (error) {
        const isOther = isCode(error, 'vm.changed_during_copy') || isCode(error, 'package');
        if (isDirect && isOther) await dropImagesOf(rc, source.labels);
        throw error;
      }
      return { result: {}, summary: 'unchanged since the copy began' };
    },
  };
}

/**
 * Fails with `vm.changed_during_copy` unless the VM is off and its descriptors, sizes and modification times are those
 * that the copy saw, in this process or an earlier one.
 */
export async function assertSourceUnchanged(rc: RunContext): Promise<void> {
  assertNoLiveCopy(rc.state);
  const vm = sourceVm(rc.state);
  const host = await rc.host();
  const power = await host.powerState(vm.id);
  if (power !== 'off') throw changed(vm.name, `it is ${power === 'on' ? 'running' : power} now`);
  if (rc.cache.disks) {
    await rc.cache.disks.recheck(rc.ctx);
    return;
  }
  const before = earlierTokens(rc);
  if (!before) throw changed(vm.name, 'this run holds no record of what it read');
  const now = tokensOf(await sourceDisks(rc));
  for (const [path, token] of Object.entries(before)) {
    if (now[path] !== token) throw changed(vm.name, `${path} is not the file that was read`);
  }
}

/**
 * Notes what is about to be read. Disks of an earlier session whose files have changed since are copied again; once
 * the copy was confirmed (and may have become an image) a change ends the run.
 */
export async function takeTokens(rc: RunContext, plan: SourceDisks): Promise<void> {
  const before = earlierTokens(rc) ?? {};
  const [door, now] = [doorBefore(rc), plan.door ?? 'ssh'];
  const isOther = door !== undefined && door !== now;
  for (const disk of plan.disks) {
    const differs = Object.entries(tokensOf({ disks: [disk] })).some(
      ([path, token]) => before[path] !== undefined && before[path] !== token,
    );
    if (!differs && !isOther) continue;
    if (rc.state.steps.get('recheck')?.state === 'done') {
      const why = isOther
        ? `${disk.label} was read by ${door}, and by ${now} it cannot be told whether it is the same`
        : `the files of ${disk.label} are not those that were read`;
      throw changed(sourceVm(rc.state).name, why);
    }
    const message = isOther
      ? `${disk.label} was read by ${door} before, and is now by ${now}, which tells states of files in other words; it is read again.`
      : `${disk.label} has changed since it was read; it is read again.`;
    rc.ctx.events.emit({ kind: 'notice', message });
    await forgetRead(rc, disk.label);
  }
  // A run over SSH has none, as those of older programs.
  if (now !== (door ?? 'ssh')) await rc.record({ kind: 'plan', section: DOOR, value: now });
  await rc.record({ kind: 'plan', section: 'source_tokens', value: tokensOf(plan) });
}

/** What was read of a disk is of no use any more: it is read again, and what came of it is made again. */
export async function forgetRead(rc: RunContext, label: string): Promise<void> {
  const reader = readerOf(rc.state, label);
  const readers = transferOf(rc.state) === 'staged' ? [reader, `convert:${label}`] : [reader];
  if (rc.state.plan.has(sentSection(label))) {
    await rc.record({ kind: 'plan', section: sentSection(label), value: null });
  }
  for (const step of readers) {
    if (rc.state.steps.has(step)) await rc.record({ kind: 'step.reset', step });
  }
}

/** The section that says what the disks were read by, where that was not SSH. */
const DOOR = 'source_door';
const doorSchema = z.enum(['ssh', 'https', 'nfc']);

/** What this run has read its source by; undefined while it has not looked at it yet. */
function doorBefore(rc: RunContext): z.infer<typeof doorSchema> | undefined {
  return doorSchema.safeParse(rc.state.plan.get(DOOR)).data ?? (earlierTokens(rc) === undefined ? undefined : 'ssh');
}

/** The state of the source's files as this run has read them, by path. */
export function earlierTokens(rc: RunContext): Record<string, string> | undefined {
  return tokensSchema.safeParse(rc.state.plan.get('source_tokens')).data;
}

/** Reads from the source. Where that fails because the VM was started meanwhile, the error says so. */
export async function readSourceFiles<T>(rc: RunContext, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isCode(error, 'disk') && !isCode(error, 'esxi.read_failed')) throw error;
    const { id, name } = sourceVm(rc.state);
    const power = await (await rc.host()).powerState(id).catch(() => null);
    if (power !== 'on') throw error;
    throw changed(name, 'it is running now', error);
  }
}

function changed(name: string, why: string, cause?: unknown): StackferryError {
  return new StackferryError('vm.changed_during_copy', `${name} was changed while or after it was copied: ${why}.`, {
    cause,
    hint: 'What was copied is not used. Leave the VM off and run the same command again; the copy starts over.',
  });
}

function tokensOf(plan: Pick<SourceDisks, 'disks'>): Record<string, string> {
  return Object.fromEntries(plan.disks.flatMap(({ tokens }) => tokens));
}

/** Sees that the VM is off; shuts it down only where that was asked for. */
async function ensureOff(rc: RunContext, host: EsxiHost): Promise<void> {
  const vm = sourceVm(rc.state);
  const power = await host.powerState(vm.id);
  if (power === 'off') return;
  if (power === 'suspended') {
    throw new StackferryError('vm.suspended', `${vm.name} is suspended: its memory holds data that its disks lack.`, {
      hint: 'Resume it and shut the guest down, then run this again.',
      exitCode: 3,
    });
  }
  if (!rc.settings.powerOff && !rc.settings.forceOff) {
    throw new StackferryError('vm.powered_on', `${vm.name} is running; its disks can only be read while it is off.`, {
      hint: 'Shut the guest down first, or let stackferry do it: --power-off',
      exitCode: 3,
    });
  }
  const outcome = await shutDown(rc, host, vm);
  if (outcome === 'off') return;
  if (rc.settings.forceOff) {
    rc.ctx.events.emit({ kind: 'warning', code: 'vm.forced_off', message: `${outcome}; the plug is pulled.` });
  } else if (!(await mayPullThePlug(rc, outcome))) {
    throw new StackferryError('vm.powered_on', `${outcome}. It is still running; nothing was copied.`, {
      hint: 'Shut the guest down by hand, give it more time (--timeout-shutdown SECONDS), or have its plug pulled: --force-off',
      exitCode: 3,
    });
  }
  await host.powerOff(vm.id);
  await waitOff(rc.ctx, host, vm, 60_000);
}

/** Asks the guest to shut down, and waits. `off`, or a sentence that says why it is not. */
async function shutDown(rc: RunContext, host: EsxiHost, vm: { id: string; name: string }): Promise<string> {
  try {
    await host.shutdownGuest(vm.id);
    await waitOff(rc.ctx, host, vm, rc.settings.timeouts.shutdownMs);
    return 'off';
  } catch (error) {
    if (isCode(error, 'vm.shutdown_timeout')) {
      return `${vm.name} did not shut down within ${rc.settings.timeouts.shutdownMs / 1000} s`;
    }
    if (isCode(error, 'vm.tools_missing') && rc.settings.forceOff) {
      return `${vm.name} runs no VMware Tools, so its guest cannot be asked to shut down`;
    }
    throw error;
  }
}

/** Asks the person at the terminal; where there is none, the answer is no. */
async function mayPullThePlug(rc: RunContext, why: string): Promise<boolean> {
  try {
    return await rc.ctx.events.ask({
      type: 'confirm',
      code: 'vm.force_off',
      message: `${why}. Pull the plug?`,
      default: false,
      option: '--force-off',
    });
  } catch (error) {
    if (isCode(error, 'usage')) return false;
    throw error;
  }
}

async function waitOff(
  ctx: Context,
  host: EsxiHost,
  vm: { id: string; name: string },
  timeoutMs: number,
): Promise<void> {
  await poll(ctx, {
    task: `shutdown:${vm.id}`,
    label: `${vm.name} to be off`,
    timeoutMs,
    intervalMs: Math.min(2_000, timeoutMs / 4),
    timeout: { code: 'vm.shutdown_timeout', hint: 'Give it more time with --timeout-shutdown SECONDS.' },
    look: () => host.powerState(vm.id),
    done: (power) => power === 'off',
    describe: (power) => ({ state: power === 'on' ? 'running' : power }),
  });
}
