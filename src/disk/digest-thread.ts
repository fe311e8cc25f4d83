import { Worker } from 'node:worker_threads';
import { deferred, type Deferred } from '../core/index.js';

/** Bytes that may wait for the thread; whoever gives more waits. */
const MOST_WAITING = 16 * 1024 ** 2;
const ZERO_BYTES = 1024 ** 2;

/** The thread's own program; a text, so that it runs the same from sources, a build and a bundle. */
const PROGRAM = `
const { createHash } = require('node:crypto');
const { parentPort, workerData } = require('node:worker_threads');
const hashes = workerData.names.map((name) => createHash(name));
const zeros = Buffer.alloc(${ZERO_BYTES});
parentPort.on('message', ({ bytes, count, end }) => {
  if (bytes) for (const hash of hashes) hash.update(bytes);
  for (let left = count || 0; left > 0; left -= zeros.length) {
    for (const hash of hashes) hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  }
  parentPort.postMessage({ taken: bytes ? bytes.length : count || 0, ...(end ? { digests: hashes.map((hash) => hash.digest('hex')) } : {}) });
});
`;

interface Answer {
  taken: number;
  digests?: string[];
}

/** Digests of a stream of bytes, in hex, computed on a thread of their own. */
export class DigestThread<N extends string> {
  readonly #names: readonly N[];
  readonly #worker: Worker;
  #waiting = 0;
  #room: Deferred<void> | null = null;
  readonly #end = deferred<Record<N, string>>();

  /** @param names as node:crypto knows them: `sha512`, `md5` */
  constructor(names: readonly N[]) {
    this.#names = names;
    this.#worker = new Worker(PROGRAM, { eval: true, workerData: { names }, stdout: false, stderr: false });
    this.#worker.on('message', (answer: Answer) => {
      this.#waiting -= answer.taken;
      if (this.#waiting < MOST_WAITING) this.#room?.resolve();
      if (answer.digests) this.#end.resolve(this.#byName(answer.digests));
    });
    const fail = (error: unknown) => {
      this.#end.reject(error);
      this.#room?.reject(error);
    };
    this.#worker.on('error', fail);
    this.#worker.on('exit', () => {
      fail(new Error('the thread for digests ended'));
    });
    this.#end.promise.catch(() => undefined); // told by whoever waits for it
    this.#worker.unref();
  }

  /** Takes bytes (they are copied); waits while too many are not hashed yet. */
  async update(bytes: Uint8Array): Promise<void> {
    const copy = new Uint8Array(bytes); // in memory of its own, which can be handed over
    this.#worker.postMessage({ bytes: copy }, [copy.buffer]);
    await this.#sent(bytes.byteLength);
  }

  /** So many zeros. */
  async zeros(count: number): Promise<void> {
    for (let left = count; left > 0; left -= MOST_WAITING) {
      const part = Math.min(left, MOST_WAITING);
      this.#worker.postMessage({ count: part });
      await this.#sent(part);
    }
  }

  /** The digests of all that was given. Nothing can be added afterwards; the thread ends. */
  async digest(): Promise<Record<N, string>> {
    this.#worker.ref();
    this.#worker.postMessage({ end: true });
    return this.#end.promise.finally(() => this.close());
  }

  /** Ends the thread, whatever it is doing. Safe to call twice. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #sent(bytes: number): Promise<void> {
    this.#waiting += bytes;
    while (this.#waiting >= MOST_WAITING) {
      this.#room = deferred();
      await this.#room.promise;
    }
  }

  #byName(digests: readonly string[]): Record<N, string> {
    return Object.fromEntries(this.#names.map((name, at) => [name, digests[at] ?? ''])) as Record<N, string>;
  }
}
