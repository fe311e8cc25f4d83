import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { throwIfAborted } from '../../core/index.js';
import { ContentHasher } from '../../disk/index.js';
import type { DigestName, Image } from '../../openstack/index.js';
import type { ImageFile } from './image.js';
import type { RunContext } from './step.js';

/** What is known of a file's bytes that were read once, from the first to the last. */
export interface SeenBytes {
  digests: Partial<Record<DigestName, string>>;
  /** `sha256-4m:…`; only of a raw file, which is the disk as the guest sees it. */
  contentHash: string | null;
}

/** For a raw file whose content hash is known, so that the one of what is sent can be compared with it. */
export function contentHasherOf(file: ImageFile): ContentHasher | null {
  return file.format === 'raw' && file.content_hash !== null ? new ContentHasher() : null;
}

/** The bytes of a file in order; each goes through the hasher on its way. */
export async function* chunksOf(
  rc: RunContext,
  file: ImageFile,
  content: ContentHasher | null,
): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file.path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    throwIfAborted(rc.ctx.signal);
    content?.update(chunk);
    yield chunk;
  }
}

/** Reads the file of an image that is there already: for the digest that Glance shows of it, and for our own. */
export async function readBytes(rc: RunContext, file: ImageFile, image: Image): Promise<SeenBytes> {
  const shown: DigestName =
    image.os_hash_algo === 'sha256' || image.os_hash_algo === 'sha512' ? image.os_hash_algo : 'md5';
  const hashes = [...new Set<DigestName>([shown, 'sha512'])].map((name) => ({ name, hash: createHash(name) }));
  const content = contentHasherOf(file);
  for await (const chunk of chunksOf(rc, file, content)) {
    for (const { hash } of hashes) hash.update(chunk);
  }
  const digests = Object.fromEntries(hashes.map(({ name, hash }) => [name, hash.digest('hex')]));
  return { digests, contentHash: content?.digest() ?? null };
}
