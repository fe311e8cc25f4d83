import { MIB, retry, throwIfAborted, type Context } from '../../core/index.js';
import { CHUNK_BYTES, chunkDigest } from '../../disk/index.js';
import { fileRead, type OpenStream, type RemoteFile } from '../read/index.js';
import { mayGoAway } from '../read-error.js';

export interface Range {
  /** The file, with its whole size. */
  file: RemoteFile;
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
 * Reads a range of a file on the host, chunk by chunk, and gives the chunks' digests. It counts only whole; what goes
 * wrong costs this range alone, which is read again (five tries).
 */
export async function readRange(
  streams: OpenStream,
  range: Range,
  ctx: Context,
  sink: ChunkSink,
  pace?: Pace,
): Promise<ProvedChunk[]> {
  const what = `read ${range.file.path} at ${range.from / MIB} MiB`;
  const policy = { what, attempts: 5, delayMs: 1000, maxDelayMs: 20_000, retryable: mayGoAway };
  return retry(ctx, policy, (attempt) => readOnce(streams, range, ctx, sink, { again: attempt > 1, pace }));
}

async function readOnce(
  streams: OpenStream,
  { file, from, bytes }: Range,
  ctx: Context,
  sink: ChunkSink,
  { again, pace }: { again: boolean; pace: Pace | undefined },
): Promise<ProvedChunk[]> {
  const stream = await streams([file], ctx);
  const proved: ProvedChunk[] = [];
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes));
  let filled = 0;
  const close = async () => {
    const content = chunk.subarray(0, filled);
    const index = from / CHUNK_BYTES + proved.length;
    const digest = chunkDigest(content);
    await sink(index, content, again);
    proved.push({ index, digest });
    filled = 0;
  };
  let ended = false;
  try {
    const read = fileRead(0, file, from, bytes);
    stream.ask([read]);
    await stream.receive(read, async (piece) => {
      await pace?.(piece.length);
      throwIfAborted(ctx.signal);
      for (let at = 0; at < piece.length;) {
        const copied = piece.copy(chunk, filled, at);
        at += copied;
        filled += copied;
        // The last one waits: it counts once the end of the range was seen.
        if (filled === chunk.length && (proved.length + 1) * CHUNK_BYTES < bytes) await close();
      }
    });
    await close();
    await stream.end();
    ended = true;
    return proved;
  } catch (error) {
    throwIfAborted(ctx.signal);
    throw error;
  } finally {
    if (!ended) stream.kill();
  }
}
