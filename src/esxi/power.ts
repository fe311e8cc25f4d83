import { StackferryError } from '../core/index.js';
import { type VimObject, pickString } from './parse/vim-object.js';
import type { PowerState } from './power-state.js';
import type { RemoteShell } from './ssh/shell.js';
import { saidBy, vimCmd, type VimAnswer } from './vim-cmd.js';

/** `vim-cmd vmsvc/power.getstate`. Throws `vm.not_found` for an id that the host does not know. */
export async function powerState(shell: RemoteShell, id: string): Promise<PowerState> {
  const answer = await vimCmd(shell, 'power.getstate', id);
  const { text } = answer;
  const state = /^\s*Powered (on|off)\s*$/im.exec(text)?.[1]?.toLowerCase();
  if (state === 'on' || state === 'off') return state;
  if (/^\s*Suspended\s*$/im.test(text)) return 'suspended';
  throw failure(id, 'The power state of the VM', answer);
}

/**
 * `vim-cmd vmsvc/power.shutdown`: asks VMware Tools to shut the guest down and does not wait. Sent once. Throws
 * `vm.tools_missing` where no Tools run in the guest; a VM that is not on is left alone.
 */
export async function shutdownGuest(shell: RemoteShell, id: string): Promise<void> {
  const answer = await vimCmd(shell, 'power.shutdown', id, { once: true });
  const { text, fault, exitCode } = answer;
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
  if (fault || exitCode !== 0) throw failure(id, 'The shutdown of the guest', answer);
}

/** `vim-cmd vmsvc/power.off`: pulls the plug. Sent once. A VM that is off already is left alone. */
export async function powerOff(shell: RemoteShell, id: string): Promise<void> {
  const answer = await vimCmd(shell, 'power.off', id, { once: true });
  const { text, fault, exitCode } = answer;
  if (fault && isOffAlready(fault)) return;
  if (fault || exitCode !== 0 || /power off failed/i.test(text)) {
    if ((await powerState(shell, id)) === 'off') return;
    throw failure(id, 'Switching the VM off', answer);
  }
}

function isOffAlready(fault: VimObject): boolean {
  return fault.type.endsWith('.InvalidPowerState') && pickString(fault, 'existingState') === 'poweredOff';
}

function failure(id: string, what: string, answer: VimAnswer): StackferryError {
  return new StackferryError('esxi.power', `${what} ${id} failed: ${saidBy(answer)}.`, {
    hint: 'Look at the VM in the host client: a question or a running task may hold it.',
    details: { vm: id, fault: answer.fault?.type ?? null },
  });
}
