import { createHash, type Hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackferryError, throwIfAborted, type Context } from '../core/index.js';
import { CHUNK_BYTES, ContentHasher, type OnChunk } from '../disk/index.js';
import { mapRuns, type Run } from './map-runs.js';
import { openNbd } from './nbd-server.js';
import { checkSource } from './check-source.js';
import { bytesAt, withFile } from './source.js';
import type { SourceFormat } from './types.js';

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** What was read, as the guest sees it. */
export interface GuestViewHash {
  contentHash: string;
  /** SHA-256 of all bytes in order, where asked for: unlike the content hash it must hash zeros too. */
  sha256: string | null;
  bytes: number;
}

interface HashOptions {
  /** Also the SHA-256 of all bytes in order. */
  sha256?: boolean;
  /** Told of every chunk. */
  onChunk?: OnChunk;
}

/** Reads exactly so many bytes of the guest's view. */
type ReadExactly = (offset: number, length: number) => Promise<Buffer>;

/**
 * The content hash of an image's guest view, in whatever format: `qemu-img map` says which ranges are zeros, the others
 * are read (from a raw file as it is, else through a qemu-nbd of our own on a private socket). Nothing is written.
 */
export async function hashGuestView(
  path: string,
  format: string,
  ctx: Context,
  onProgress: (done: number) => void,
  options: HashOptions = {},
): Promise<GuestViewHash> {
  const runs = await mapRuns(path, format, ctx);
  const hashes = { content: new ContentHasher(options.onChunk), whole: options.sha256 ? createHash('sha256') : null };
  if (format === 'raw') {
    return withFile(path, async (file) => {
      const { size } = await file.stat();
      return hashRuns((offset, length) => bytesAt(file, offset, length), size, runs, ctx, onProgress, hashes);
    });
  }
  const reader = await openNbd(path, format, ctx);
  try {
    return await hashRuns(reader.read, reader.bytes, runs, ctx, onProgress, hashes);
  } finally {
    await reader.close();
    throwIfAborted(ctx.signal);
  }
}

async function hashRuns(
  readExactly: ReadExactly,
  size: number,
  runs: readonly Run[],
  ctx: Context,
  onProgress: (done: number) => void,
  { content: hasher, whole }: { content: ContentHasher; whole: Hash | null },
): Promise<GuestViewHash> {
  let at = 0;
  for (const run of runs) {
    if (run.start !== at) break;
    const end = Math.min(size, run.start + run.length);
    if (run.zero) {
      hasher.zeros(end - at);
      for (let left = end - at; whole !== null && left > 0; left -= CHUNK_BYTES) {
        whole.update(ZEROS.subarray(0, Math.min(left, CHUNK_BYTES)));
      }
      at = end;
      continue;
    }
    const read = (from: number) => (from < end ? readExactly(from, Math.min(CHUNK_BYTES, end - from)) : null);
    // One read ahead, so that qemu-nbd works while this process hashes.
    let next = read(at);
    while (next !== null) {
      throwIfAborted(ctx.signal);
      const bytes = await next;
      if (bytes.length === 0) break;
      next = read(at + bytes.length);
      next?.catch(() => undefined);
      hasher.update(bytes);
      whole?.update(bytes);
      at += bytes.length;
      onProgress(at);
    }
  }
  if (at !== size) {
    throw new StackferryError('convert.failed', `qemu-img maps only ${at} of the image's ${size} bytes.`, {
      hint: 'Check the image with `qemu-img check`.',
    });
  }
  return { contentHash: hasher.digest(), sha256: whole?.digest('hex') ?? null, bytes: at };
}

/**
 * The hashes of a local image or VMDK set (whole chains included), checked first as {@link checkSource} does. Told as
 * bytes that move, under the given label. A format that is not said is told from the content. `onOpen` is told of the
 * disk's size before the first chunk, where more than qemu-img can tell it.
 */
export async function hashImage(
  path: string,
  format: SourceFormat | undefined,
  ctx: Context,
  options: HashOptions & { label: string; onOpen?: (capacityBytes: number) => void },
): Promise<GuestViewHash & { format: SourceFormat }> {
  const workDir = await mkdtemp(join(tmpdir(), 'stackferry-'));
  const task = `hash ${path}`;
  const start = ctx.clock.now();
  let done = 0;
  let ok = false;
  try {
    const checked = await checkSource(path, format, workDir, ctx);
    const total = checked.capacityBytes ?? 0;
    if (checked.capacityBytes !== null) options.onOpen?.(checked.capacityBytes);
    ctx.events.emit({ kind: 'bytes.started', task, label: options.label, total, done });
    const onProgress = (bytes: number) => {
      done = bytes;
      ctx.events.emit({ kind: 'bytes.progress', task, done, total });
    };
    const hashed = await hashGuestView(checked.path, checked.format, ctx, onProgress, options);
    ok = true;
    return { ...hashed, format: checked.format };
  } finally {
    ctx.events.emit({ kind: 'bytes.finished', task, done, seconds: (ctx.clock.now() - start) / 1000, ok });
    await rm(workDir, { recursive: true, force: true });
  }
}
