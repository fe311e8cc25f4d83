import { StackferryError } from '../../core/index.js';
import type { DiskPiece } from '../../disk/index.js';

/**
 * Compares what an encoder gives with what it was given: the very same memory, for the same place of the disk, in the
 * same order, and all of it. The bytes need not be looked at: both the content hash and the digest of the image are
 * taken of that memory.
 */
export class PieceGuard {
  readonly #label: string;
  /** Went in and did not come out yet. */
  readonly #inside: DiskPiece[] = [];
  #isSame = true;

  constructor(label: string) {
    this.#label = label;
  }

  /** Passes pieces on into the encoder. */
  async *taken(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<DiskPiece> {
    for await (const piece of pieces) {
      if (piece.bytes.length > 0) this.#inside.push({ offset: piece.offset, bytes: piece.bytes });
      yield piece;
    }
  }

  /** Data that came out of the encoder. */
  given(bytes: Buffer, diskOffset: number): void {
    const piece = this.#inside.shift();
    this.#isSame &&=
      piece?.offset === diskOffset &&
      piece.bytes.buffer === bytes.buffer &&
      piece.bytes.byteOffset === bytes.byteOffset &&
      piece.bytes.length === bytes.length;
  }

  /** At the end of the image. @throws StackferryError `convert.content_differs` */
  assertSame(): void {
    if (this.#isSame && this.#inside.length === 0) return;
    throw new StackferryError(
      'convert.content_differs',
      `The image of ${this.#label} does not hold what was read of the disk; it is not used.`,
      { hint: 'Run the same command again; if it happens twice, please report it with a support bundle.' },
    );
  }
}
