import { spawn } from 'node:child_process';
import { constants, type Stats } from 'node:fs';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { MIB, StackferryError, messageOf, systemCode, throwIfAborted, type Context } from '../../core/index.js';
import { CHUNK_BYTES, isZero, readFully, type RangeTarget } from '../../disk/index.js';
import { throughAnImage } from './door.js';

/** From here on the kernel is asked for zeros, which storage makes faster than they can be sent. */
const ZEROOUT_BYTES = 4 * MIB;
const ZERO_OUT = fileURLToPath(new URL('zero-out.py', import.meta.url));
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/**
 * A volume at this machine, open for this program alone: a block device, or a raw file on a share. Only what proves to be
 * the volume is opened, and nothing else is ever written to.
 */
export class VolumeTarget implements RangeTarget {
  readonly name: string;
  readonly bytes: number;
  /** Nothing was ever stored in it: a sparse file without a block. Of a device nobody can say. */
  readonly isUntouched: boolean;
  readonly #ctx: Context;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #isBlock: boolean;
  readonly #readOnly: boolean;
  #canZeroOut = true;

  private constructor(
    ctx: Context,
    of: { path: string; name: string; bytes: number; readOnly?: boolean; seen: Stats; file: FileHandle },
  ) {
    this.#ctx = ctx;
    this.#path = of.path;
    this.name = of.name;
    this.bytes = of.bytes;
    this.#file = of.file;
    this.#isBlock = of.seen.isBlockDevice();
    this.#readOnly = of.readOnly ?? false;
    this.isUntouched = !this.#isBlock && of.seen.blocks === 0;
  }

  /**
   * @param of the name for messages, and the size in bytes that Cinder says; what has another size is not the volume;
   * `readOnly`: nothing can be written to it
   * @throws StackferryError `cloud.attach_failed` for what is not it, `converter.device_busy` where the system or another
   * program uses it, `converter.not_root`
   */
  static async open(
    ctx: Context,
    path: string,
    of: { name: string; bytes: number; readOnly?: boolean },
  ): Promise<VolumeTarget> {
    const use = of.readOnly ? 'read' : 'written to';
    const refuse = (why: string, cause?: unknown) =>
      new StackferryError('cloud.attach_failed', `${of.name} is not ${use}: ${path} ${why}.`, {
        hint: `Nothing was ${of.readOnly ? 'read' : 'written'}. Run the same command again${of.readOnly ? '.' : `, or ${throughAnImage}`}`,
        ...(cause === undefined ? {} : { cause }),
      });
    let file: FileHandle;
    try {
      const before = await stat(path);
      if (!before.isBlockDevice() && !before.isFile()) throw refuse('is neither a block device nor a file');
      // On a block device O_EXCL without O_CREAT fails while it is mounted or held by another (open(2)).
      const access = of.readOnly ? constants.O_RDONLY : constants.O_RDWR;
      file = await open(path, before.isBlockDevice() ? access | constants.O_EXCL : access);
    } catch (error) {
      if (error instanceof StackferryError) throw error;
      const code = systemCode(error);
      if (code === 'EACCES' || code === 'EPERM') {
        throw new StackferryError('converter.not_root', `${path} (${of.name}) may not be ${use} by this user.`, {
          hint: of.readOnly ? 'Become root.' : `Become root, or ${throughAnImage}`,
          cause: error,
        });
      }
      if (code !== 'EBUSY') throw refuse(`cannot be opened: ${messageOf(error)}`, error);
      throw new StackferryError('converter.device_busy', `${path} (${of.name}) is in use on this machine.`, {
        hint: 'Is it mounted, or taken by LVM or multipath? See: lsblk. Nothing was written.',
        cause: error,
      });
    }
    try {
      const seen = await file.stat();
      const bytes = seen.isBlockDevice() ? await deviceBytes(seen) : seen.size;
      if (bytes !== of.bytes) throw refuse(`has ${bytes} bytes, and the volume ${of.bytes}`);
      return new VolumeTarget(ctx, { path, ...of, seen, file });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    if (offset + bytes.length > this.bytes) throw new RangeError(`${this.name}: a write past its ${this.bytes} bytes`);
    try {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, offset + at);
        at += bytesWritten;
      }
    } catch (error) {
      throw this.#failed('write to', error);
    }
  }

  /** What reads as zeros already is left alone; the rest is made zeros by the storage where it can, or overwritten. */
  async zero(offset: number, length: number): Promise<void> {
    if (this.#isBlock && length >= ZEROOUT_BYTES && (await this.#zeroOut(offset, length))) return;
    const buffer = Buffer.allocUnsafeSlow(Math.min(length, CHUNK_BYTES));
    for (let at = offset; at < offset + length;) {
      const part = buffer.subarray(0, Math.min(buffer.length, offset + length - at));
      await this.read(at, part);
      if (!isZero(part)) await this.write(at, ZEROS.subarray(0, part.length));
      at += part.length;
    }
  }

  async read(offset: number, buffer: Buffer): Promise<void> {
    let got: number;
    try {
      got = await readFully(this.#file, buffer, offset);
    } catch (error) {
      throw this.#failed('read', error);
    }
    if (got !== buffer.length) throw this.#failed('read', new Error(`it ends at ${offset + got}`));
  }

  async flush(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw this.#failed('flush', error);
    }
  }

  /** Lets go of what this machine keeps of it in memory, so that what is read next comes from the storage. */
  async forget(): Promise<void> {
    if (!this.#readOnly) await this.flush();
    // posix_fadvise(DONTNEED) for the whole of it, which Node does not offer.
    const done = await execa('dd', [`if=${this.#path}`, 'iflag=nocache', 'count=0'], { reject: false });
    if (done.failed) this.#ctx.log.debug(`the cache of ${this.#path} was not dropped: ${done.stderr}`);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /**
   * BLKZEROOUT: the kernel has the storage make zeros, or writes them itself; it never leaves what was there, as a discard
   * may. Node has no ioctl, so a helper is given the descriptor: the device is open for us alone.
   */
  async #zeroOut(offset: number, length: number): Promise<boolean> {
    if (!this.#canZeroOut || offset % 4096 !== 0 || length % 4096 !== 0) return false;
    const failed = await zeroOut(this.#file.fd, offset, length);
    throwIfAborted(this.#ctx.signal);
    if (failed === null) {
      const sample = Buffer.allocUnsafe(4096);
      for (const at of [offset, offset + length - sample.length]) {
        await this.read(at, sample);
        if (!isZero(sample)) throw this.#failed('make zeros on', new Error(`${at} is none`));
      }
      return true;
    }
    this.#ctx.log.debug(`zeros on ${this.#path} are written: ${failed}`);
    this.#canZeroOut = false;
    return false;
  }

  #failed(what: string, error: unknown): unknown {
    if (error instanceof StackferryError || error instanceof RangeError) return error;
    return new StackferryError(
      'cloud.volume_io',
      `Cannot ${what} ${this.name} at ${this.#path}: ${messageOf(error)}.`,
      {
        hint: 'Look at the way from this machine to the storage (dmesg), and run the same command again: it goes on where it was.',
        cause: error,
      },
    );
  }
}

/** Null where the kernel has made the zeros; why not, otherwise. execa hands on no descriptor. */
function zeroOut(fd: number, offset: number, length: number): Promise<string | null> {
  return new Promise((resolve) => {
    const args = ['-B', ZERO_OUT, String(offset), String(length)];
    const child = spawn('python3', args, { stdio: [fd, 'ignore', 'pipe'], detached: true });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1000)));
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? null : said.trim() || `ended with ${code ?? 'a signal'}`));
  });
}

/** Linux tells the size of a block device in 512-byte units, whatever its own sectors are. */
async function deviceBytes({ rdev }: Stats): Promise<number> {
  // makedev(3) of glibc: 12 bits of major, 20 of minor, for the numbers that Linux has.
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 2 ** 20) * 256;
  return Number((await readFile(`/sys/dev/block/${major}:${minor}/size`, 'latin1')).trim()) * 512;
}
