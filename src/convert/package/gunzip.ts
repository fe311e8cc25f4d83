import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { StackferryError, formatBytes, messageOf, systemCode } from '../../core/index.js';
import { packageError } from './faults.js';

/**
 * Unpacks a gzip file as it comes. Throws `package.bomb` as soon as more than `limit` bytes come out, `disk.short_file`
 * where it ends too early, `package.bad_gzip` where it is damaged; errors of its source pass through.
 */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>, name: string, limit: number): AsyncGenerator<Buffer> {
  const source = Readable.from(chunks, { objectMode: false });
  const unpacked = createGunzip();
  source.once('error', (error) => unpacked.destroy(error));
  source.pipe(unpacked);
  let bytes = 0;
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limit) {
        const why = `unpacks to more than ${formatBytes(limit)}, more than its disk can have`;
        throw packageError('package.bomb', name, why, 'Check where the file comes from; it is not what it says.');
      }
      yield chunk;
    }
  } catch (error) {
    throw gzipError(name, error);
  } finally {
    source.destroy();
    unpacked.destroy();
  }
}

function gzipError(name: string, error: unknown): unknown {
  if (error instanceof StackferryError) return error;
  const code = systemCode(error);
  if (code === 'Z_BUF_ERROR') {
    return packageError(
      'disk.short_file',
      name,
      'ends before its packed content does: it was cut short',
      undefined,
      error,
    );
  }
  if (code?.startsWith('Z_') === true) {
    return packageError('package.bad_gzip', name, `cannot be unpacked: ${messageOf(error)}`, undefined, error);
  }
  return error;
}
