import { StackferryError, isCode, retry, type Context } from '../../core/index.js';
import { remotePath } from '../export/paths.js';
import { lastLine } from '../read-error.js';
import { command, quote, sh, type RemoteShell } from '../ssh/index.js';
import { isCloneFile, runOfName } from './names.js';

/** How often a file that something still holds is tried to be removed; a clone that was stopped needs a moment to end. */
const TRIES = 6;

/**
 * Makes the folder of a run's clones, in datastore form: `[datastore1] stackferry-r…-1`.
 * @throws StackferryError `esxi.clone_failed` where it cannot be made, or is there already.
 */
export async function makeFolder(shell: RemoteShell, ctx: Context, folder: string): Promise<void> {
  const { exitCode, stderr } = await shell.run(command('mkdir', remotePath(folder)), {
    signal: ctx.signal,
    once: true,
  });
  if (exitCode === 0) return;
  throw new StackferryError('esxi.clone_failed', `The folder ${folder} could not be made: ${reasonIn(stderr)}.`, {
    hint: 'Name a datastore that takes files with --clone-datastore NAME.',
  });
}

/**
 * Removes a folder of clones and what is in it, if that is nothing but what we make. One that is not there is fine.
 * @throws StackferryError `esxi.clone_left`, which says what stays and how to remove it by hand.
 */
export async function removeFolder(shell: RemoteShell, ctx: Context, folder: string): Promise<void> {
  const path = remotePath(folder);
  const left = (why: string) =>
    new StackferryError('esxi.clone_left', `The folder ${folder} could not be removed: ${why}.`, {
      hint: `Look what is in it; by hand on the host: rm -r ${quote(path)}`,
      details: { folder },
    });
  if (runOfName(path.slice(path.lastIndexOf('/') + 1)) === null) throw left('its name is none of ours');
  const policy = { what: `remove ${folder}`, attempts: TRIES, delayMs: 500, maxDelayMs: 5_000 };
  await retry(ctx, { ...policy, retryable: (error) => isCode(error, 'esxi.clone_busy') }, async () => {
    const names = await filesIn(shell, ctx, path, left);
    if (names === null) return;
    const strange = names.find((name) => !isCloneFile(name));
    if (strange !== undefined) throw left(`it holds ${JSON.stringify(strange)}, which is not ours`);
    const files = names.map((name) => `${path}/${name}`);
    const remove = files.length === 0 ? '' : `${command('rm', '-f', ...files)} && `;
    const { exitCode, stderr } = await shell.run(`${remove}${command('rmdir', path)}`, { signal: ctx.signal });
    if (exitCode === 0) return;
    if (!/busy|not empty/i.test(stderr)) throw left(reasonIn(stderr));
    throw new StackferryError('esxi.clone_busy', left(reasonIn(stderr)).message, {
      hint: `By hand on the host: rm -r ${quote(path)}`,
    });
  });
}

/** Names in a folder; null where there is none. */
async function filesIn(
  shell: RemoteShell,
  ctx: Context,
  path: string,
  left: (why: string) => StackferryError,
): Promise<string[] | null> {
  const script = sh`if [ -L ${path} ]; then echo link; exit 3; fi; [ -e ${path} ] || exit 4; ls -1A ${path}`;
  const { exitCode, stdout, stderr } = await shell.run(script, { signal: ctx.signal });
  if (exitCode === 4) return null;
  if (exitCode === 3) throw left('it is a symbolic link');
  if (exitCode !== 0) throw left(reasonIn(stderr));
  return stdout
    .toString('utf8')
    .split('\n')
    .filter((name) => name !== '');
}

/** Why a command gave up, by what it said last. */
export function reasonIn(text: string): string {
  return lastLine(text).replace(/\.$/, '') || 'the host gave no reason';
}
