import { createHash, type Hash } from 'node:crypto';
import { MIB } from '../../core/index.js';
import type { ByteSource } from '../../disk/index.js';

/**
 * A file that is digested in the one pass in which it is read: what reads leave out on their way forward is read, too,
 * and nothing is digested twice. Reads behind what was digested already go to the file as they are.
 */
export class DigestedBytes implements ByteSource {
  readonly name: string;
  readonly bytes: number;
  readonly #source: ByteSource;
  readonly #hash: Hash;
  /** Up to here everything is digested. */
  #at = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #hex: string | null = null;

  /** @param algorithm as node:crypto knows it */
  constructor(source: ByteSource, algorithm: string) {
    this.name = source.name;
    this.bytes = source.bytes;
    this.#source = source;
    this.#hash = createHash(algorithm);
  }

  read(position: number, length: number): Promise<Buffer> {
    return this.#next(async () => {
      if (position > this.#at) await this.#digestUpTo(position);
      const bytes = await this.#source.read(position, length);
      const fresh = position + length - this.#at;
      if (fresh > 0) {
        this.#hash.update(bytes.subarray(length - fresh));
        this.#at += fresh;
      }
      return bytes;
    });
  }

  /** Reads what is left, and gives the digest of the whole file in hex. `onBytes` is told of what is read for it. */
  finish(onBytes: (bytes: number) => void): Promise<string> {
    return this.#next(async () => {
      await this.#digestUpTo(this.bytes, onBytes);
      this.#hex ??= this.#hash.digest('hex');
      return this.#hex;
    });
  }

  async #digestUpTo(end: number, onBytes?: (bytes: number) => void): Promise<void> {
    while (this.#at < end) {
      const bytes = await this.#source.read(this.#at, Math.min(4 * MIB, end - this.#at));
      this.#hash.update(bytes);
      this.#at += bytes.length;
      onBytes?.(bytes.length);
    }
  }

  /** Reads come one after another: a digest has an order. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
