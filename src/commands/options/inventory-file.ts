import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { StackferryError, UsageError, messageOf, systemCode } from '../../core/index.js';

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
