import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { MIB, StackferryError, messageOf, throwIfAborted } from '../core/index.js';

/** The unit of the content hash; the last chunk of a disk may be shorter. */
export const CHUNK_BYTES = 4 * MIB;
export const DIGEST_BYTES = 32;

const ZEROS = Buffer.alloc(CHUNK_BYTES);
const ZERO_DIGEST = createHash('sha256').update(ZEROS).digest();

/** True where all bytes are zero. At most {@link CHUNK_BYTES} at a time; a compare, so it stops at the first other byte. */
export function isZero(bytes: Uint8Array): boolean {
  return ZEROS.compare(bytes, 0, bytes.byteLength, 0, bytes.byteLength) === 0;
}

/** Told of a chunk's SHA-256, in the disk's order. */
export type OnChunk = (index: number, digest: Buffer) => void;

/** SHA-256 of so many zeros, at most a chunk of them. */
export function zerosDigest(bytes: number): Buffer {
  return bytes === CHUNK_BYTES ? ZERO_DIGEST : createHash('sha256').update(ZEROS.subarray(0, bytes)).digest();
}

/** SHA-256 of one chunk; that of a whole chunk of zeros is known. */
export function chunkDigest(chunk: Uint8Array): Buffer {
  if (chunk.byteLength > CHUNK_BYTES) throw new RangeError(`a chunk has at most ${CHUNK_BYTES} bytes`);
  if (chunk.byteLength === CHUNK_BYTES && isZero(chunk)) return ZERO_DIGEST;
  return createHash('sha256').update(chunk).digest();
}

/**
 * The content hash of a disk: `sha256-4m:HEX`, SHA-256 over the concatenated SHA-256 digests of the disk's 4 MiB
 * chunks as the guest sees them. Bytes, runs of zeros and digests of whole chunks are given in the disk's order.
 */
export class ContentHasher {
  readonly #whole = createHash('sha256');
  /** Hash of the chunk that is not complete; null while it is empty or all zeros so far. */
  #chunk: Hash | null = null;
  #filled = 0;
  #done = false;
  #index = 0;
  readonly #onChunk: OnChunk | undefined;

  /** @param onChunk told of every chunk, those of zeros included */
  constructor(onChunk?: OnChunk) {
    this.#onChunk = onChunk;
  }

  /** Bytes of any length. */
  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength;) {
      const part = bytes.subarray(at, at + CHUNK_BYTES - this.#filled);
      at += part.byteLength;
      if (this.#chunk === null && isZero(part)) {
        this.#filled += part.byteLength;
      } else {
        this.#chunk ??= createHash('sha256').update(ZEROS.subarray(0, this.#filled));
        this.#chunk.update(part);
        this.#filled += part.byteLength;
      }
      if (this.#filled === CHUNK_BYTES) this.#closeChunk();
    }
  }

  /** So many bytes of zeros, without reading or making them. */
  zeros(count: number): void {
    let left = count;
    while (left > 0) {
      const part = Math.min(left, CHUNK_BYTES - this.#filled);
      this.#chunk?.update(ZEROS.subarray(0, part));
      this.#filled += part;
      left -= part;
      if (this.#filled === CHUNK_BYTES) this.#closeChunk();
    }
  }

  /** The ready digest of the next chunk. Only between chunks; a chunk shorter than 4 MiB must be the last. */
  chunk(digest: Buffer): void {
    if (this.#filled !== 0) throw new RangeError('a chunk digest fits only at a chunk boundary');
    this.#whole.update(digest);
    this.#onChunk?.(this.#index++, digest);
  }

  /** The hash. Nothing can be added afterwards. */
  digest(): string {
    if (this.#done) throw new RangeError('the content hash was already taken');
    this.#done = true;
    if (this.#filled > 0) this.#closeChunk();
    return `sha256-4m:${this.#whole.digest('hex')}`;
  }

  #closeChunk(): void {
    const digest = this.#chunk?.digest() ?? zerosDigest(this.#filled);
    this.#chunk = null;
    this.#filled = 0;
    this.chunk(digest);
  }
}

/** A run of bytes of a file. */
export interface FilePart {
  path: string;
  offset: number;
  bytes: number;
}

interface HashOptions {
  signal: AbortSignal;
  /** Also the SHA-256 of all bytes (zeros are hashed too, so it costs a pass of its own kind). */
  sha256?: boolean;
  /** Called with the bytes done so far. */
  onProgress?: (done: number) => void;
}

interface HashResult {
  contentHash: string;
  sha256: string | null;
  bytes: number;
}

/** Reads exactly `buffer.length` bytes at `position`, or as many as there are before the end of the file. */
export async function readFully(file: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, done, buffer.byteLength - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/**
 * Hashes the concatenation of parts of files: a disk that is split into flat extents, as the guest sees it. Throws
 * `disk.short_file` where a file ends before its part does.
 */
export async function hashParts(parts: readonly FilePart[], options: HashOptions): Promise<HashResult> {
  const hasher = new ContentHasher();
  const whole = options.sha256 ? createHash('sha256') : null;
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let done = 0;
  for (const part of parts) {
    const file = await openToRead(part.path);
    try {
      for (let at = 0; at < part.bytes;) {
        throwIfAborted(options.signal);
        const want = buffer.subarray(0, Math.min(CHUNK_BYTES, part.bytes - at));
        const got = await readFully(file, want, part.offset + at);
        if (got !== want.byteLength) {
          throw new StackferryError(
            'disk.short_file',
            `${part.path} ends after ${part.offset + at + got} bytes; ${part.offset + part.bytes} were expected.`,
            { hint: 'The file was cut short or changed meanwhile: copy it again.' },
          );
        }
        hasher.update(want);
        whole?.update(want);
        at += got;
        done += got;
        options.onProgress?.(done);
      }
    } finally {
      await file.close();
    }
  }
  return { contentHash: hasher.digest(), sha256: whole?.digest('hex') ?? null, bytes: done };
}

/** Hashes a raw image: the whole file is the disk as the guest sees it. */
export async function hashRawFile(path: string, options: HashOptions): Promise<HashResult> {
  const file = await openToRead(path);
  const { size } = await file.stat().finally(() => file.close());
  return hashParts([{ path, offset: 0, bytes: size }], options);
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new StackferryError('file.unreadable', `Cannot read ${path}: ${messageOf(error)}.`, {
      hint: 'Check that the file is there and that you may read it.',
      cause: error,
    });
  }
}
