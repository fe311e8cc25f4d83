import { StackferryError } from '../core/index.js';
import { nonEmpty } from './parse/non-empty.js';
import { type VimObject, isFault, parseVimObject, pickString } from './parse/vim-object.js';
import { command } from './ssh/quoting.js';
import type { RemoteShell, StreamOptions } from './ssh/shell.js';

export interface VimAnswer {
  /** Both streams. */
  text: string;
  /** A fault is printed, whatever the exit status. */
  fault: VimObject | null;
  exitCode: number;
}

interface VimOptions extends StreamOptions {
  /** Further words behind the id. */
  words?: readonly (string | number)[];
  /** It changes something, so it is never sent twice. */
  once?: boolean;
  /** 120 s if unset. */
  timeoutMs?: number;
}

/** `vim-cmd vmsvc/VERB ID …`; the verb is a literal. Throws `vm.not_found` for an id that the host does not know. */
export async function vimCmd(
  shell: RemoteShell,
  verb: string,
  id: string,
  { words = [], once = false, timeoutMs = 120_000, signal }: VimOptions = {},
): Promise<VimAnswer> {
  if (!/^\d+$/.test(id)) throw unknownVm(id);
  const text = `vim-cmd vmsvc/${verb} ${command(id, ...words)}`;
  const result = await shell.run(text, { once, timeoutMs, ...(signal === undefined ? {} : { signal }) });
  const answer = `${result.stdout.toString('utf8')}\n${result.stderr}`;
  const fault = faultIn(answer);
  if (isAbsent(fault, answer)) throw unknownVm(id);
  return { text: answer, fault, exitCode: result.exitCode };
}

/** What the host had to say of a failure, in one line. */
export function saidBy({ text, fault }: Pick<VimAnswer, 'text' | 'fault'>): string {
  const last = nonEmpty(text.trim().split('\n').at(-1)?.slice(0, 200));
  return ((fault ? pickString(fault, 'msg') : null) ?? last ?? 'the host printed nothing').replace(/\.$/, '');
}

function isAbsent(fault: VimObject | null, text: string): boolean {
  const ofSnapshot = /snapshot/i.test((fault && pickString(fault, 'msg')) ?? '');
  return (fault?.type.endsWith('.NotFound') === true && !ofSnapshot) || /unable to find a VM corresponding/i.test(text);
}

/** The fault in an answer, which may have a heading (`Create Snapshot:`) before it. */
function faultIn(text: string): VimObject | null {
  const from = text.search(/^\(vim\.fault\.|^\(vmodl\.fault\./m);
  if (from < 0) return null;
  try {
    const value = parseVimObject(text.slice(from));
    return isFault(value) ? value : null;
  } catch {
    return null;
  }
}

function unknownVm(id: string): StackferryError {
  return new StackferryError('vm.not_found', `The host knows no VM with the id ${JSON.stringify(id)}.`, {
    hint: '`stackferry inventory` lists the ids; a VM that was registered anew has another one.',
    exitCode: 2,
  });
}
