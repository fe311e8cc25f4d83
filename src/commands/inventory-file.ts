import { resolve } from 'node:path';
import { StackferryError, messageOf, writeWhole } from '../core/index.js';

/**
 * Writes a saved inventory as a whole or not at all, over what is there, for its owner's eyes alone: it tells names,
 * addresses and notes of a whole site.
 * @throws StackferryError `output.unwritable`
 */
export async function writeInventoryFile(cwd: string, file: string, inventory: object): Promise<void> {
  const path = resolve(cwd, file);
  try {
    await writeWhole(path, `${JSON.stringify(inventory, null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    throw new StackferryError('output.unwritable', `${file} cannot be written: ${messageOf(error)}`, {
      hint: 'Choose another place with --save FILE.',
      cause: error,
    });
  }
}
