import { StackferryError, formatBytes, systemCode, messageOf } from '../../core/index.js';
import { hostContent } from './host-content.js';
import { ratesText, withProgress } from './progress.js';
import { readSourceFiles } from './source.js';
import { needSection, type RunContext, type Step } from './step.js';

/** Where the bytes of an image go, one piece after another; see `ByteOutput` of the terminal's room. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** What is known of an image once its last byte was taken. */
export interface StreamResult {
  label: string;
  format: 'raw' | 'qcow2';
  capacity_bytes: number;
  bytes: number;
  content_hash: string;
}

/** Zeros are written in pieces of so many bytes. */
const ZEROS = Buffer.alloc(1024 * 1024);

/**
 * Reads a disk from the host straight into a stream that cannot be sought in, front to back. Nothing is sent twice, so
 * there is nothing to go on with: whoever reads has a whole image only where this step and the next look at the source
 * have ended well.
 */
export function streamStep(state: RunContext['state'], sink: ByteSink, label: string, format: 'raw' | 'qcow2'): Step {
  const source = needSection(state, 'source');
  const key = `stream:${label}`;
  return {
    key,
    kind: 'stream',
    subject: `disk ${label} of ${source.vm.name}`,
    needs: ['source'],
    preview: () =>
      Promise.resolve([
        { step: key, service: 'local', method: 'WRITE', path: '-', body: `${format} image of ${label}, as it is read` },
      ]),
    run: async (rc) => {
      const content = await readSourceFiles(rc, () => hostContent(rc, label, format, []));
      const start = rc.ctx.clock.now();
      const progress = { task: `stream:${label}`, label: `stream ${label}`, total: content.readBytes };
      await withProgress(rc, progress, (onBytes) =>
        readSourceFiles(rc, async () => {
          let sent = 0;
          const put = async (bytes: Uint8Array): Promise<void> => {
            await sink.write(bytes).catch((error: unknown) => {
              throw notTaken(error, label, { sent, bytes: content.bytes });
            });
            sent += bytes.length;
          };
          for await (const run of content.open(onBytes)) {
            if (run instanceof Uint8Array) await put(run);
            else {
              for (let left = run.zeros; left > 0; left -= ZEROS.length) await put(ZEROS.subarray(0, left));
            }
          }
        }),
      );
      const { contentHash } = await content.sent('stdout', {});
      if (contentHash === null) throw new Error(`the disk ${label} was not hashed`);
      const { bytes, capacityBytes, readBytes } = content;
      const result: StreamResult = { label, format, capacity_bytes: capacityBytes, bytes, content_hash: contentHash };
      const rates = ratesText({ readBytes, capacityBytes, seconds: (rc.ctx.clock.now() - start) / 1000 });
      return { result, summary: `${formatBytes(readBytes)} read, ${formatBytes(bytes)} written as ${format}${rates}` };
    },
  };
}

/** An image that was not taken to its end, in words. Errors of our own come as they are: a stop is one. */
function notTaken(error: unknown, label: string, { sent, bytes }: { sent: number; bytes: number }): unknown {
  if (error instanceof StackferryError) return error;
  const after = `after ${sent} of ${bytes} bytes of the image of ${label}`;
  const details = { sent_bytes: sent, image_bytes: bytes };
  if (systemCode(error) === 'EPIPE' || systemCode(error) === 'ECONNRESET') {
    return new StackferryError(
      'export.reader_gone',
      `Whoever read stdout has gone, ${after}. What it has is no image.`,
      {
        hint: 'See why the program behind the pipe ended, then run the same command again: it begins anew.',
        details,
        cause: error,
      },
    );
  }
  return new StackferryError('export.write_failed', `stdout takes no more, ${after}: ${messageOf(error)}.`, {
    hint: 'What is there is no image: remove it, make room, and run the same command again.',
    details,
    cause: error,
  });
}
