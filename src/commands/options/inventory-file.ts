import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { StackferryError, UsageError, messageOf, systemCode, type Context } from '../../core/index.js';
import type { Inventory } from '../../esxi/index.js';
import type { App } from '../app.js';
import { sourceTarget, type SourceOptions, type SourceTarget } from './source.js';

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
 */
export async function readSavedHost(
  app: Pick<App, 'cwd' | 'env'>,
  file: string,
  options: SourceOptions,
): Promise<{ inventory: Inventory; address: SourceTarget; savedAt: string | null }> {
  const { parseSavedHost } = await import('../../migration/saved-inventory.js');
  const { inventory, source, savedAt } = parseSavedHost(
    await readInventoryText(app.cwd, file),
    file === '-' ? 'stdin' : file,
  );
  return { inventory, savedAt, address: options.esxi === undefined && source ? source : sourceTarget(app, options) };
}

/** Warns where what a command rests on is older than a week. */
export async function warnOfAge(ctx: Pick<Context, 'events' | 'clock'>, savedAt: string | null): Promise<void> {
  const { daysSince, oldInventory } = await import('../../migration/saved-age.js');
  const old = oldInventory(daysSince(savedAt, ctx.clock.now()));
  if (old) ctx.events.emit({ kind: 'warning', ...old });
}
