import { Worker } from 'node:worker_threads';
import { deferred, type Deferred } from '../core/index.js';
import { releaseChunkBuffer, retainChunkBuffer, sharedMemoryOf } from './chunk-buffers.js';

/** Bytes that may wait for the thread, a chunk; whoever gives more waits, so that it has the next one before it. */
const MOST_WAITING = 4 * 1024 ** 2;
const ZERO_BYTES = 1024 ** 2;
/** States after zeros from the beginning are kept for multiples of this, up to a chunk: that of a partly empty one. */
const STATE_STEP = 64 * 1024;
const MOST_STATES = 64;

/**
 * The thread's own program; a text, so that it runs the same from sources, a build and a bundle. A message is so many
 * zeros, then bytes, then perhaps the end, which begins anew. Each has an answer.
 */
const PROGRAM = `
const { createHash } = require('node:crypto');
const { parentPort, workerData: names } = require('node:worker_threads');
const ZEROS = Buffer.alloc(${ZERO_BYTES});
const states = new Map();
let hashes = null;
const begin = () => names.map((name) => createHash(name));
const addZeros = (count) => {
  for (let left = count; left > 0; left -= ZEROS.length) {
    for (const hash of hashes) hash.update(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
  }
};
const beginWithZeros = (count) => {
  const known = states.get(count);
  if (known) {
    hashes = known.map((hash) => hash.copy());
    return;
  }
  hashes = begin();
  addZeros(count);
  const isKept = count % ${STATE_STEP} === 0 && count <= ${STATE_STEP * MOST_STATES};
  if (isKept) states.set(count, hashes.map((hash) => hash.copy()));
};
parentPort.on('message', ({ zeros, bytes, end }) => {
  if (hashes === null) beginWithZeros(zeros);
  else addZeros(zeros);
  if (bytes) for (const hash of hashes) hash.update(bytes);
  let digests;
  if (end) {
    digests = hashes.map((hash) => hash.digest('hex'));
    hashes = null;
  }
  parentPort.postMessage({ taken: zeros + (bytes ? bytes.length : 0), digests });
});
`;

/** So many zeros, then bytes, then perhaps the end of what is hashed together. */
interface Part {
  zeros?: number;
  bytes?: Uint8Array;
  end?: boolean;
}

interface Answer {
  taken: number;
  digests?: string[];
}

/** A thread that hashes one sequence of bytes after the other. Answers come in the order of what it was given. */
class HashThread {
  readonly #worker: Worker;
  #waiting = 0;
  #room: Deferred<void> | null = null;
  readonly #line: { shared: Uint8Array | null; answer: Deferred<readonly string[]> }[] = [];
  #failure: Error | null = null;

  constructor(names: readonly string[]) {
    this.#worker = new Worker(PROGRAM, {
      eval: true,
      workerData: names,
      // It makes next to no garbage: a small heap keeps the memory of the whole program small.
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, codeRangeSizeMb: 4, stackSizeMb: 1 },
    });
    this.#worker.on('message', (answer: Answer) => {
      this.#waiting -= answer.taken;
      const next = this.#line.shift();
      if (next?.shared) releaseChunkBuffer(next.shared);
      next?.answer.resolve(answer.digests ?? []);
      if (this.#line.length === 0) this.#worker.unref();
      if (this.#waiting <= MOST_WAITING) this.#room?.resolve();
    });
    this.#worker.on('error', (error) => {
      this.#fail(error);
    });
    this.#worker.on('exit', () => {
      this.#fail(new Error('the thread for digests ended'));
    });
    this.#worker.unref();
  }

  /**
   * Gives a part to the thread: bytes of the ring as they are, others as a copy. Settles with the digests, where it is
   * the end of a sequence.
   */
  give({ zeros = 0, bytes, end = false }: Part): Promise<readonly string[]> {
    const answer = deferred<readonly string[]>();
    answer.promise.catch(() => undefined); // told by whoever waits for it
    if (this.#failure) {
      answer.reject(this.#failure);
      return answer.promise;
    }
    // Whoever waits for an answer may have nothing else that keeps the program alive.
    this.#worker.ref();
    this.#waiting += zeros + (bytes?.byteLength ?? 0);
    if (bytes && sharedMemoryOf(bytes)) {
      retainChunkBuffer(bytes);
      this.#line.push({ shared: bytes, answer });
      this.#worker.postMessage({ zeros, bytes, end });
      return answer.promise;
    }
    this.#line.push({ shared: null, answer });
    const copy = bytes && new Uint8Array(bytes); // in memory of its own, which can be handed over
    this.#worker.postMessage({ zeros, bytes: copy, end }, copy ? [copy.buffer] : []);
    return answer.promise;
  }

  /** The digests of the sequence so far, which ends here. */
  end(): Promise<readonly string[]> {
    return this.give({ end: true });
  }

  /** Waits until the thread has caught up. */
  async room(): Promise<void> {
    while (this.#waiting > MOST_WAITING) {
      if (this.#failure) throw this.#failure;
      this.#room = deferred();
      await this.#room.promise;
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
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
    void this.#thread.give({ bytes });
    await this.#thread.room();
  }

  /** So many zeros. */
  async zeros(count: number): Promise<void> {
    for (let left = count; left > 0; left -= MOST_WAITING) {
      void this.#thread.give({ zeros: Math.min(left, MOST_WAITING) });
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

/** SHA-256 digests of chunks that come in parts, one after the other, computed on a thread beside the program. */
export class ChunkDigestThread {
  readonly #thread = new HashThread(['sha256']);

  /** More of the present chunk: so many zeros, then bytes. Those of the ring must not be changed, others may be. */
  add(zeros: number, bytes: Uint8Array): void {
    void this.#thread.give({ zeros, bytes });
  }

  /** So many zeros more, and the digest of the chunk; the next one begins. */
  async end(zeros: number): Promise<Buffer> {
    const [digest] = await this.#thread.give({ zeros, end: true });
    return Buffer.from(digest ?? '', 'hex');
  }

  /** Waits until the thread has caught up. */
  async room(): Promise<void> {
    await this.#thread.room();
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
