import { KIB, MIB } from '../../core/index.js';

/** A file on the host, as it was looked at. */
export interface RemoteFile {
  path: string;
  bytes: number;
}

/** One `dd`: the wanted bytes and, around them, what its blocks bring along. */
export interface FileRead {
  file: number;
  /** Of the wanted bytes. */
  position: number;
  length: number;
  blockBytes: number;
  skip: number;
  count: number;
  /** Bytes before the wanted ones. */
  head: number;
  /** What dd gives in all; fewer or more is an error. */
  total: number;
}

/**
 * Blocks for a range. Busybox's dd counts in whole blocks only (`skip_bytes` is GNU's), and small blocks are slow: MiB
 * blocks where the range lies on them (VMFS allocates in whole MiB), otherwise smaller ones that reach a little around
 * it.
 */
export function fileRead(file: number, { bytes }: RemoteFile, position: number, length: number): FileRead {
  const end = position + length;
  if (length <= 0 || position < 0 || end > bytes) {
    throw new RangeError(`bytes ${position} to ${end} lie outside the ${bytes} bytes of the file`);
  }
  const fits = (block: number) => position % block === 0 && (end % block === 0 || end === bytes);
  const blockBytes = fits(MIB) ? MIB : length >= MIB ? 64 * KIB : 4 * KIB;
  const skip = Math.floor(position / blockBytes);
  const count = Math.ceil(end / blockBytes) - skip;
  const total = Math.min(bytes, (skip + count) * blockBytes) - skip * blockBytes;
  return { file, position, length, blockBytes, skip, count, head: position - skip * blockBytes, total };
}
