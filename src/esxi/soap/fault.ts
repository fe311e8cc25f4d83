import { StackferryError, redactText } from '../../core/index.js';
import type { Element } from './xml.js';

/** A fault as the API gives it: of a call, of a task, or in the place of a property. */
export interface Fault {
  /** vSphere's name: `InvalidLogin`. */
  name: string;
  message: string;
  element: Element | null;
}

/** The fault of a SOAP answer: its name stands as the type of what is inside `detail`. */
export function faultOf(answer: Element): Fault {
  const detail = answer.child('detail')?.children[0];
  const message = answer.child('faultstring')?.text.trim() ?? '';
  return { name: faultName(detail), message, element: detail ?? null };
}

/** A `LocalizedMethodFault`: the fault itself, and what the host has to say of it. */
export function localizedFault(answer: Element): Fault {
  const fault = answer.child('fault');
  const message = answer.child('localizedMessage')?.text.trim() ?? '';
  return { name: faultName(fault), message, element: fault ?? null };
}

function faultName(detail: Element | undefined): string {
  return detail?.type ?? detail?.name.replace(/Fault$/, '') ?? 'unknown';
}

const OVER_SSH = 'Over SSH the same works: --esxi-transport ssh.';

interface Meaning {
  code: string;
  hint: string;
  why?: string;
}

/** What a fault means for a person. Others are given in the host's own words. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  InvalidLogin: {
    code: 'esxi.login_refused',
    why: 'wrong user or password, or the account is locked',
    hint: 'Check user and password (--esxi-user, STACKFERRY_ESXI_PASSWORD). This login is not tried again: ESXi locks an account for 15 minutes after five failed logins.',
  },
  RestrictedVersion: {
    code: 'host.free_license',
    why: "the host's licence (the free one, or an evaluation that is over) lets its API change nothing",
    hint: OVER_SSH,
  },
  NoPermission: {
    code: 'esxi.no_permission',
    why: 'this account may not do that',
    hint: 'guides/esxi-permissions.md lists the privileges that each command needs.',
  },
  NotAuthenticated: {
    code: 'esxi.session_lost',
    why: 'the session has ended',
    hint: 'Run it again.',
  },
  ManagedObjectNotFound: {
    code: 'vm.not_found',
    why: 'it is no longer on the host',
    hint: '`stackferry inventory` lists what is there; a VM that was registered anew has another id.',
  },
  ToolsUnavailable: {
    code: 'vm.tools_missing',
    why: 'VMware Tools do not run in its guest',
    hint: 'Shut it down from within the guest, or let it be switched off hard with --force-off.',
  },
  TaskInProgress: {
    code: 'esxi.busy',
    hint: 'Another task holds the object: look at the host client, and run it again when that is over.',
  },
  MethodNotFound: {
    code: 'esxi.fault',
    why: 'its API does not have this call',
    hint: OVER_SSH,
  },
};

/** A fault as an error of ours; `what` is what was wanted: "switch VM 12 off". */
export function faultError(
  what: string,
  fault: Fault,
  operation: string | null,
  known?: { code: string; hint: string },
): StackferryError {
  const meaning: Meaning | undefined =
    known ?? (Object.hasOwn(MEANINGS, fault.name) ? MEANINGS[fault.name] : undefined);
  const said = redactText(fault.message).replace(/\s+/g, ' ').replace(/\.$/, '').slice(0, 400);
  const why = meaning?.why ?? (said === '' ? fault.name : said);
  return new StackferryError(meaning?.code ?? 'esxi.fault', `The host would not ${what}: ${why} (${fault.name}).`, {
    hint: meaning?.hint ?? 'Look at the object and the recent tasks in the host client.',
    // Where it is known what is meant, a host's own words add nothing, and might repeat what was sent.
    details: { fault: fault.name, said: meaning?.why === undefined ? said : null, operation },
  });
}

/** Whether an error of ours came from this fault. */
export function isFaultNamed(error: unknown, name: string): error is StackferryError {
  return error instanceof StackferryError && error.details['fault'] === name;
}
