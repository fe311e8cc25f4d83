import type { RangeList } from './ranges.js';

/** A file that a disk, or a part of it, lies in: bytes at positions, wherever it is. */
export interface ByteSource {
  /** For messages: where the file is. */
  readonly name: string;
  readonly bytes: number;
  /** Exactly so many bytes at a position inside the file; fewer is an error of the source's own. */
  read(position: number, length: number): Promise<Buffer>;
}

/** Where a run of the guest's bytes lies. `file` is an index into the files of the disk's layout. */
export interface Segment {
  /** Of the disk, as its guest sees it. */
  offset: number;
  length: number;
  file: number;
  /** In the file. */
  position: number;
}

/**
 * Where each byte of a disk is, without reading any of them: how flat extents, sparse formats and chains of them all
 * look to whoever copies. Only tables are read.
 */
export interface DiskLayout {
  readonly capacityBytes: number;
  /** What may hold something else than zeros; what it leaves out is zeros. Bounded, so it may name more than need be. */
  dataRanges(): Promise<RangeList>;
  /** Where the bytes of `[offset, offset + length)` lie, in order; what no segment covers is zeros. */
  locate(offset: number, length: number): Promise<Segment[]>;
}

/** Bytes of a disk, as its guest sees them. */
export interface DiskPiece {
  offset: number;
  bytes: Buffer;
}
