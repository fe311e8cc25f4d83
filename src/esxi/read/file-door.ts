import type { Context } from '../../core/index.js';
import type { ByteSource } from '../../disk/index.js';
import type { RemoteShell } from '../ssh/index.js';
import { readAllocation, type Allocation, type TrustMap } from './allocation.js';
import type { RemoteFile } from './file-read.js';
import type { OpenStream } from './range-stream.js';
import { shellStreams } from './read-stream.js';
import { remoteBytes } from './remote-bytes.js';

/** How files of a host are read: through its shell, or by whatever else is open. */
export interface FileDoor {
  /** Single reads: for headers and tables. */
  bytes(file: RemoteFile): ByteSource;
  /** Streams of ranges: for the data. */
  streams: OpenStream;
  /** More streams than this the door does not stand, where there is such a number. */
  mostStreams?: number;
  /** Which ranges of the only flat extent of a descriptor hold data. */
  allocation(
    descriptor: string,
    file: RemoteFile & { allocatedBytes: number | null },
    trust: TrustMap,
    ctx: Context,
  ): Promise<Allocation>;
}

/** Files through the host's shell. */
export function shellFiles(shell: RemoteShell): FileDoor {
  return {
    bytes: (file) => remoteBytes(shell, file),
    streams: shellStreams(shell),
    allocation: (descriptor, file, trust, ctx) => readAllocation(shell, descriptor, file, trust, ctx),
  };
}
