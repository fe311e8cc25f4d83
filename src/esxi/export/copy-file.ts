import { lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StackferryError, systemCode, throwIfAborted, type Context } from '../../core/index.js';
import { CHUNK_BYTES, SparseFile, chunkDigest, writeError, type RangeList } from '../../disk/index.js';
import { withoutTurn } from '../clone/names.js';
import { ChunkDigests, ProofWriter, readProof, type StoredProof } from './proof.js';
import type { ProvedChunk, Range } from './range.js';
import type { ExtentPlan } from './types.js';

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/**
 * One file on its way here: data in `NAME.part`, the digests of what is proved in `.NAME.proof`. The proof stays
 * beside the complete file, so that a later run can tell that it need not be copied again.
 */
export class FileCopy {
  readonly extent: ExtentPlan;
  readonly path: string;
  readonly digests: ChunkDigests;
  readonly #file: SparseFile;
  readonly #proof: ProofWriter;

  /** Whether the file was there before. */
  readonly #isKept: boolean;

  private constructor(
    extent: ExtentPlan,
    path: string,
    parts: { digests: ChunkDigests; file: SparseFile; proof: ProofWriter; isKept: boolean },
  ) {
    this.extent = extent;
    this.path = path;
    this.digests = parts.digests;
    this.#file = parts.file;
    this.#proof = parts.proof;
    this.#isKept = parts.isKept;
  }

  /**
   * Finds what an earlier run has left and proves it again: each noted chunk is read here and hashed. Nothing counts
   * if the source's size or time is another one than then (a notice says so). Throws `export.file_exists` for a file
   * that is not of this export.
   */
  static async open(
    extent: ExtentPlan,
    folder: string,
    ctx: Context,
    onProved: (bytes: number) => void,
  ): Promise<FileCopy> {
    const path = join(folder, extent.localName);
    const partPath = `${path}.part`;
    const proofPath = join(folder, `.${extent.localName}.proof`);
    const stored = await readProof(proofPath);
    const complete = await isThere(path);
    const isOther = stored !== null && withoutTurn(stored.path) !== withoutTurn(extent.remotePath);
    if ((complete && stored === null) || isOther) {
      throw new StackferryError('export.file_exists', `${path} is there already, and it is not from this disk.`, {
        hint: 'Choose another folder with --output DIR, or move the files away.',
      });
    }
    const isSameFile = stored?.token === extent.token && stored.path === extent.remotePath;
    const same = stored !== null && isSameFile && (complete || (await isThere(partPath)));
    if (stored !== null && !isSameFile) {
      ctx.events.emit({
        kind: 'notice',
        message: `${extent.remotePath} has changed since it was copied before: it is copied again from its start.`,
      });
    }
    try {
      if (!same) await rm(path, { force: true });
      else if (complete) await rename(path, partPath);
    } catch (error) {
      throw await writeError(path, 0, error);
    }
    const file = await SparseFile.open(partPath, { size: extent.bytes, keep: same });
    try {
      const digests = same ? await prove(file, extent, stored, ctx, onProved) : new ChunkDigests(extent.bytes);
      const proof = await ProofWriter.open(proofPath, extent, same);
      return new FileCopy(extent, path, { digests, file, proof, isKept: same });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What is still to be read, in pieces of at most so many bytes, each at a chunk's start. */
  missing(rangeBytes: number): Range[] {
    const ranges: Range[] = [];
    const { remotePath: path, bytes } = this.extent;
    const perRange = Math.floor(rangeBytes / CHUNK_BYTES);
    for (let index = 0; index < this.digests.count;) {
      let end = index;
      while (end < this.digests.count && end - index < perRange && !this.digests.has(end)) end++;
      if (end > index) {
        const from = index * CHUNK_BYTES;
        ranges.push({ file: { path, bytes }, from, bytes: Math.min(bytes, end * CHUNK_BYTES) - from });
      }
      index = Math.max(end, index + 1);
    }
    return ranges;
  }

  /**
   * Takes chunks without any data for what they are, zeros, unread. Bytes that an earlier try has left there are
   * cleared.
   */
  async leaveOut(data: RangeList): Promise<void> {
    const { bytes } = this.extent;
    for (let index = 0; index < this.digests.count; index++) {
      const at = index * CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES, bytes - at);
      if (this.digests.has(index) || !data.within(at, length).next().done) continue;
      const zeros = ZEROS.subarray(0, length);
      if (this.#isKept) await this.#file.write(at, zeros, true);
      this.digests.set(index, chunkDigest(zeros));
    }
  }

  /** Bytes of the chunks that are still to be read. */
  get missingBytes(): number {
    return this.missing(CHUNK_BYTES).reduce((sum, range) => sum + range.bytes, 0);
  }

  async write(index: number, bytes: Buffer, again: boolean): Promise<void> {
    await this.#file.write(index * CHUNK_BYTES, bytes, again);
  }

  /** Puts a range's chunks on disk, then notes that they are. */
  async proved(chunks: readonly ProvedChunk[]): Promise<void> {
    await this.#file.sync();
    await this.#proof.note(chunks);
    for (const { index, digest } of chunks) this.digests.set(index, digest);
  }

  /** Gives the complete file its name. */
  async finish(): Promise<void> {
    await this.#file.finish();
    try {
      await rename(`${this.path}.part`, this.path);
      const folder = await open(dirname(this.path), 'r');
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      throw await writeError(this.path, 0, error);
    }
  }

  /** Closes the files. An interrupted copy of a file that was complete before leaves it as `.part`, proofs beside it. */
  async close(): Promise<void> {
    await this.#proof.close();
    await this.#file.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    if ((await lstat(path)).isFile()) return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw await writeError(path, 0, error);
  }
  throw new StackferryError('export.file_exists', `${path} is there already, and it is no regular file.`, {
    hint: `Choose another folder with --output DIR, or move ${basename(path)} away.`,
  });
}

async function prove(
  file: SparseFile,
  extent: ExtentPlan,
  stored: StoredProof,
  ctx: Context,
  onProved: (bytes: number) => void,
): Promise<ChunkDigests> {
  const { digests } = stored;
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, extent.bytes));
  for (let index = 0; index < digests.count; index++) {
    if (!digests.has(index)) continue;
    throwIfAborted(ctx.signal);
    const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, extent.bytes - index * CHUNK_BYTES));
    await file.read(index * CHUNK_BYTES, chunk);
    if (chunkDigest(chunk).equals(digests.get(index))) onProved(chunk.length);
    else digests.forget(index);
  }
  return digests;
}
