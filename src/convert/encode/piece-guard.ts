import { crc32 } from 'node:zlib';
import { StackferryError } from '../../core/index.js';
import type { DiskPiece } from '../../disk/index.js';

/**
 * Compares what an encoder gives with what it was given, by a running CRC-32 on either side: one bit that changes in
 * between is seen before the image is called whole.
 */
export class PieceGuard {
  readonly #label: string;
  #taken = 0;
  #given = 0;
  #bytes = 0;

  constructor(label: string) {
    this.#label = label;
  }

  /** Passes pieces on into the encoder. */
  async *taken(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<DiskPiece> {
    for await (const piece of pieces) {
      this.#taken = crc32(piece.bytes, this.#taken);
      this.#bytes += piece.bytes.length;
      yield piece;
    }
  }

  /** Data that came out of the encoder. */
  given(bytes: Buffer): void {
    this.#given = crc32(bytes, this.#given);
    this.#bytes -= bytes.length;
  }

  /** At the end of the image. @throws StackferryError `convert.content_differs` */
  assertSame(): void {
    if (this.#taken === this.#given && this.#bytes === 0) return;
    throw new StackferryError(
      'convert.content_differs',
      `The image of ${this.#label} does not hold what was read of the disk; it is not used.`,
      { hint: 'Run the same command again; if it happens twice, test the memory of this machine.' },
    );
  }
}
