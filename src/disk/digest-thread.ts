import { Worker } from 'node:worker_threads';
import { deferred, type Deferred } from '../core/index.js';
import { releaseChunkBuffer, retainChunkBuffer, sharedMemoryOf } from './chunk-buffers.js';

/** Bytes that may wait for the thread; whoever gives more waits. */
const MOST_WAITING = 4 * 1024 ** 2;
const ZERO_BYTES = 1024 ** 2;

/**
 * The thread's own program; a text, so that it runs the same from sources, a build and a bundle. `each`: the bytes have
 * a digest of their own.
 */
const PROGRAM = `
const { createHash } = require('node:crypto');
const { parentPort, workerData } = require('node:worker_threads');
const hashes = workerData.names.map((name) => createHash(name));
const zeros = Buffer.alloc(${ZERO_BYTES});
parentPort.on('message', ({ bytes, count, each, end }) => {
  let digests;
  if (each) digests = [createHash(each).update(bytes).digest('hex')];
  else if (bytes) for (const hash of hashes) hash.update(bytes);
  for (let left = count || 0; left > 0; left -= zeros.length) {
    for (const hash of hashes) hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  }
  if (end) digests = hashes.map((hash) => hash.digest('hex'));
  parentPort.postMessage({ taken: bytes ? bytes.length : count || 0, digests });
});
`;

interface Answer {
  taken: number;
  digests?: string[];
}

/** A thread that hashes. Answers come in the order of what it was given. */
class HashThread {
  readonly #worker: Worker;
  #waiting = 0;
  #room: Deferred<void> | null = null;
  readonly #line: { bytes: Uint8Array | null; answer: Deferred<readonly string[]> }[] = [];
  #failure: Error | null = null;

  constructor(names: readonly string[]) {
    this.#worker = new Worker(PROGRAM, {
      eval: true,
      workerData: { names },
      // It makes next to no garbage: a small heap keeps the memory of the whole program small.
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, codeRangeSizeMb: 4, stackSizeMb: 1 },
    });
    this.#worker.on('message', (answer: Answer) => {
      this.#waiting -= answer.taken;
      const next = this.#line.shift();
      if (next?.bytes) releaseChunkBuffer(next.bytes);
      next?.answer.resolve(answer.digests ?? []);
      if (this.#waiting < MOST_WAITING) this.#room?.resolve();
    });
    this.#worker.on('error', (error) => {
      this.#fail(error);
    });
    this.#worker.on('exit', () => {
      this.#fail(new Error('the thread for digests ended'));
    });
    this.#worker.unref();
  }

  /** Gives bytes to the thread: those of the ring as they are, others as a copy. Settles with what it answers. */
  give(bytes: Uint8Array, each?: string): Promise<readonly string[]> {
    if (sharedMemoryOf(bytes)) {
      retainChunkBuffer(bytes);
      return this.#post({ bytes, each }, bytes.byteLength, bytes);
    }
    const copy = new Uint8Array(bytes); // in memory of its own, which can be handed over
    return this.#post({ bytes: copy, each }, bytes.byteLength, null, [copy.buffer]);
  }

  zeros(count: number): Promise<readonly string[]> {
    return this.#post({ count }, count, null);
  }

  end(): Promise<readonly string[]> {
    this.#worker.ref();
    return this.#post({ end: true }, 0, null);
  }

  /** Waits until the thread has caught up. */
  async room(): Promise<void> {
    while (this.#waiting >= MOST_WAITING) {
      if (this.#failure) throw this.#failure;
      this.#room = deferred();
      await this.#room.promise;
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(
    message: object,
    size: number,
    bytes: Uint8Array | null,
    transfer: ArrayBuffer[] = [],
  ): Promise<readonly string[]> {
    const answer = deferred<readonly string[]>();
    answer.promise.catch(() => undefined); // told by whoever waits for it
    if (this.#failure) {
      answer.reject(this.#failure);
    } else {
      this.#waiting += size;
      this.#line.push({ bytes, answer });
      this.#worker.postMessage(message, transfer);
    }
    return answer.promise;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { answer } of this.#line.splice(0)) answer.reject(this.#failure);
    this.#room?.reject(this.#failure);
  }
}

/** Digests of a stream of bytes, in hex, computed on a thread of their own. */
export class DigestThread<N extends string> {
  readonly #names: readonly N[];
  readonly #thread: HashThread;

  /** @param names as node:crypto knows them: `sha512`, `md5` */
  constructor(names: readonly N[]) {
    this.#names = names;
    this.#thread = new HashThread(names);
  }

  /** Takes bytes; waits while too many are not hashed yet. Those of the ring must not be changed, others may be. */
  async update(bytes: Uint8Array): Promise<void> {
    void this.#thread.give(bytes);
    await this.#thread.room();
  }

  /** So many zeros. */
  async zeros(count: number): Promise<void> {
    for (let left = count; left > 0; left -= MOST_WAITING) {
      void this.#thread.zeros(Math.min(left, MOST_WAITING));
      await this.#thread.room();
    }
  }

  /** The digests of all that was given. Nothing can be added afterwards; the thread ends. */
  async digest(): Promise<Record<N, string>> {
    try {
      const digests = await this.#thread.end();
      return Object.fromEntries(this.#names.map((name, at) => [name, digests[at] ?? ''])) as Record<N, string>;
    } finally {
      await this.close();
    }
  }

  /** Ends the thread, whatever it is doing. Safe to call twice. */
  async close(): Promise<void> {
    await this.#thread.close();
  }
}

/** SHA-256 digests of single chunks, computed on a thread beside the program. */
export class ChunkDigestThread {
  readonly #thread = new HashThread([]);

  async digest(bytes: Uint8Array): Promise<Buffer> {
    const [digest] = await this.#thread.give(bytes, 'sha256');
    return Buffer.from(digest ?? '', 'hex');
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
