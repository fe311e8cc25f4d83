import { z } from 'zod';
import { type Context, isCode } from '../../core/index.js';
import type { PowerState } from '../power-state.js';
import { faultError, isFaultNamed } from './fault.js';
import { readObject } from './properties.js';
import { type MoRef, maybe, node, one, readElement, text } from './reading.js';
import type { SoapSession } from './session.js';
import { runTask } from './task.js';

const TASK_MS = 120_000;

const runtimeSchema = node({
  powerState: one(text.pipe(z.enum(['poweredOn', 'poweredOff', 'suspended']))),
  connectionState: maybe(text),
});
const STATES = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' } as const;

export function vmRef(id: string): MoRef {
  return { type: 'VirtualMachine', id };
}

/** Throws `vm.not_found` for an id that the host does not know. */
export async function powerState(session: SoapSession, id: string): Promise<PowerState> {
  const what = `tell the power state of VM ${id}`;
  const runtime = (await readObject(session, vmRef(id), ['runtime'], what)).properties.get('runtime');
  if (!runtime) throw faultError(what, { name: 'ManagedObjectNotFound', message: '', element: null }, null);
  return STATES[readElement(runtimeSchema, runtime).powerState];
}

/**
 * Asks VMware Tools to shut the guest down and does not wait. Sent once. Throws `vm.tools_missing` where none run,
 * `host.free_license` where the licence forbids it; a VM that is off already is left alone.
 */
export async function shutdownGuest(session: SoapSession, id: string): Promise<void> {
  try {
    await session.change({ method: 'ShutdownGuest', on: vmRef(id), what: `shut the guest of VM ${id} down` });
  } catch (error) {
    if (!(await isOffAnyway(session, id, error))) throw error;
  }
}

/** Pulls the plug. Sent once. A VM that is off already is left alone. */
export function powerOff(session: SoapSession, ctx: Context, id: string): Promise<void> {
  return power(session, ctx, id, 'PowerOffVM_Task', 'off');
}

/** Switches it on. A VM that is on already is left alone. */
export function powerOn(session: SoapSession, ctx: Context, id: string): Promise<void> {
  return power(session, ctx, id, 'PowerOnVM_Task', 'on');
}

async function power(
  session: SoapSession,
  ctx: Context,
  id: string,
  method: string,
  wanted: 'on' | 'off',
): Promise<void> {
  try {
    await runTask(session, ctx, { method, on: vmRef(id), what: `switch VM ${id} ${wanted}` }, TASK_MS);
  } catch (error) {
    if (!isFaultNamed(error, 'InvalidPowerState') || (await powerState(session, id)) !== wanted) throw error;
  }
}

async function isOffAnyway(session: SoapSession, id: string, error: unknown): Promise<boolean> {
  const mayBe = isFaultNamed(error, 'InvalidPowerState') || isCode(error, 'vm.tools_missing');
  return mayBe && (await powerState(session, id)) === 'off';
}
