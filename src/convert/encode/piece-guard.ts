import { crc32 } from 'node:zlib';
import { StackferryError } from '../../core/index.js';
import type { DiskPiece } from '../../disk/index.js';
import type { EncodedImage, ImageRun } from './types.js';

/**
 * Compares what an encoder gives with what it was given: each piece with the same bytes (by a CRC-32 on either side), in
 * the same order, at its place in the image, and all of it; and the image's tables with those that are made once more. One
 * bit that changes in between, in the memory or by a slip of the encoder, is seen before the image is called whole.
 */
export class PieceGuard {
  readonly #label: string;
  readonly #image: Pick<EncodedImage, 'bytes' | 'positionOf' | 'tables'>;
  /** Went in and did not come out yet. */
  readonly #inside: { offset: number; length: number; crc: number }[] = [];
  #isSame = true;
  #tables = 0;
  /** Bytes of the image that came out. */
  #position = 0;

  constructor(label: string, image: Pick<EncodedImage, 'bytes' | 'positionOf' | 'tables'>) {
    this.#label = label;
    this.#image = image;
  }

  /** Passes pieces on into the encoder. */
  async *taken(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<DiskPiece> {
    for await (const piece of pieces) {
      const { offset, bytes } = piece;
      if (bytes.length > 0) this.#inside.push({ offset, length: bytes.length, crc: crc32(bytes) });
      yield piece;
    }
  }

  /** What came out of the encoder, run by run. */
  given(run: ImageRun): void {
    if (run.kind === 'zeros') {
      this.#position += run.length;
      return;
    }
    if (run.kind === 'table') this.#tables = crc32(run.bytes, this.#tables);
    else {
      const piece = this.#inside.shift();
      this.#isSame &&=
        piece?.offset === run.diskOffset &&
        piece.length === run.bytes.length &&
        this.#image.positionOf(run.diskOffset) === this.#position &&
        piece.crc === crc32(run.bytes);
    }
    this.#position += run.bytes.length;
  }

  /** At the end of the image. @throws StackferryError `convert.content_differs` */
  assertSame(): void {
    let tables = 0;
    for (const table of this.#image.tables()) tables = crc32(table, tables);
    const isWhole = this.#inside.length === 0 && this.#position === this.#image.bytes;
    if (this.#isSame && isWhole && tables === this.#tables) return;
    throw new StackferryError(
      'convert.content_differs',
      `The image of ${this.#label} does not hold what was read of the disk; it is not used.`,
      { hint: 'Run the same command again; if it happens twice, test the memory of this machine.' },
    );
  }
}
