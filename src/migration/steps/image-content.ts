import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { StackferryError, throwIfAborted } from '../../core/index.js';
import { ContentHasher } from '../../disk/index.js';
import type { ContentRun, CreateImage, DigestName, Image } from '../../openstack/index.js';
import { convertResult } from './convert.js';
import { filesStand } from './export.js';
import type { RunContext } from './step.js';
import { transferOf } from './transfer.js';

/** What is known of bytes that went out, or of those that an image holds already. */
export interface SeenBytes {
  digests: Partial<Record<DigestName, string>>;
  /** `sha256-4m:…` of the disk; null where it is not known. */
  contentHash: string | null;
}

/** Only those that are there. */
export function knownDigests(digests: Partial<Record<DigestName, string | undefined>>): SeenBytes['digests'] {
  return Object.fromEntries(Object.entries(digests).filter(([, value]) => value !== undefined));
}

/** By what the bytes that were sent are known to be the disk's. */
export type SentEquals = 'content_hash' | 'file_sha512' | 'read' | null;

/** What becomes an image: a local file, or a disk on the host. */
export interface ImageContent {
  readonly format: CreateImage['diskFormat'];
  /** Exact length of the image. */
  readonly bytes: number;
  /** Bytes that are read for it; what progress is told in. */
  readonly readBytes: number;
  readonly capacityBytes: number;
  /** Digests to compute beside the sending. */
  readonly digests: readonly DigestName[];
  /** The image from its first byte; `onBytes` is told of what was read. */
  open(onBytes: (bytes: number) => void): AsyncIterable<ContentRun>;
  /** Once all was sent: notes what is known of it, before anything else can go wrong. */
  sent(imageId: string, digests: SeenBytes['digests']): Promise<SeenBytes>;
  /** What is known of the bytes of an image that is there already; null where nothing is, so it is made anew. */
  known(image: Image): Promise<SeenBytes | null>;
  /** Throws, after `drop`, unless what was seen is what was proved. */
  check(seen: SeenBytes, drop: () => Promise<void>): Promise<SentEquals>;
}

/** A local file that becomes an image: made by the convert step, or given on the command line. */
export const imageFile = z.object({
  label: z.string(),
  path: z.string(),
  format: z.enum(['raw', 'qcow2', 'vmdk']),
  bytes: z.number(),
  capacity_bytes: z.number(),
  content_hash: z.string().nullable(),
  mtime_ms: z.number().nullable().default(null),
  file_sha512: z.string().nullable().default(null),
});
export type ImageFile = z.infer<typeof imageFile>;

/** The file of a disk: what `upload FILE` was given, or what the convert step made. */
export function fileOf(state: RunContext['state'], label: string): ImageFile {
  const given = z.array(imageFile).safeParse(state.plan.get('files'));
  const file = given.success ? given.data.find((item) => item.label === label) : undefined;
  return file ?? convertResult.parse(state.steps.get(`convert:${label}`)?.result);
}

/** A file as it lies here. Only what was proved goes out: one that somebody wrote to since is no longer that. */
export async function fileContent(rc: RunContext, label: string): Promise<ImageContent> {
  const file = fileOf(rc.state, label);
  if (!(await filesStand([file]))) throw fileChanged(rc, file);
  const hasher = () => (file.format === 'raw' && file.content_hash !== null ? new ContentHasher() : null);
  let content: ContentHasher | null = null;
  return {
    format: file.format,
    bytes: file.bytes,
    readBytes: file.bytes,
    capacityBytes: file.capacity_bytes,
    digests: ['sha512', 'md5'],
    open: (onBytes) => {
      content = hasher();
      return chunksOf(rc, file, content, onBytes);
    },
    sent: (_imageId, digests) => Promise.resolve({ digests, contentHash: content?.digest() ?? null }),
    known: (image) => readBytes(rc, file, image, hasher()),
    check: async (seen, drop) => {
      if (!(await filesStand([file]))) throw fileChanged(rc, file);
      const by = seen.contentHash !== null ? 'content_hash' : file.file_sha512 !== null ? 'file_sha512' : null;
      const isSame =
        by === 'content_hash' ? seen.contentHash === file.content_hash : seen.digests.sha512 === file.file_sha512;
      if (by === null || isSame) return by;
      await drop();
      // Its result no longer holds: the same command converts the disk again.
      await rc.record({ kind: 'step.reset', step: `convert:${label}` });
      throw fileChanged(rc, file);
    },
  };
}

/** The bytes of a file in order; each goes through the hasher on its way. */
async function* chunksOf(
  rc: RunContext,
  file: ImageFile,
  content: ContentHasher | null,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file.path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    throwIfAborted(rc.ctx.signal);
    content?.update(chunk);
    onBytes(chunk.length);
    yield chunk;
  }
}

/** Reads the file of an image that is there already: for the digest that Glance shows of it, and for our own. */
async function readBytes(
  rc: RunContext,
  file: ImageFile,
  image: Image,
  content: ContentHasher | null,
): Promise<SeenBytes> {
  const shown: DigestName =
    image.os_hash_algo === 'sha256' || image.os_hash_algo === 'sha512' ? image.os_hash_algo : 'md5';
  const hashes = [...new Set<DigestName>([shown, 'sha512'])].map((name) => ({ name, hash: createHash(name) }));
  for await (const chunk of chunksOf(rc, file, content, () => undefined)) {
    for (const { hash } of hashes) hash.update(chunk);
  }
  const digests = Object.fromEntries(hashes.map(({ name, hash }) => [name, hash.digest('hex')]));
  return { digests, contentHash: content?.digest() ?? null };
}

function fileChanged(rc: RunContext, file: ImageFile): StackferryError {
  const again = rc.state.plan.has('files')
    ? 'run the same command again'
    : transferOf(rc.state) === 'file'
      ? 'run the same export again'
      : `let the disk be converted anew: stackferry convert --run ${rc.run} --force, or the same migrate again`;
  return new StackferryError(
    'upload.file_changed',
    `${file.path} is no longer the file that was looked at and proved: somebody wrote to it. No image is left of it.`,
    { hint: `See that nothing writes to it, and ${again}.` },
  );
}
