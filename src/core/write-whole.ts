import { randomBytes } from 'node:crypto';
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { systemCode } from './errors.js';

export interface WriteWholeOptions {
  /** Of the file; unset, that of the file which is there, or what the umask leaves. */
  mode?: number;
  /** False: a file that is there stays, and EEXIST is thrown. A link counts as there, wherever it points. */
  replace?: boolean;
}

/**
 * Writes a file as a whole or not at all: a reader sees the old or the new one, never half, also after a crash. The text
 * goes into a new file beside it, is flushed to disk, and then takes the name. A link stays a link: what it points to is
 * written. Throws the system's own errors.
 */
export async function writeWhole(path: string, text: string, options: WriteWholeOptions = {}): Promise<void> {
  const { replace = true } = options;
  const target = replace ? ((await orNothing(realpath(path))) ?? path) : path;
  const before = replace && options.mode === undefined ? await orNothing(stat(target)) : undefined;
  const mode = options.mode ?? (before && before.mode & 0o777);
  const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', mode ?? 0o666);
    try {
      // The umask may have taken something of what the file had.
      if (mode !== undefined) await handle.chmod(mode);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await (replace ? rename(temporary, target) : link(temporary, target));
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What a look at the file system gives; undefined where there is nothing. */
export async function orNothing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
