import { lstat, open, realpath, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StackferryError, TIB, formatBytes, messageOf, systemCode } from '../core/index.js';
import { readFully } from '../disk/index.js';
import type { SourceFormat } from './types.js';

/** The largest disk that vSphere makes; an image that says more lies, or is none that we can move. */
export const MAX_DISK_BYTES = 62 * TIB;

/** A file that the result depends on, as it was when it was looked at. */
export interface SourceFile {
  path: string;
  bytes: number;
  mtimeMs: number;
  allocatedBytes: number;
}

/** A source that was checked and that qemu-img may see. */
export interface CheckedSource {
  /** What qemu-img is given; absolute. */
  path: string;
  format: SourceFormat;
  /** Size of the guest's view; null where only qemu-img can tell it. */
  capacityBytes: number | null;
  files: SourceFile[];
}

export function sourceError(code: string, path: string, why: string, hint: string, cause?: unknown): StackferryError {
  return new StackferryError(code, `${path} ${why}.`, { hint, cause });
}

export function tooLarge(path: string, bytes: number): StackferryError {
  return sourceError(
    'disk.too_large',
    path,
    `says that its disk has ${formatBytes(bytes)}; 62 TiB is the limit`,
    'Check the file.',
  );
}

/**
 * The regular file behind a path, which must not lead out of the given folder (a symbolic link may only lead to a file
 * in it). Without a folder any link is followed: that is the name the user typed.
 */
export async function regularFile(path: string, folder: string | null): Promise<SourceFile> {
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    const missing = systemCode(error) === 'ENOENT';
    const hint =
      folder === null && /^[a-z][a-z0-9+-]*:/i.test(basename(path))
        ? 'Only files on this machine can be converted: download it first.'
        : 'Check the name; copy all files of the disk into one folder.';
    const why = missing ? 'is not there' : `cannot be read: ${messageOf(error)}`;
    throw sourceError(missing ? 'disk.missing' : 'file.unreadable', path, why, hint, error);
  }
  if (folder !== null && dirname(real) !== folder) {
    throw sourceError(
      'disk.bad_descriptor',
      path,
      'leads out of its own folder; it is not followed',
      'Copy all files of the disk into one folder.',
    );
  }
  const { size, mtimeMs, blocks, isFile } = await stat(real);
  if (!isFile) throw sourceError('disk.bad_descriptor', path, 'is no regular file', 'Give the disk’s file.');
  return { path: real, bytes: size, mtimeMs, allocatedBytes: blocks * 512 };
}

async function stat(path: string): Promise<{ size: number; mtimeMs: number; blocks: number; isFile: boolean }> {
  const stats = await lstat(path);
  return { size: stats.size, mtimeMs: stats.mtimeMs, blocks: stats.blocks, isFile: stats.isFile() };
}

/** The file of this bare name in the folder. Throws `disk.bad_descriptor` for a name that is none. */
export async function fileBeside(folder: string, name: string, namedBy: string): Promise<SourceFile> {
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
    throw sourceError(
      'disk.bad_descriptor',
      namedBy,
      `names the file ${JSON.stringify(name)} outside its own folder; it is not followed`,
      'Copy all files of the disk into one folder and give the descriptor there.',
    );
  }
  return regularFile(join(folder, name), folder);
}

/** Opens a file to read, for the time of `work`. */
export async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw sourceError('file.unreadable', path, `cannot be read: ${messageOf(error)}`, 'Check its permissions.', error);
  }
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Up to so many bytes at a position. */
export async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, await readFully(file, buffer, position));
}
