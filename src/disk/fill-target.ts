import { MIB, StackferryError, throwIfAborted, type Context } from '../core/index.js';
import { releaseChunkBuffer } from './chunk-buffers.js';
import { GROUP_CHUNKS } from './chunk-marks.js';
import { CHUNK_BYTES, chunkDigest } from './content-hash.js';
import { DiskHasher } from './disk-hasher.js';
import type { DiskPiece } from './disk-layout.js';
import type { ChunkManifest } from './manifest.js';
import type { RangeTarget } from './range-target.js';
import { RangeList, type Range } from './ranges.js';

/**
 * After so many bytes or so long, whichever is first, the target is flushed and the manifest saved: what a kill costs. A
 * stop costs nothing. A flush that is slow itself is asked for less often, so that it takes a tenth of the time at most.
 */
const SAVE_BYTES = 256 * MIB;
const SAVE_MS = 2000;
const SAVE_SHARE = 10;

export interface FillRequest {
  capacityBytes: number;
  /** What may hold something else than zeros. */
  data: RangeList;
  /** Reads ranges of the source, in the disk's order, cut at the chunks. */
  read: (wanted: RangeList) => AsyncIterable<DiskPiece>;
  target: RangeTarget;
  /** Whether the target reads as zeros where nothing was written; otherwise zeros are made there. */
  isBlank: boolean;
  manifest: ChunkManifest;
  ctx: Pick<Context, 'signal' | 'clock'>;
  /** Told of bytes that are at the target: newly written, or proved to be there from an earlier try. */
  onBytes: (bytes: number) => void;
}

export interface Filled {
  /** `sha256-4m:…` of the disk as it is at the target. */
  contentHash: string;
  /** Read from the source in this call. */
  readBytes: number;
  /** Found at the target, and proved. */
  keptBytes: number;
}

/**
 * Writes a disk to a target, goes on where an earlier call was cut off: a chunk that the manifest knows is read back and
 * kept where it is the one that was written, and comes from the source again where it is not. However it ends, what is at
 * the target by then is flushed and noted.
 */
export async function fillTarget(request: FillRequest): Promise<Filled> {
  return new Filling(request).run();
}

class Filling {
  readonly #request: FillRequest;
  readonly #hasher: DiskHasher;
  #read = 0;
  #kept = 0;
  #unsaved = 0;
  /** When to save next though few bytes came. */
  #saveAt: number;
  readonly #back = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Digests of chunks whose last bytes may still be on their way to the target. */
  readonly #told: { index: number; digest: Buffer }[] = [];
  /** The storage did not take in what was written: nothing more is noted. */
  #isLost = false;
  /** Kept chunks that follow one another in a group. */
  #row: { next: number; digests: Buffer[] } = { next: -1, digests: [] };

  constructor(request: FillRequest) {
    this.#request = request;
    this.#saveAt = request.ctx.clock.now() + SAVE_MS;
    this.#hasher = new DiskHasher(request.capacityBytes, (index, digest) => this.#told.push({ index, digest }));
  }

  async run(): Promise<Filled> {
    const { data, capacityBytes, manifest, isBlank } = this.#request;
    const chunks = data.aligned(CHUNK_BYTES, capacityBytes);
    const missing = RangeList.from(this.#missing(chunks));
    const pieces = this.#request.read(missing)[Symbol.asyncIterator]();
    let next = await pieces.next();
    try {
      let done = 0;
      for (const { offset, length } of chunks) {
        if (!isBlank) await this.#zero(done, offset - done);
        for (let at = offset; at < offset + length; at += CHUNK_BYTES) {
          throwIfAborted(this.#request.ctx.signal);
          const index = at / CHUNK_BYTES;
          const bytes = Math.min(CHUNK_BYTES, capacityBytes - at);
          if (manifest.has(index)) {
            await this.#keep(index, bytes);
            continue;
          }
          if (!isBlank) await this.#zeroGaps(at, bytes);
          while (next.done !== true && next.value.offset < at + bytes) {
            await this.#put(next.value);
            next = await pieces.next();
          }
        }
        done = offset + length;
      }
      if (!isBlank) await this.#zero(done, capacityBytes - done);
      if (next.done !== true) throw new RangeError('more pieces than were wanted');
    } catch (error) {
      await this.#hasher.close();
      // What went wrong first is what is told.
      if (!this.#isLost) await this.#save().catch(() => undefined);
      throw error;
    } finally {
      await pieces.return?.();
    }
    const contentHash = await this.#hasher.digest();
    this.#noteWritten();
    manifest.noteRest();
    await this.#save();
    return { contentHash, readBytes: this.#read, keptBytes: this.#kept };
  }

  /** The data of the chunks that the manifest does not know. */
  *#missing(chunks: RangeList): Generator<Range> {
    const { data, manifest, capacityBytes } = this.#request;
    for (const { offset, length } of chunks) {
      for (let at = offset; at < offset + length; at += CHUNK_BYTES) {
        if (!manifest.has(at / CHUNK_BYTES)) yield* data.within(at, Math.min(CHUNK_BYTES, capacityBytes - at));
      }
    }
  }

  async #put({ offset, bytes }: DiskPiece): Promise<void> {
    const { target, onBytes } = this.#request;
    await Promise.all([target.write(offset, bytes), this.#hasher.update({ offset, bytes })]);
    this.#noteWritten();
    releaseChunkBuffer(bytes);
    this.#read += bytes.length;
    this.#unsaved += bytes.length;
    onBytes(bytes.length);
    await this.#saveWhenDue();
  }

  async #saveWhenDue(): Promise<void> {
    const { clock } = this.#request.ctx;
    const start = clock.now();
    if (this.#unsaved < SAVE_BYTES && start < this.#saveAt) return;
    this.#unsaved = 0;
    await this.#save();
    const end = clock.now();
    this.#saveAt = end + Math.max(SAVE_MS, SAVE_SHARE * (end - start));
  }

  #noteWritten(): void {
    for (const { index, digest } of this.#told.splice(0)) this.#request.manifest.note(index, digest);
  }

  /** A chunk counts once it is on stable storage: a flush that failed once may well succeed the next time, for nothing. */
  async #save(): Promise<void> {
    this.#isLost = true;
    await this.#request.target.flush();
    this.#isLost = false;
    await this.#request.manifest.save();
  }

  /** A chunk of an earlier try: kept where it is what was written then. */
  async #keep(index: number, bytes: number): Promise<void> {
    const { target, manifest, data, onBytes } = this.#request;
    const offset = index * CHUNK_BYTES;
    const chunk = this.#back.subarray(0, bytes);
    await target.read(offset, chunk);
    const digest = chunkDigest(chunk);
    if (manifest.matches(index, digest)) {
      await this.#assertGroup(index, digest);
      await this.#hasher.update({ offset, bytes: chunk });
      this.#noteWritten();
      this.#kept += bytes;
      for (const range of data.within(offset, bytes)) onBytes(range.length);
      return;
    }
    await manifest.forget(index);
    await this.#zeroGaps(offset, bytes);
    for await (const piece of this.#request.read(RangeList.from(data.within(offset, bytes)))) await this.#put(piece);
  }

  /** Of 64 kept chunks in a row the whole digests are compared, too. */
  async #assertGroup(index: number, digest: Buffer): Promise<void> {
    const { manifest, target } = this.#request;
    if (index % GROUP_CHUNKS === 0 || index !== this.#row.next) this.#row = { next: index, digests: [] };
    this.#row.digests.push(digest);
    this.#row.next = index + 1;
    if (this.#row.digests.length < GROUP_CHUNKS) return;
    const first = index - GROUP_CHUNKS + 1;
    if (manifest.groupMatches(first / GROUP_CHUNKS, this.#row.digests)) return;
    for (let at = first; at <= index; at++) await manifest.forget(at);
    throw targetDiffers(target.name);
  }

  async #zeroGaps(offset: number, length: number): Promise<void> {
    for (const gap of this.#request.data.gapsWithin(offset, length)) await this.#zero(gap.offset, gap.length);
  }

  async #zero(offset: number, length: number): Promise<void> {
    if (length > 0) await this.#request.target.zero(offset, length);
  }
}

/** The error for a target that does not hold what was read of the source. */
export function targetDiffers(name: string): StackferryError {
  return new StackferryError('disk.target_differs', `${name} does not hold what was read of the disk.`, {
    hint: 'Run the same command again: the chunks that differ are written once more. If it stays, test the storage behind it.',
  });
}
