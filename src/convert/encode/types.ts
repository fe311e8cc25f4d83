import type { DiskPiece, RangeList } from '../../disk/index.js';

export type ImageFormat = 'raw' | 'qcow2';

export interface EncodeRequest {
  /** The disk's size as its guest sees it. */
  capacityBytes: number;
  /** What may hold something else than zeros; the rest of the disk is zeros. */
  data: RangeList;
}

/**
 * The next bytes of an image. The buffers of `table` are the consumer's own; those of `data` are the very ones of the
 * pieces, which nobody holds on to: they can be filled anew as soon as the consumer is done with them. No run is empty.
 */
export type ImageRun =
  | { readonly kind: 'table'; readonly bytes: Buffer }
  /** Bytes of the disk, from this offset on. */
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly diskOffset: number }
  /** So many zeros, which nobody need make: of any length, far beyond what a buffer holds. */
  | { readonly kind: 'zeros'; readonly length: number };

/** An image whose every byte has its place before the first one is read: it can be written front to back. */
export interface EncodedImage {
  readonly format: ImageFormat;
  /** Exact length of the image, in bytes: the sum of its runs. */
  readonly bytes: number;
  /** The ranges of the disk whose bytes `stream` wants, zeros or not. */
  readonly wanted: RangeList;
  /** For who writes in any order: all that comes before the data, from the image's start; nothing for raw. */
  tables(): Iterable<Buffer>;
  /**
   * Where a byte of the disk stands in the image. Only for bytes of `wanted`; those of one range of it stand together
   * and in their order.
   */
  positionOf(diskOffset: number): number;
  /**
   * The runs of the image, front to back; can be asked for again, with the pieces from their beginning. `pieces` come
   * in ascending order, of any length, do not overlap, and cover `wanted` exactly; anything else is a mistake in the
   * program, a `RangeError`, and so is an early end: there is never a short image that looks whole. Errors of `pieces`
   * go through as they are; `pieces` is closed however the stream ends.
   */
  stream(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<ImageRun, void, undefined>;
}

/** Lays out an image of a disk; no byte of the disk is read yet. Ranges beyond the disk are a `RangeError`. */
export type ImageEncoder = (request: EncodeRequest) => EncodedImage;
