/** A place that a disk is written to, in any order: a raw file, a block device. */
export interface RangeTarget {
  /** For messages. */
  readonly name: string;
  /** Writes bytes at a position. They are the caller's again once this has settled. */
  write(offset: number, bytes: Buffer): Promise<void>;
  /** Makes a range read as zeros, in the way that costs the least there. */
  zero(offset: number, length: number): Promise<void>;
  /** Fills the buffer with what is there. */
  read(offset: number, buffer: Buffer): Promise<void>;
  /** On stable storage, when this has settled. */
  flush(): Promise<void>;
}
