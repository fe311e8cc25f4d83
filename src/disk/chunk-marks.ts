import { createHash, type Hash } from 'node:crypto';
import { CHUNK_BYTES, zerosDigest } from './content-hash.js';
import type { Range } from './ranges.js';

/** So much of a chunk's SHA-256 is kept. */
export const MARK_BYTES = 3;
/** Chunks whose digests have a sum of their own: what three bytes cannot tell, it does. */
export const GROUP_CHUNKS = 64;
export const SUM_BYTES = 8;

/**
 * What is kept of the digests of a disk's 4 MiB chunks: three bytes of each SHA-256, eight bytes for each 64 chunks over
 * their whole digests, and which chunks are known. It takes 0.82 MiB for each TiB of the disk.
 */
export class ChunkMarks {
  readonly capacityBytes: number;
  /** How many chunks the disk has. */
  readonly chunks: number;
  readonly marks: Buffer;
  readonly sums: Buffer;
  /** A bit for each chunk. */
  readonly known: Buffer;
  #next = 0;
  /** Over the digests of the group that is being noted. */
  #group: Hash = createHash('sha256');

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.chunks = Math.ceil(capacityBytes / CHUNK_BYTES);
    this.marks = Buffer.alloc(this.chunks * MARK_BYTES);
    this.sums = Buffer.alloc(Math.ceil(this.chunks / GROUP_CHUNKS) * SUM_BYTES);
    this.known = Buffer.alloc(Math.ceil(this.chunks / 8));
  }

  /** Chunks that were noted so far: the next one is this. */
  get noted(): number {
    return this.#next;
  }

  has(index: number): boolean {
    return ((this.known[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  get count(): number {
    let count = 0;
    for (let index = 0; index < this.chunks; index++) if (this.has(index)) count++;
    return count;
  }

  /** Whether a chunk that is known has this digest, as far as three bytes tell. */
  matches(index: number, digest: Buffer): boolean {
    const at = index * MARK_BYTES;
    return this.has(index) && this.marks.subarray(at, at + MARK_BYTES).equals(digest.subarray(0, MARK_BYTES));
  }

  /** Whether the whole digests of a group of 64 chunks, in order, are those that were noted. True where that is not known. */
  groupMatches(group: number, digests: readonly Buffer[]): boolean {
    const sum = this.#sum(group);
    const hash = createHash('sha256');
    for (const digest of digests) hash.update(digest);
    return isUnset(sum) || sumOf(hash).equals(sum);
  }

  /** Notes a chunk. They come in the disk's order, each once; those that are left out in between are zeros. */
  note(index: number, digest: Buffer): void {
    if (index < this.#next || index >= this.chunks) throw new RangeError(`chunk ${index} is out of order`);
    while (this.#next < index) this.#take(zerosDigest(this.#length(this.#next)));
    this.#take(digest);
  }

  /** All chunks behind the last one that was noted are zeros. */
  noteRest(): void {
    while (this.#next < this.chunks) this.#take(zerosDigest(this.#length(this.#next)));
  }

  /**
   * Where another reading of the disk first differs from this one: a chunk, or a group of 64 where only its sum tells.
   * Null where what is known of both agrees.
   */
  firstDifference(other: ChunkMarks): Range | null {
    const chunks = Math.min(this.chunks, other.chunks);
    for (let index = 0; index < chunks; index++) {
      const at = index * MARK_BYTES;
      const isSame = this.marks.compare(other.marks, at, at + MARK_BYTES, at, at + MARK_BYTES) === 0;
      if (!isSame && this.has(index) && other.has(index)) return this.#range(index, 1);
      if ((index + 1) % GROUP_CHUNKS !== 0 && index + 1 !== this.chunks) continue;
      const group = Math.floor(index / GROUP_CHUNKS);
      const [one, two] = [this.#sum(group), other.#sum(group)];
      if (!isUnset(one) && !isUnset(two) && !one.equals(two)) return this.#range(group * GROUP_CHUNKS, GROUP_CHUNKS);
    }
    return null;
  }

  #take(digest: Buffer): void {
    const index = this.#next++;
    const group = Math.floor(index / GROUP_CHUNKS);
    const isNew = !this.matches(index, digest);
    digest.copy(this.marks, index * MARK_BYTES, 0, MARK_BYTES);
    this.known[index >>> 3] = (this.known[index >>> 3] ?? 0) | (1 << (index & 7));
    if (index % GROUP_CHUNKS === 0) this.#group = createHash('sha256');
    this.#group.update(digest);
    if ((index + 1) % GROUP_CHUNKS === 0 || index + 1 === this.chunks) sumOf(this.#group).copy(this.#sum(group));
    // Of a group that is noted once more as it was, the sum is kept: what is read back is compared with it.
    else if (isNew) this.#sum(group).fill(0);
  }

  #length(index: number): number {
    return Math.min(CHUNK_BYTES, this.capacityBytes - index * CHUNK_BYTES);
  }

  #range(index: number, count: number): Range {
    const offset = index * CHUNK_BYTES;
    return { offset, length: Math.min(count * CHUNK_BYTES, this.capacityBytes - offset) };
  }

  #sum(group: number): Buffer {
    return this.sums.subarray(group * SUM_BYTES, (group + 1) * SUM_BYTES);
  }
}

function isUnset(sum: Buffer): boolean {
  return sum.every((byte) => byte === 0);
}

function sumOf(hash: Hash): Buffer {
  const sum = hash.digest().subarray(0, SUM_BYTES);
  return isUnset(sum) ? Buffer.alloc(SUM_BYTES, 1) : sum;
}
