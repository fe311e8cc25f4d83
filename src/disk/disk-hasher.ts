import { CHUNK_BYTES, ContentHasher, isZero, type OnChunk } from './content-hash.js';
import { ChunkDigestThread } from './digest-thread.js';
import type { DiskPiece } from './disk-layout.js';

/** Chunks whose digests may be waited for at once. */
const AT_ONCE = 1;

/**
 * Hashes a disk from the pieces of it that hold data, in order; what no piece covers is zeros and costs nothing. The
 * digests of the chunks are computed on a thread of their own, beside the work of the program. Call `digest` or `close`
 * in the end.
 */
export class DiskHasher {
  readonly #capacityBytes: number;
  readonly #onChunk: OnChunk | undefined;
  readonly #content = new ContentHasher();
  readonly #thread = new ChunkDigestThread();
  /** Chunks up to here are in the content hash, or on their way into it. */
  #next = 0;
  /** The chunk that is not complete, and up to where of it the thread has been given. */
  #open: { index: number; at: number } | null = null;
  #line: { index: number; digest: Promise<Buffer> }[] = [];
  #position = 0;

  /** @param onChunk told of each chunk that holds data; a chunk without any is not told of */
  constructor(capacityBytes: number, onChunk?: OnChunk) {
    this.#capacityBytes = capacityBytes;
    this.#onChunk = onChunk;
  }

  /** Passes pieces on, unchanged. */
  async *through(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<DiskPiece> {
    let isWhole = false;
    try {
      for await (const piece of pieces) {
        await this.update(piece);
        yield piece;
      }
      isWhole = true;
    } finally {
      // Also where whoever takes the pieces turns away: nobody asks for the digest then.
      if (!isWhole) await this.close();
    }
  }

  /** The next piece; none may cross the end of a 4 MiB chunk. Bytes of the ring must not be changed, others may be. */
  async update({ offset, bytes }: DiskPiece): Promise<void> {
    const index = Math.floor(offset / CHUNK_BYTES);
    const end = offset + bytes.length;
    const chunkEnd = Math.min(this.#capacityBytes, (index + 1) * CHUNK_BYTES);
    if (offset < this.#position || end > chunkEnd) {
      throw new RangeError(`a piece at ${offset} of ${bytes.length} bytes does not follow ${this.#position}`);
    }
    this.#position = end;
    if (this.#open && this.#open.index !== index) await this.#close(this.#open);
    if (!isZero(bytes)) {
      this.#open ??= { index, at: index * CHUNK_BYTES };
      this.#thread.add(offset - this.#open.at, bytes);
      this.#open.at = end;
      await this.#thread.room();
    }
    if (this.#open && end === chunkEnd) await this.#close(this.#open);
  }

  /** `sha256-4m:…` of the whole disk. Nothing can be added afterwards. */
  async digest(): Promise<string> {
    if (this.#open) await this.#close(this.#open);
    while (this.#line.length > 0) await this.#settle();
    await this.close();
    this.#content.zeros(this.#capacityBytes - this.#next * CHUNK_BYTES);
    return this.#content.digest();
  }

  /** Ends the thread. Safe to call twice. */
  async close(): Promise<void> {
    await this.#thread.close();
  }

  /** What is left of the chunk is zeros. */
  async #close({ index, at }: { index: number; at: number }): Promise<void> {
    this.#open = null;
    const digest = this.#thread.end(Math.min(this.#capacityBytes, (index + 1) * CHUNK_BYTES) - at);
    digest.catch(() => undefined); // told by whoever waits for it
    this.#line.push({ index, digest });
    if (this.#line.length > AT_ONCE) await this.#settle();
  }

  /** Takes the oldest digest into the hash, and the chunks of zeros before it. */
  async #settle(): Promise<void> {
    const [oldest] = this.#line;
    if (!oldest) return;
    const digest = await oldest.digest;
    this.#line.shift();
    this.#content.zeros((oldest.index - this.#next) * CHUNK_BYTES);
    this.#content.chunk(digest);
    this.#next = oldest.index + 1;
    this.#onChunk?.(oldest.index, digest);
  }
}
