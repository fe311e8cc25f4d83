import { open, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KIB, StackferryError, formatBytes, messageOf, systemCode } from '../core/index.js';
import { isZero, readFully } from './content-hash.js';

/** Zeros are left out in blocks of this size: what file systems and qemu-img take as a unit of allocation. */
const BLOCK_BYTES = 64 * KIB;

export interface SparseFileOptions {
  /** The file's size when it is finished. */
  size: number;
  /** Keep what the file holds (to go on with it); otherwise it begins empty. */
  keep: boolean;
}

/**
 * A local file that is written in any order and keeps runs of zeros as holes. Where bytes of an earlier try may lie,
 * zeros are written over them. A full disk is `converter.space`; what was written stays, so that the work can go on.
 */
export class SparseFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #size: number;
  /** Where the file had bytes when it was opened: below this, a zero block may have to be written. */
  readonly #oldEnd: number;

  private constructor(path: string, file: FileHandle, size: number, oldEnd: number) {
    this.path = path;
    this.#file = file;
    this.#size = size;
    this.#oldEnd = oldEnd;
  }

  static async open(path: string, options: SparseFileOptions): Promise<SparseFile> {
    try {
      // 'a' would ignore positions and 'w' would cut: create if missing, then open to read and write.
      const made = await open(path, options.keep ? 'a' : 'w');
      await made.close();
      const file = await open(path, 'r+');
      return new SparseFile(path, file, options.size, options.keep ? (await file.stat()).size : 0);
    } catch (error) {
      throw await writeError(path, options.size, error);
    }
  }

  /** Writes bytes at a position; blocks of zeros become (or stay) holes. */
  async write(position: number, bytes: Uint8Array, dirty = false): Promise<void> {
    if (position + bytes.byteLength > this.#size) {
      throw new RangeError(`${this.path}: a write past the size of ${this.#size} bytes`);
    }
    try {
      let from = -1;
      for (let at = 0; at < bytes.byteLength;) {
        const end = Math.min(bytes.byteLength, at + BLOCK_BYTES - ((position + at) % BLOCK_BYTES));
        const block = bytes.subarray(at, end);
        if (isZero(block) && !(await this.#mustClear(position + at, block.byteLength, dirty))) {
          if (from >= 0) await this.#put(bytes.subarray(from, at), position + from);
          from = -1;
        } else if (from < 0) {
          from = at;
        }
        at = end;
      }
      if (from >= 0) await this.#put(bytes.subarray(from), position + from);
    } catch (error) {
      throw await writeError(this.path, this.#size - position, error);
    }
  }

  /** Reads what is there; a hole and what lies past the end read as zeros. */
  async read(position: number, buffer: Uint8Array): Promise<void> {
    const got = await readFully(this.#file, buffer, position);
    buffer.fill(0, got);
  }

  /** Bytes on disk, metadata that is needed to find them included. */
  async sync(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (error) {
      throw await writeError(this.path, 0, error);
    }
  }

  /** Gives the file its exact size (a hole at the end has not made it grow) and puts it on disk. */
  async finish(): Promise<void> {
    try {
      await this.#file.truncate(this.#size);
      await this.#file.sync();
    } catch (error) {
      throw await writeError(this.path, 0, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #mustClear(position: number, length: number, dirty: boolean): Promise<boolean> {
    if (!dirty && position >= this.#oldEnd) return false;
    const old = Buffer.allocUnsafe(length);
    const got = await readFully(this.#file, old, position);
    return !isZero(old.subarray(0, got));
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.byteLength - at, position + at);
      at += bytesWritten;
    }
  }
}

/** The error for a file that cannot be written; a full disk or quota is `converter.space`. */
export async function writeError(path: string, neededBytes: number, error: unknown): Promise<unknown> {
  if (error instanceof StackferryError || error instanceof RangeError) return error;
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    const free = await freeBytes(dirname(path)).catch(() => Infinity);
    const why =
      code === 'EDQUOT'
        ? 'your quota is used up'
        : code === 'EFBIG'
          ? 'the file is too large for it'
          : 'no space is left';
    const needed = neededBytes > 0 ? `up to ${formatBytes(neededBytes)} more are needed` : 'more is needed';
    const left = free === Infinity ? '' : `, ${formatBytes(free)} are free`;
    return new StackferryError('converter.space', `Cannot write ${path}: ${why} there (${needed}${left}).`, {
      hint: 'Free space there and run it again (what is done is kept), or choose another place with --output DIR.',
      cause: error,
      details: { path, needed_bytes: neededBytes, free_bytes: free === Infinity ? null : free },
    });
  }
  return new StackferryError('file.unwritable', `Cannot write ${path}: ${messageOf(error)}.`, {
    hint: 'Check the folder and its permissions, or choose another place with --output DIR.',
    cause: error,
  });
}

/**
 * Bytes that this user may still write where `path` lies; for a path that does not exist yet, where it would be made.
 * Infinity where the file system does not say (it counts no blocks at all, as /proc and some of FUSE's do).
 * @throws StackferryError `file.unwritable` where there is no way to such a path.
 */
export async function freeBytes(path: string): Promise<number> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { blocks, bavail, bsize } = await statfs(at);
      return blocks === 0 ? Infinity : bavail * bsize;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || dirname(at) === at) throw await writeError(path, 0, error);
    }
  }
}
