import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from './errors.js';

/**
 * Makes a folder and those above it that are missing; one that is there already is left as it is. Not by Node's own
 * `recursive`: where the system says ENOENT although the parent is there (/proc, /sys), that never ends.
 * @throws the system's error, for its caller to put into words.
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode });
    return;
  } catch (error) {
    const above = dirname(path);
    if (systemCode(error) === 'EEXIST') {
      if ((await stat(path)).isDirectory()) return;
      throw error;
    }
    if (systemCode(error) !== 'ENOENT' || above === path) throw error;
    if (!(await isThere(above))) await makeFolders(above, mode);
  }
  // The folder above is there now, or has come meanwhile: what fails now fails for good.
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
