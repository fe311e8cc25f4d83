import type { Context } from '../../core/index.js';
import { MIB, StackferryError, isCode, retry, throwIfAborted } from '../../core/index.js';
import { CHUNK_BYTES, chunkDigest } from '../../disk/index.js';
import { readFailed, readLost, readRefused } from '../read-error.js';
import { quote, type RemoteShell } from '../ssh/index.js';

/** A stream that gives no byte for so long is taken for dead. */
const STALL_MS = 120_000;

export interface Range {
  remotePath: string;
  /** A multiple of 4 MiB. */
  from: number;
  bytes: number;
}

export interface ProvedChunk {
  index: number;
  digest: Buffer;
}

/** Takes a chunk's bytes; they are only valid until it returns. `again`: an earlier try may have written there. */
export type ChunkSink = (index: number, bytes: Buffer, again: boolean) => Promise<void>;

/** Holds a limit of the rate: it may wait before more is taken from the wire. */
export type Pace = (bytes: number) => Promise<void> | undefined;

/**
 * Reads a range of a file on the host, chunk by chunk, and gives the chunks' digests. It counts only with exit status 0
 * and the exact number of bytes; what goes wrong costs this range alone, which is read again (five tries).
 */
export async function readRange(
  shell: RemoteShell,
  range: Range,
  ctx: Context,
  sink: ChunkSink,
  pace?: Pace,
): Promise<ProvedChunk[]> {
  const what = `read ${range.remotePath} at ${range.from / MIB} MiB`;
  const policy = { what, attempts: 5, delayMs: 1000, maxDelayMs: 20_000, retryable: mayGoAway };
  return retry(ctx, policy, (attempt) => readOnce(shell, range, ctx, sink, { again: attempt > 1, pace }));
}

function mayGoAway(error: unknown): boolean {
  return ['esxi.connection_lost', 'esxi.unreachable', 'esxi.command_timeout', 'esxi.read_failed'].some((code) =>
    isCode(error, code),
  );
}

async function readOnce(
  shell: RemoteShell,
  range: Range,
  ctx: Context,
  sink: ChunkSink,
  { again, pace }: { again: boolean; pace: Pace | undefined },
): Promise<ProvedChunk[]> {
  const { remotePath, from, bytes } = range;
  // Whole MiB only: `skip` in a small unit is slow, and busybox's dd knows no other. The last block may be short.
  const blocks = `bs=${MIB} skip=${from / MIB} count=${Math.ceil(bytes / MIB)}`;
  const running = await shell.stream(`dd if=${quote(remotePath)} ${blocks}`);
  const proved: ProvedChunk[] = [];
  let got = 0;
  let ended = false;
  const watch = { stalled: false };
  const stall = setTimeout(() => {
    watch.stalled = true;
    running.kill();
  }, STALL_MS);
  const stop = () => running.kill();
  ctx.signal.addEventListener('abort', stop, { once: true });
  try {
    throwIfAborted(ctx.signal);
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes));
    let filled = 0;
    const close = async () => {
      const index = from / CHUNK_BYTES + proved.length;
      const content = chunk.subarray(0, filled);
      const digest = chunkDigest(content);
      await sink(index, content, again);
      proved.push({ index, digest });
      filled = 0;
    };
    for await (const piece of running.stdout as AsyncIterable<Buffer>) {
      await pace?.(piece.length);
      stall.refresh();
      got += piece.length;
      if (got > bytes) break;
      for (let at = 0; at < piece.length;) {
        const copied = piece.copy(chunk, filled, at);
        at += copied;
        filled += copied;
        if (filled === chunk.length) await close();
      }
    }
    ended = got <= bytes;
    if (filled > 0 && got === bytes) await close();
  } catch (error) {
    throwIfAborted(ctx.signal);
    if (error instanceof StackferryError) throw error;
    throw lost(range, got, error);
  } finally {
    if (!ended) {
      clearTimeout(stall);
      ctx.signal.removeEventListener('abort', stop);
      running.kill();
    }
  }
  const { exitCode, stderr } = await running.finished.finally(() => {
    clearTimeout(stall);
    ctx.signal.removeEventListener('abort', stop);
  });
  throwIfAborted(ctx.signal);
  if (watch.stalled) throw lost(range, got, new Error(`no byte for ${STALL_MS / 1000} s`));
  if (got > bytes) throw readFailed(remotePath, `the host sent more than the ${bytes} bytes that were asked for`);
  if (exitCode === null) throw lost(range, got, undefined);
  if (exitCode !== 0) throw readRefused(remotePath, stderr);
  if (got !== bytes) {
    throw readFailed(
      remotePath,
      `the host sent ${got} of ${bytes} bytes and called it complete (was the file cut short?)`,
    );
  }
  return proved;
}

function lost({ remotePath, bytes }: Range, got: number, cause: unknown): StackferryError {
  return readLost(remotePath, `after ${got} of ${bytes} bytes`, cause);
}
