/** Disks on a host, read range by range over several connections at once. */
export { shellFiles, type FileDoor } from './file-door.js';
export { fileRead, type FileRead, type RemoteFile } from './file-read.js';
export { ParallelReader, type AnsweredRequest, type ReadOptions } from './parallel-reader.js';
export type { OpenStream, RangeStream, Taker } from './range-stream.js';
export type { TrustMap } from './allocation.js';
export { canRead, openRemoteDisk, type RemoteDisk } from './remote-disk.js';
