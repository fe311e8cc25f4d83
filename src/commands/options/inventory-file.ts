import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { StackferryError, UsageError, messageOf, systemCode, type Context } from '../../core/index.js';
import type { Inventory } from '../../esxi/index.js';
import type { App } from '../app.js';
import { addressOptions, sourceTarget, type SourceOptions, type SourceTarget } from './source.js';

/** The text of a saved inventory; `-` is stdin. */
export async function readInventoryText(cwd: string, file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(resolve(cwd, file), 'utf8');
  } catch (error) {
    const hint = 'Write one: stackferry inventory --esxi HOST --save FILE';
    if (systemCode(error) === 'ENOENT') throw new UsageError(`There is no file ${file}.`, hint);
    throw new StackferryError('inventory.unreadable', `${file} cannot be read: ${messageOf(error)}`, {
      hint: 'Name a file that you may read.',
      exitCode: 2,
      cause: error,
    });
  }
}

/**
 * The saved inventory of `--from`, for commands that then ask no host; and the host that they are about: the one it
 * was read from, unless options name another (by which it is reached now).
 * @param options as they were said: what a plan knows is not in them
 * @param planned the host of the plan that it is looked at for
 * @throws StackferryError `plan.other_host` (exit code 3) where it was read from another host than the plan's, and
 *   `--esxi` does not say that this is meant
 */
export async function readSavedHost(
  app: Pick<App, 'cwd' | 'env'>,
  file: string,
  options: SourceOptions,
  planned?: SourceTarget,
): Promise<{ inventory: Inventory; address: SourceTarget; savedAt: string | null }> {
  const { parseSavedHost } = await import('../../migration/saved-inventory.js');
  const name = file === '-' ? 'stdin' : file;
  const { inventory, source, savedAt } = parseSavedHost(await readInventoryText(app.cwd, file), name);
  const said = options.esxi !== undefined;
  if (planned && source && !said) assertSameHost(planned, source, name);
  const known = planned ?? source;
  const address =
    said || !known ? sourceTarget(app, planned ? { ...addressOptions(planned), ...options } : options) : known;
  return { inventory, savedAt, address };
}

/** Hosts number their VMs alike, so those of another one would pass for the plan's. */
function assertSameHost(planned: SourceTarget, source: SourceTarget, name: string): void {
  const nameOf = ({ host, port }: SourceTarget) => `${host.toLowerCase()}${port === 22 ? '' : `, SSH port ${port}`}`;
  if (nameOf(planned) === nameOf(source)) return;
  throw new StackferryError(
    'plan.other_host',
    `${name} is an inventory of ${nameOf(source)}, and the plan is for ${nameOf(planned)}.`,
    {
      hint: `Use one of the plan's host: stackferry inventory --esxi ${planned.host} --save FILE. Where both names are of one host, say so: --esxi ${planned.host}`,
      exitCode: 3,
    },
  );
}

/** Warns where what a command rests on is older than a week. */
export async function warnOfAge(ctx: Pick<Context, 'events' | 'clock'>, savedAt: string | null): Promise<void> {
  const { daysSince, oldInventory } = await import('../../migration/saved-age.js');
  const old = oldInventory(daysSince(savedAt, ctx.clock.now()));
  if (old) ctx.events.emit({ kind: 'warning', ...old });
}
