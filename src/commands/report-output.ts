import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StackferryError, messageOf, orNothing, writeWhole } from '../core/index.js';

/**
 * Writes a file that a program makes and nobody edits: over what is there, and so that a reader sees the old or the new
 * one, never half. A link stays a link, and what is no file (a pipe, /dev/stdout) is written to as it is.
 * @throws StackferryError `output.unwritable`
 */
export async function writeOutput(cwd: string, output: string, text: string): Promise<void> {
  const path = resolve(cwd, output);
  try {
    const there = await orNothing(stat(path));
    if (there && !there.isFile()) {
      await writeFile(path, text);
      return;
    }
    await writeWhole(path, text);
  } catch (error) {
    throw new StackferryError('output.unwritable', `${output} cannot be written: ${messageOf(error)}`, {
      hint: 'Choose another place with -o FILE.',
      cause: error,
    });
  }
}
