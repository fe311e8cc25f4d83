import { createHash } from 'node:crypto';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { StackferryError, messageOf } from '../core/index.js';
import { CHUNK_BYTES, readFully } from './content-hash.js';
import { writeError } from './sparse-file.js';

/** So much of a chunk's SHA-256 is kept. */
const MARK_BYTES = 3;
/** Chunks whose digests have a sum of their own once all of them are known: what three bytes cannot tell, it does. */
export const GROUP_CHUNKS = 64;
const SUM_BYTES = 8;
const HEADER_BYTES = 4096;

/** Which disk a manifest is about: as soon as one of these differs, nothing of it counts. */
export interface ManifestOf {
  capacityBytes: number;
  /** What tells this state of the source from any other. */
  source: string;
  /** The file or volume that was written. */
  target: string;
}

/**
 * Which 4 MiB chunks of a disk are at their target, and by which digests they are known there: what lets a killed copy go
 * on. One file of fixed places: a header, three bytes of each chunk's SHA-256, eight bytes for each 64 chunks over their
 * whole digests, and a bit for each chunk, which is set last; so a torn write loses chunks and never invents one. It
 * takes 0.82 MiB for each TiB of the disk, however much of it holds data.
 *
 * Call {@link save} only once the chunks that were noted are on stable storage.
 */
export class ChunkManifest {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #chunks: number;
  readonly #marks: Buffer;
  readonly #sums: Buffer;
  readonly #known: Buffer;
  /** Digests of the group that is being filled, until its sum can be made. */
  #group: { index: number; digests: (Buffer | null)[] } | null = null;
  /** First and last chunk that was noted and is not saved. */
  #changed: { first: number; last: number } | null = null;

  private constructor(path: string, file: FileHandle, chunks: number) {
    this.#path = path;
    this.#file = file;
    this.#chunks = chunks;
    this.#marks = Buffer.alloc(chunks * MARK_BYTES);
    this.#sums = Buffer.alloc(Math.ceil(chunks / GROUP_CHUNKS) * SUM_BYTES);
    this.#known = Buffer.alloc(Math.ceil(chunks / 8));
  }

  /** Goes on with the manifest at `path` where it is of the same source and target; begins it anew otherwise. */
  static async open(path: string, of: ManifestOf): Promise<ChunkManifest> {
    const header = headerOf(of);
    const chunks = Math.ceil(of.capacityBytes / CHUNK_BYTES);
    try {
      const old = await openOld(path, header);
      const file = old ?? (await begin(path, header));
      const manifest = new ChunkManifest(path, file, chunks);
      if (old) await manifest.#load();
      return manifest;
    } catch (error) {
      throw await writeError(path, 0, error);
    }
  }

  /** Whether the chunk was noted and saved as being at the target. */
  has(index: number): boolean {
    return ((this.#known[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  get count(): number {
    let count = 0;
    for (let index = 0; index < this.#chunks; index++) if (this.has(index)) count++;
    return count;
  }

  /** Whether a chunk that is known has this digest, as far as three bytes tell. */
  matches(index: number, digest: Buffer): boolean {
    const at = index * MARK_BYTES;
    return this.has(index) && this.#marks.subarray(at, at + MARK_BYTES).equals(digest.subarray(0, MARK_BYTES));
  }

  /**
   * Whether the whole digests of a group of 64 chunks, in order, are those that were noted. True where its sum is not
   * known: chunks of it hold no data, or it was not complete.
   */
  groupMatches(group: number, digests: readonly Buffer[]): boolean {
    const sum = this.#sums.subarray(group * SUM_BYTES, (group + 1) * SUM_BYTES);
    return sum.every((byte) => byte === 0) || sumOf(digests).equals(sum);
  }

  /** Notes a chunk that was written. */
  note(index: number, digest: Buffer): void {
    digest.copy(this.#marks, index * MARK_BYTES, 0, MARK_BYTES);
    const group = Math.floor(index / GROUP_CHUNKS);
    if (this.#group?.index !== group) this.#group = { index: group, digests: new Array<null>(GROUP_CHUNKS).fill(null) };
    this.#group.digests[index % GROUP_CHUNKS] = digest;
    const all = this.#group.digests.slice(0, Math.min(GROUP_CHUNKS, this.#chunks - group * GROUP_CHUNKS));
    const sum = this.#sums.subarray(group * SUM_BYTES, (group + 1) * SUM_BYTES);
    if (all.every((item) => item !== null)) sumOf(all).copy(sum);
    else sum.fill(0);
    const { first, last } = this.#changed ?? { first: index, last: index };
    this.#changed = { first: Math.min(first, index), last: Math.max(last, index) };
    this.#pending.push(index);
  }

  readonly #pending: number[] = [];

  /** A chunk whose bytes at the target are not those that were noted. */
  async forget(index: number): Promise<void> {
    this.#known[index >>> 3] = (this.#known[index >>> 3] ?? 0) & ~(1 << (index & 7));
    await this.#write(this.#known, index >>> 3, 1, this.#knownAt);
    await this.#file.datasync();
  }

  /** Puts what was noted on disk: the digests first, then that they count. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    const { first, last } = this.#changed;
    try {
      await this.#write(this.#marks, first * MARK_BYTES, (last - first + 1) * MARK_BYTES, HEADER_BYTES);
      const groups = [Math.floor(first / GROUP_CHUNKS), Math.floor(last / GROUP_CHUNKS)] as const;
      await this.#write(this.#sums, groups[0] * SUM_BYTES, (groups[1] - groups[0] + 1) * SUM_BYTES, this.#sumsAt);
      await this.#file.datasync();
      for (const index of this.#pending.splice(0)) {
        this.#known[index >>> 3] = (this.#known[index >>> 3] ?? 0) | (1 << (index & 7));
      }
      await this.#write(this.#known, first >>> 3, (last >>> 3) - (first >>> 3) + 1, this.#knownAt);
      await this.#file.datasync();
      this.#changed = null;
    } catch (error) {
      throw await writeError(this.#path, 0, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  get #sumsAt(): number {
    return HEADER_BYTES + this.#marks.length;
  }

  get #knownAt(): number {
    return this.#sumsAt + this.#sums.length;
  }

  async #load(): Promise<void> {
    // A part that is not there yet reads as nothing known.
    await readFully(this.#file, this.#marks, HEADER_BYTES);
    await readFully(this.#file, this.#sums, this.#sumsAt);
    await readFully(this.#file, this.#known, this.#knownAt);
  }

  async #write(buffer: Buffer, from: number, length: number, base: number): Promise<void> {
    await this.#file.write(buffer, from, Math.min(length, buffer.length - from), base + from);
  }
}

function sumOf(digests: readonly (Buffer | null)[]): Buffer {
  const hash = createHash('sha256');
  for (const digest of digests) if (digest) hash.update(digest);
  const sum = hash.digest().subarray(0, SUM_BYTES);
  return sum.every((byte) => byte === 0) ? Buffer.alloc(SUM_BYTES, 1) : sum;
}

function headerOf(of: ManifestOf): Buffer {
  const text = JSON.stringify({
    version: 1,
    chunk_bytes: CHUNK_BYTES,
    capacity_bytes: of.capacityBytes,
    // Of any length: paths and times of many files.
    source: createHash('sha256').update(of.source).digest('hex'),
    target: createHash('sha256').update(of.target).digest('hex'),
  });
  const header = Buffer.alloc(HEADER_BYTES, ' ');
  header.write(`${text}\n`);
  return header;
}

async function openOld(path: string, header: Buffer): Promise<FileHandle | null> {
  let file: FileHandle;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StackferryError('file.unreadable', `Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
  }
  const there = Buffer.alloc(HEADER_BYTES);
  await readFully(file, there, 0);
  if (there.equals(header)) return file;
  await file.close();
  return null;
}

async function begin(path: string, header: Buffer): Promise<FileHandle> {
  const file = await open(`${path}.new`, 'w+', 0o600);
  await file.write(header, 0, header.length, 0);
  await file.sync();
  await rename(`${path}.new`, path);
  return file;
}
