import { createReadStream } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { CHUNK_BYTES, ContentHasher, DIGEST_BYTES, writeError } from '../../disk/index.js';
import type { ExtentPlan } from './types.js';

/** The digests of a file's 4 MiB chunks that are proved to be here. */
export class ChunkDigests {
  readonly count: number;
  readonly #digests: Buffer;
  readonly #known: Uint8Array;

  constructor(fileBytes: number) {
    this.count = Math.ceil(fileBytes / CHUNK_BYTES);
    this.#digests = Buffer.alloc(this.count * DIGEST_BYTES);
    this.#known = new Uint8Array(this.count);
  }

  has(index: number): boolean {
    return this.#known[index] === 1;
  }

  get(index: number): Buffer {
    return this.#digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
  }

  set(index: number, digest: Uint8Array): void {
    this.#digests.set(digest, index * DIGEST_BYTES);
    this.#known[index] = 1;
  }

  forget(index: number): void {
    this.#known[index] = 0;
  }

  /** Gives all chunks to a hasher, in order. Only when all are known. */
  feed(hasher: ContentHasher): void {
    for (let index = 0; index < this.count; index++) {
      if (!this.has(index)) throw new RangeError(`chunk ${index} is not proved`);
      hasher.chunk(this.get(index));
    }
  }

  contentHash(): string {
    const hasher = new ContentHasher();
    this.feed(hasher);
    return hasher.digest();
  }
}

interface Header {
  version: 1;
  path: string;
  token: string;
  bytes: number;
  chunk_bytes: number;
}

/**
 * What a proof file says: which source it is about, and the digests of chunks that were on disk when they were noted.
 * One JSON line, then a line `INDEX HEX` for each chunk; a later line wins, a torn or odd line counts as not there.
 */
export interface StoredProof {
  path: string;
  token: string;
  digests: ChunkDigests;
}

/** Reads a proof file; null where there is none, or none that can be read. */
export async function readProof(file: string): Promise<StoredProof | null> {
  let proof: StoredProof | null = null;
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  try {
    for await (const line of lines) {
      if (proof === null) {
        const header = parseHeader(line);
        if (!header) return null;
        proof = { path: header.path, token: header.token, digests: new ChunkDigests(header.bytes) };
        continue;
      }
      const match = /^(\d{1,9}) ([0-9a-f]{64})$/.exec(line);
      const index = Number(match?.[1]);
      if (match?.[2] && index < proof.digests.count) proof.digests.set(index, Buffer.from(match[2], 'hex'));
    }
  } catch {
    return null;
  } finally {
    lines.close();
  }
  return proof;
}

function parseHeader(line: string): Header | null {
  try {
    const header = JSON.parse(line) as Partial<Header>;
    const { version, path, token, bytes, chunk_bytes } = header;
    if (version !== 1 || chunk_bytes !== CHUNK_BYTES || typeof path !== 'string' || typeof token !== 'string')
      return null;
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0 || bytes > 2 ** 50) return null;
    return { version, path, token, bytes, chunk_bytes };
  } catch {
    return null;
  }
}

/** Appends proofs to a file. Call {@link ProofWriter.note} only for chunks that are on disk (after fdatasync). */
export class ProofWriter {
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Goes on with a proof file, or begins it anew. */
  static async open(path: string, extent: ExtentPlan, goOn: boolean): Promise<ProofWriter> {
    try {
      if (!goOn) await rm(path, { force: true });
      const file = await open(path, 'a', 0o600);
      const writer = new ProofWriter(path, file);
      const header: Header = {
        version: 1,
        path: extent.remotePath,
        token: extent.token,
        bytes: extent.bytes,
        chunk_bytes: CHUNK_BYTES,
      };
      // A line of an earlier run may be torn: the line break ends it.
      await writer.#append(goOn ? '\n' : `${JSON.stringify(header)}\n`);
      return writer;
    } catch (error) {
      throw await writeError(path, 0, error);
    }
  }

  async note(chunks: readonly { index: number; digest: Buffer }[]): Promise<void> {
    try {
      await this.#append(chunks.map(({ index, digest }) => `${index} ${digest.toString('hex')}\n`).join(''));
    } catch (error) {
      throw await writeError(this.#path, 0, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #append(text: string): Promise<void> {
    await this.#file.appendFile(text);
  }
}
