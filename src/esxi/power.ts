import { StackferryError } from '../core/index.js';
import { type VimObject, isFault, parseVimObject, pickString } from './parse/vim-object.js';
import type { PowerState } from './power-state.js';
import { quote } from './ssh/quoting.js';
import type { RemoteShell } from './ssh/shell.js';
import { nonEmpty } from './parse/non-empty.js';

/** `vim-cmd vmsvc/power.getstate`. Throws `vm.not_found` for an id that the host does not know. */
export async function powerState(shell: RemoteShell, id: string): Promise<PowerState> {
  const { text, fault } = await vimCmd(shell, 'power.getstate', id, false);
  const state = /^\s*Powered (on|off)\s*$/im.exec(text)?.[1]?.toLowerCase();
  if (state === 'on' || state === 'off') return state;
  if (/^\s*Suspended\s*$/im.test(text)) return 'suspended';
  throw failure(id, 'The power state of the VM', text, fault);
}

/**
 * `vim-cmd vmsvc/power.shutdown`: asks VMware Tools to shut the guest down and does not wait. Sent once. Throws
 * `vm.tools_missing` where no Tools run in the guest; a VM that is not on is left alone.
 */
export async function shutdownGuest(shell: RemoteShell, id: string): Promise<void> {
  const { text, fault, exitCode } = await vimCmd(shell, 'power.shutdown', id, true);
  if (fault?.type.endsWith('.ToolsUnavailable') || /VMware Tools is not running/i.test(text)) {
    throw new StackferryError(
      'vm.tools_missing',
      `VM ${id} cannot be shut down: VMware Tools do not run in its guest.`,
      {
        hint: 'Shut it down from within the guest, or let it be switched off hard with --force-off.',
      },
    );
  }
  if (fault && isOffAlready(fault)) return;
  if (fault || exitCode !== 0) throw failure(id, 'The shutdown of the guest', text, fault);
}

/** `vim-cmd vmsvc/power.off`: pulls the plug. Sent once. A VM that is off already is left alone. */
export async function powerOff(shell: RemoteShell, id: string): Promise<void> {
  const { text, fault, exitCode } = await vimCmd(shell, 'power.off', id, true);
  if (fault && isOffAlready(fault)) return;
  if (fault || exitCode !== 0 || /power off failed/i.test(text)) {
    if ((await powerState(shell, id)) === 'off') return;
    throw failure(id, 'Switching the VM off', text, fault);
  }
}

async function vimCmd(
  shell: RemoteShell,
  verb: string,
  id: string,
  once: boolean,
): Promise<{ text: string; fault: VimObject | null; exitCode: number }> {
  if (!/^\d+$/.test(id)) throw unknownVm(id);
  const result = await shell.run(`vim-cmd vmsvc/${verb} ${quote(id)}`, { once, timeoutMs: 120_000 });
  const text = `${result.stdout.toString('utf8')}\n${result.stderr}`;
  const fault = faultOf(text);
  if (fault?.type.endsWith('.NotFound') || /unable to find a VM corresponding/i.test(text)) throw unknownVm(id);
  return { text, fault, exitCode: result.exitCode };
}

function faultOf(text: string): VimObject | null {
  try {
    const value = parseVimObject(text);
    return isFault(value) ? value : null;
  } catch {
    return null;
  }
}

function isOffAlready(fault: VimObject): boolean {
  return fault.type.endsWith('.InvalidPowerState') && pickString(fault, 'existingState') === 'poweredOff';
}

function unknownVm(id: string): StackferryError {
  return new StackferryError('vm.not_found', `The host knows no VM with the id ${JSON.stringify(id)}.`, {
    hint: '`stackferry inventory` lists the ids; a VM that was registered anew has another one.',
    exitCode: 2,
  });
}

function failure(id: string, what: string, text: string, fault: VimObject | null): StackferryError {
  const said = (fault ? pickString(fault, 'msg') : null) ?? lastLine(text);
  return new StackferryError('esxi.power', `${what} ${id} failed: ${said}.`.replace(/\.\.$/, '.'), {
    hint: 'Look at the VM in the host client: a question or a running task may hold it.',
    details: { vm: id, fault: fault?.type ?? null },
  });
}

function lastLine(text: string): string {
  return nonEmpty(text.trim().split('\n').at(-1)?.slice(0, 200)) ?? 'the host printed nothing';
}
