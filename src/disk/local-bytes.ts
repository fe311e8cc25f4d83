import { open, type FileHandle } from 'node:fs/promises';
import { StackferryError, messageOf } from '../core/index.js';
import { readFully } from './content-hash.js';
import type { ByteSource } from './disk-layout.js';

/** A local file as a {@link ByteSource}. Reads may run side by side; close it when none is under way. */
export class LocalBytes implements ByteSource {
  readonly name: string;
  readonly bytes: number;
  readonly #file: FileHandle;

  private constructor(path: string, bytes: number, file: FileHandle) {
    this.name = path;
    this.bytes = bytes;
    this.#file = file;
  }

  /** Opens a regular file to read. Throws `file.unreadable`. */
  static async open(path: string): Promise<LocalBytes> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      throw unreadable(path, error);
    }
    return LocalBytes.of(path, file);
  }

  /** A regular file that is open already; it is this one's to close. `name` is for messages. Throws `file.unreadable`. */
  static async of(name: string, file: FileHandle): Promise<LocalBytes> {
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error('it is no regular file');
      return new LocalBytes(name, stat.size, file);
    } catch (error) {
      await file.close();
      throw unreadable(name, error);
    }
  }

  /** Exactly so many bytes. Throws `disk.short_file` where the file ends before, `file.unreadable` where it cannot be read. */
  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let got: number;
    try {
      got = await readFully(this.#file, buffer, position);
    } catch (error) {
      throw unreadable(this.name, error);
    }
    if (got !== length) {
      throw new StackferryError(
        'disk.short_file',
        `${this.name} ends after ${position + got} bytes; ${position + length} were expected.`,
        { hint: 'The file was cut short or changed meanwhile: copy it again.' },
      );
    }
    return buffer;
  }

  /** A word that is another one once the file was written to or exchanged: size, time and inode. */
  async state(): Promise<string> {
    const { size, mtimeMs, dev, ino } = await this.#file.stat();
    return `${size} ${mtimeMs} ${dev}:${ino}`;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function unreadable(path: string, error: unknown): StackferryError {
  return new StackferryError('file.unreadable', `Cannot read ${path}: ${messageOf(error)}.`, {
    hint: 'Check that the file is there and that you may read it.',
    cause: error,
  });
}
