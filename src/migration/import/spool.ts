import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackferryError, formatBytes, orNothing } from '../../core/index.js';
import { freeBytes } from '../../disk/index.js';
import { isAlive, thisProcess } from '../state/process.js';

/** Named after its process, so that what a killed one left is known and removed by the next. */
const NAME = /^stackferry-import-(\d{1,10})\.(\d{1,20})\./;

/** A folder for disks that qemu-img reads and that lie in an archive or behind a URL. */
export class Spool {
  #dir: Promise<string> | null = null;
  #files = 0;

  /**
   * A path for a new file.
   * @param bytes what it will hold; null: not known
   * @throws StackferryError `converter.space`
   */
  async path(name: string, bytes: number | null): Promise<string> {
    const dir = await (this.#dir ??= makeFolder());
    const free = await freeBytes(dir);
    if (bytes !== null && bytes > free) {
      throw new StackferryError(
        'converter.space',
        `${name} is copied to ${dir} to be read there: it has ${formatBytes(bytes)}, and ${formatBytes(free)} are free.`,
        { hint: 'Set TMPDIR to a folder with room, or give the disk as a file on this machine.', exitCode: 3 },
      );
    }
    return join(dir, String(this.#files++));
  }

  async close(): Promise<void> {
    const dir = (await this.#dir?.catch(() => null)) ?? null;
    if (dir !== null) await rm(dir, { recursive: true, force: true });
  }
}

async function makeFolder(): Promise<string> {
  for (const name of (await orNothing(readdir(tmpdir()))) ?? []) {
    const match = NAME.exec(name);
    if (!match?.[1] || !match[2] || (await isAlive({ pid: Number(match[1]), started: match[2] }))) continue;
    // Of another account it stays: it is that one's.
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
  const { pid, started } = await thisProcess();
  return mkdtemp(join(tmpdir(), `stackferry-import-${pid}.${started}.`));
}
