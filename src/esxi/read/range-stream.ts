import type { Context } from '../../core/index.js';
import type { FileRead, RemoteFile } from './file-read.js';

/** Takes a run of bytes that were read; they are its own. */
export type Taker = (bytes: Buffer) => void | Promise<void>;

/** Reads ranges of the host's files, one after the other: through a shell, or by whatever door is open. */
export interface RangeStream {
  /** Asks for ranges; their bytes come in this order, and are taken by {@link receive}. */
  ask(reads: readonly FileRead[]): void;
  /**
   * Takes the bytes of the next range that was asked for. Throws as soon as it is known that they are not to be had; the
   * stream is of no use then.
   */
  receive(read: FileRead, take: Taker): Promise<void>;
  /** Ends it when nothing is owed. */
  end(): Promise<void>;
  /** Ends it whatever is owed; leaves nothing behind on the host. */
  kill(): void;
}

/** Opens a stream on these files, which reads name by their place in the list. */
export type OpenStream = (files: readonly RemoteFile[], ctx: Context) => Promise<RangeStream>;
