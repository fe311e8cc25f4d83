import { shortFile } from './faults.js';

/** A stream of bytes taken in pieces of chosen length. */
export class ByteReader {
  readonly #name: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** What came and was not taken yet. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #position = 0;

  /** @param name for messages: where the bytes come from */
  constructor(chunks: AsyncIterable<Uint8Array>, name: string) {
    this.#name = name;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** Exactly so many bytes. Throws `disk.short_file` where the stream ends before; `what` is to be read there. */
  async take(length: number, what: string): Promise<Buffer> {
    const bytes = await this.peek(length);
    if (bytes.byteLength < length) throw this.short(length, what);
    this.#drop(length);
    return bytes;
  }

  /** The next so many bytes, or fewer at the end, without taking them. */
  async peek(length: number): Promise<Buffer> {
    while (this.#heldBytes < length && (await this.#more()));
    const first = this.#held[0] ?? Buffer.alloc(0);
    if (first.byteLength >= length) return first.subarray(0, length);
    this.#held = [Buffer.concat(this.#held)];
    return (this.#held[0] ?? first).subarray(0, length);
  }

  /** Leaves so many bytes out. */
  async skip(length: number, what: string): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.#heldBytes === 0 && !(await this.#more())) throw this.short(left, what);
      const part = Math.min(left, this.#heldBytes);
      this.#drop(part);
      left -= part;
    }
  }

  /** Takes what is there now, at most so many bytes, or waits for more; null at the end. */
  async rest(most = Infinity): Promise<Buffer | null> {
    if (this.#heldBytes === 0 && !(await this.#more())) return null;
    const bytes = (this.#held[0] ?? Buffer.alloc(0)).subarray(0, most);
    this.#drop(bytes.byteLength);
    return bytes;
  }

  /** The source is told that nothing more is wanted. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** The error for a stream that ends although so many bytes more are needed. */
  short(length: number, what: string): Error {
    const end = this.#position + this.#heldBytes;
    return shortFile(this.#name, end, this.#position + length, what);
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      const { buffer, byteOffset, byteLength } = next.value;
      if (byteLength === 0) continue;
      this.#held.push(Buffer.from(buffer, byteOffset, byteLength));
      this.#heldBytes += byteLength;
      return true;
    }
  }

  #drop(length: number): void {
    this.#position += length;
    this.#heldBytes -= length;
    for (let left = length; left > 0;) {
      const first = this.#held[0];
      if (!first) return;
      if (first.byteLength > left) {
        this.#held[0] = first.subarray(left);
        return;
      }
      left -= first.byteLength;
      this.#held.shift();
    }
  }
}
