import { constants } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { messageOf, systemCode } from '../../core/index.js';
import { LocalBytes } from '../../disk/index.js';
import { packageError, unsafePath } from './faults.js';

const MAX_NAME_BYTES = 1024;

/**
 * A name inside a package in its one form, without `.` parts. Throws `package.unsafe_path` for what could lead anywhere
 * else: an absolute path, `..`, a drive, a device, a scheme, a backslash, control characters.
 * @param where who names it, for messages
 */
export function memberName(name: string, where: string): string {
  const bad = (why: string) => unsafePath(where, name, why);
  if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES) throw bad('which is empty or too long');
  if (/[\0-\x1f\x7f\\]/.test(name)) throw bad('which holds a backslash or control characters');
  if (name.startsWith('/')) throw bad('an absolute path');
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) throw bad('which is a URL or names a drive');
  const parts = name.split('/').filter((part) => part !== '.' && part !== '');
  if (parts.includes('..')) throw bad('which leads out of the package');
  if (parts.length === 0) throw bad('which is no file');
  return parts.join('/');
}

/**
 * Opens a regular file below a folder: the one way by which files that a package names are opened. `root` is the
 * folder's real path. Links are followed only where they end below it; the file that is opened is the one that was
 * looked at. Throws `package.unsafe_path`, `package.missing_file`, `file.unreadable`.
 */
export async function openBelow(root: string, name: string, where: string): Promise<LocalBytes> {
  const path = join(root, memberName(name, where));
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(path, error);
    throw packageError(
      'package.missing_file',
      where,
      `names the file ${JSON.stringify(name.slice(0, 200))}, which is not in ${root}`,
      undefined,
      error,
    );
  }
  if (!real.startsWith(root.endsWith(sep) ? root : root + sep))
    throw unsafePath(where, name, 'a link out of its folder');
  return openRegular(real, where, name);
}

/** Opens a file by the name that a person gave: any link is followed. Throws `package.missing_file`, `file.unreadable`. */
export async function openGiven(path: string): Promise<{ real: string; file: LocalBytes }> {
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(path, error);
    throw packageError('package.missing_file', path, 'is not there', 'Check the name.', error);
  }
  return { real, file: await openRegular(real, path, path) };
}

async function openRegular(real: string, where: string, name: string): Promise<LocalBytes> {
  try {
    const before = await lstat(real);
    // Before it is opened: to open a device or a pipe has effects of its own.
    if (!before.isFile()) throw unsafePath(where, name, 'which is no regular file');
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const after = await file.stat();
    if (after.ino !== before.ino || after.dev !== before.dev) {
      await file.close();
      throw unsafePath(where, name, 'which was exchanged while it was looked at');
    }
    return await LocalBytes.of(real, file);
  } catch (error) {
    if (systemCode(error)?.startsWith('E') !== true) throw error;
    throw unreadable(real, error);
  }
}

function unreadable(path: string, error: unknown): Error {
  return packageError('file.unreadable', path, `cannot be read: ${messageOf(error)}`, 'Check its permissions.', error);
}
