import { open, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StackferryError, messageOf } from '../core/index.js';

/**
 * Writes a saved inventory as a whole or not at all, over what is there, for its owner's eyes alone: it tells names,
 * addresses and notes of a whole site.
 * @throws StackferryError `output.unwritable`
 */
export async function writeInventoryFile(cwd: string, file: string, inventory: object): Promise<void> {
  const path = resolve(cwd, file);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(inventory, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    throw new StackferryError('output.unwritable', `${file} cannot be written: ${messageOf(error)}`, {
      hint: 'Choose another place with --save FILE.',
      cause: error,
    });
  } finally {
    await rm(temporary, { force: true });
  }
}
