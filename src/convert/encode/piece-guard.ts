import { crc32 } from 'node:zlib';
import { StackferryError } from '../../core/index.js';
import type { DiskPiece } from '../../disk/index.js';

/**
 * Compares what an encoder gives with what it was given: each piece for its place of the disk, in the same order, all of
 * it, and with the same bytes, by a CRC-32 on either side. One bit that changes in between, in the memory or by a slip of
 * the encoder, is seen before the image is called whole.
 */
export class PieceGuard {
  readonly #label: string;
  /** Went in and did not come out yet. */
  readonly #inside: { offset: number; length: number; crc: number }[] = [];
  #isSame = true;

  constructor(label: string) {
    this.#label = label;
  }

  /** Passes pieces on into the encoder. */
  async *taken(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<DiskPiece> {
    for await (const piece of pieces) {
      const { offset, bytes } = piece;
      if (bytes.length > 0) this.#inside.push({ offset, length: bytes.length, crc: crc32(bytes) });
      yield piece;
    }
  }

  /** Data that came out of the encoder. */
  given(bytes: Buffer, diskOffset: number): void {
    const piece = this.#inside.shift();
    this.#isSame &&= piece?.offset === diskOffset && piece.length === bytes.length && piece.crc === crc32(bytes);
  }

  /** At the end of the image. @throws StackferryError `convert.content_differs` */
  assertSame(): void {
    if (this.#isSame && this.#inside.length === 0) return;
    throw new StackferryError(
      'convert.content_differs',
      `The image of ${this.#label} does not hold what was read of the disk; it is not used.`,
      { hint: 'Run the same command again; if it happens twice, test the memory of this machine.' },
    );
  }
}
