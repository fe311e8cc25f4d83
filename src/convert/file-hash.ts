import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { throwIfAborted, type Context } from '../core/index.js';

/** SHA-512 (hex) of a file's bytes as they lie on the disk. `onBytes` is called with the bytes read so far. */
export async function hashFile(path: string, ctx: Context, onBytes: (done: number) => void): Promise<string> {
  const hash = createHash('sha512');
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    throwIfAborted(ctx.signal);
    hash.update(chunk);
    done += chunk.length;
    onBytes(done);
  }
  return hash.digest('hex');
}
