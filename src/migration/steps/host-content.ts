import { z } from 'zod';
import { StackferryError, throwIfAborted } from '../../core/index.js';
import { PieceGuard, imageEncoders } from '../../convert/index.js';
import { DiskHasher } from '../../disk/index.js';
import type { ContentRun, DigestName } from '../../openstack/index.js';
import { knownDigests, type ImageContent, type SeenBytes } from './image-content.js';
import { ManifestNotes } from './manifest.js';
import { openDisk } from './reading.js';
import { readingToken } from './source-state.js';
import type { RunContext } from './step.js';
import { sentSection } from './transfer.js';

const sentRecord = z.object({
  image_id: z.string(),
  digests: z.partialRecord(z.enum(['md5', 'sha256', 'sha512']), z.string()),
  content_hash: z.string(),
});

/**
 * A disk on the host as an image in one pass: only what holds data is read, each chunk is hashed as it comes, and what
 * leaves the encoder is compared with what went in. A Glance upload cannot be gone on with: it starts over. The digests of
 * the chunks are kept, so that `verify` can say where a disk or its image differs.
 */
export async function hostContent(
  rc: RunContext,
  label: string,
  format: 'raw' | 'qcow2',
  digests: readonly DigestName[],
): Promise<ImageContent> {
  const { plan, data, read } = await openDisk(rc, label);
  const { capacityBytes } = plan;
  const encoded = imageEncoders[format]({ capacityBytes, data });
  const source = readingToken(plan, encoded.wanted, format);
  let contentHash: string | null = null;

  async function* image(onBytes: (bytes: number) => void): AsyncGenerator<ContentRun> {
    const notes = new ManifestNotes(rc, label, { capacityBytes, source, target: 'image' });
    const hasher = new DiskHasher(capacityBytes, notes.note);
    const guard = new PieceGuard(label, encoded);
    for await (const run of encoded.stream(guard.taken(hasher.through(read(encoded.wanted))))) {
      throwIfAborted(rc.ctx.signal);
      guard.given(run);
      if (run.kind === 'data') onBytes(run.bytes.length);
      yield run.kind === 'zeros' ? { zeros: run.length } : run.bytes;
    }
    guard.assertSame();
    contentHash = await hasher.digest();
    await notes.keep();
  }

  return {
    format,
    bytes: encoded.bytes,
    readBytes: encoded.wanted.bytes,
    capacityBytes,
    digests,
    open: image,
    sent: async (imageId, known): Promise<SeenBytes> => {
      if (contentHash === null) throw new Error(`the disk ${label} was not read to its end`);
      const value = { image_id: imageId, digests: known, content_hash: contentHash };
      await rc.record({ kind: 'plan', section: sentSection(label), value });
      return { digests: known, contentHash };
    },
    known: ({ id }) => {
      const sent = sentRecord.safeParse(rc.state.plan.get(sentSection(label))).data;
      return Promise.resolve(
        sent?.image_id === id ? { digests: knownDigests(sent.digests), contentHash: sent.content_hash } : null,
      );
    },
    check: (seen) => {
      if (seen.contentHash === null) throw new StackferryError('internal', `The disk ${label} was not hashed.`);
      return Promise.resolve('read');
    },
  };
}
