import { write } from 'node:fs';
import { Socket } from 'node:net';
import { whenAborted } from '../core/abort.js';

const STDOUT = 1;

/** A place for bytes that are no text. */
export interface ByteOutput {
  /** A person would see them. */
  readonly isTerminal: boolean;
  /**
   * Settles once the system has taken all of the bytes, so that their memory may be filled anew; that is what holds back
   * whoever writes. Fails with the system's own error (`EPIPE`: nobody reads any more), or with the signal's reason.
   */
  write(bytes: Uint8Array): Promise<void>;
}

/** The program's stdout as a place for bytes. */
export function byteOutput(stdout: NodeJS.WriteStream, signal: AbortSignal): ByteOutput {
  // A pipe is written to by the event loop, which a slow reader must not stop; Node writes to files and devices in one
  // go, and takes a short write, as of a disk that gets full, for a whole one.
  const put = stdout instanceof Socket ? intoStream(stdout) : intoFile;
  return {
    isTerminal: stdout.isTTY,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        const unwatch = whenAborted(signal, () => {
          reject(signal.reason as Error);
        });
        if (signal.aborted) return;
        put(bytes).then(resolve, reject).finally(unwatch);
      }),
  };
}

function intoStream(stream: Socket): (bytes: Uint8Array) => Promise<void> {
  return (bytes) =>
    new Promise((resolve, reject) => {
      stream.write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
}

async function intoFile(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await new Promise<number>((resolve, reject) => {
      write(STDOUT, bytes, at, bytes.length - at, null, (error, written) => {
        if (error) reject(error);
        else resolve(written);
      });
    });
  }
}
