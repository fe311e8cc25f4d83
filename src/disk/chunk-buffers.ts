import { MIB } from '../core/index.js';
import { CHUNK_BYTES } from './content-hash.js';

/** Bytes of free buffers that are kept: about what eight streams and those behind them hold at once. */
const MOST_KEPT = 80 * MIB;

/** Free buffers by their size in MiB. */
const free = new Map<number, SharedArrayBuffer[]>();
let kept = 0;
/** How many still need a buffer that is out. One that nobody gives back is the garbage collector's. */
const users = new WeakMap<SharedArrayBuffer, number>();

/**
 * A buffer for (a part of) a chunk, out of a ring: memory that is used again costs a sixth of fresh memory, which the
 * kernel must clear page by page. Its memory is shared, so that threads hash it without a copy. What it holds is
 * whatever it held before.
 *
 * Whoever takes it is its first user; it comes back when all users have released it. Bytes must not be changed while
 * anybody else uses them.
 */
export function takeChunkBuffer(length: number): Buffer {
  if (length > CHUNK_BYTES) throw new RangeError(`a chunk has at most ${CHUNK_BYTES} bytes`);
  const size = Math.max(1, Math.ceil(length / MIB));
  const used = free.get(size)?.pop();
  if (used) kept -= used.byteLength;
  const memory = used ?? new SharedArrayBuffer(size * MIB);
  users.set(memory, 1);
  return Buffer.from(memory, 0, length);
}

/** The shared memory behind a buffer of the ring; null for any other. */
export function sharedMemoryOf(bytes: Uint8Array): SharedArrayBuffer | null {
  return bytes.buffer instanceof SharedArrayBuffer && users.has(bytes.buffer) ? bytes.buffer : null;
}

/** One user more. Nothing for bytes that are not of the ring. */
export function retainChunkBuffer(bytes: Uint8Array): void {
  const memory = sharedMemoryOf(bytes);
  if (memory) users.set(memory, (users.get(memory) ?? 0) + 1);
}

/** One user less. Nothing for bytes that are not of the ring. */
export function releaseChunkBuffer(bytes: Uint8Array): void {
  const memory = sharedMemoryOf(bytes);
  if (!memory) return;
  const left = (users.get(memory) ?? 0) - 1;
  if (left > 0) {
    users.set(memory, left);
    return;
  }
  users.delete(memory);
  if (kept + memory.byteLength > MOST_KEPT) return;
  kept += memory.byteLength;
  const size = memory.byteLength / MIB;
  const same = free.get(size) ?? [];
  free.set(size, same);
  same.push(memory);
}
