import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { StackferryError, systemCode, throwIfAborted, type Context } from '../core/index.js';
import { NbdReader } from './nbd.js';
import { missingTool, summarize } from './qemu-img.js';

/** An image that is read through a qemu-nbd of our own. */
export interface OpenNbd {
  /** Size of its guest view. */
  readonly bytes: number;
  /** Exactly so many bytes of the guest view, at most 32 MiB. */
  read: (offset: number, length: number) => Promise<Buffer>;
  /** Ends the server; safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts a qemu-nbd on a private socket, read-only; the image was checked before ({@link checkSource}).
 * @throws StackferryError `convert.failed`, `converter.no_qemu_img`
 */
export async function openNbd(path: string, format: string, ctx: Context): Promise<OpenNbd> {
  const folder = await mkdtemp(join(tmpdir(), 'stackferry-'));
  const socket = join(folder, 'nbd');
  const stop = new AbortController();
  const server = execa(
    'qemu-nbd',
    ['--read-only', '--format', format, '--socket', socket, '--cache', 'writeback', path],
    {
      cancelSignal: AbortSignal.any([ctx.signal, stop.signal]),
      env: { LC_ALL: 'C' },
      forceKillAfterDelay: 5000,
      reject: false,
      stdin: 'ignore',
      maxBuffer: 65536,
    },
  );
  const ended = server.then((result) => {
    if (systemCode(result.cause ?? result) === 'ENOENT') throw missingTool('qemu-nbd');
    throw new StackferryError('convert.failed', `qemu-nbd could not open ${path}: ${summarize(result.stderr)}.`, {
      hint: 'Check the image with `qemu-img check`.',
    });
  });
  // Whoever waits for it hears of its end; when nobody does, its end is no news.
  ended.catch(() => undefined);
  const end = async () => {
    stop.abort();
    await ended.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const reader = await Promise.race([connectWhenUp(socket, ctx), ended]);
    return {
      bytes: reader.bytes,
      read: reader.read.bind(reader),
      close: async () => {
        reader.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throwIfAborted(ctx.signal);
    throw error;
  }
}

async function connectWhenUp(socket: string, ctx: Context): Promise<NbdReader> {
  for (let tries = 0; ; tries++) {
    throwIfAborted(ctx.signal);
    try {
      return await NbdReader.connect(socket);
    } catch (error) {
      const code = systemCode(error);
      if ((code !== 'ENOENT' && code !== 'ECONNREFUSED') || tries > 1000) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
