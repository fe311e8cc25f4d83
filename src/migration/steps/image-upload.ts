import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { StackferryError, isCode, retry } from '../../core/index.js';
import {
  compareImageHash,
  type Cloud,
  type ContentRun,
  type CreateImage,
  type DigestName,
  type Image,
} from '../../openstack/index.js';
import type { ImageSection } from '../plan/sections.js';
import { knownDigests, type ImageContent, type SeenBytes, type SentEquals } from './image-content.js';
import { withProgress } from './progress.js';
import { madeBy, type RunContext } from './step.js';

/** How often an upload is begun again from the source after the connection was lost. */
const UPLOAD_TRIES = 4;

export interface ImageTarget {
  /** The step's. */
  key: string;
  name: string;
  planned: ImageSection;
}

export interface UploadedImage {
  image: Image;
  content: ImageContent;
  seen: SeenBytes;
  algorithm: string;
  equals: SentEquals;
  /** From the first byte until it was active; null where it was there already, sent by a process that is gone. */
  seconds: number | null;
}

/**
 * Makes the image and sends its content, from its first byte again after each failure that may pass: half a body is
 * never replayed. Ends with an image whose hash in Glance is that of the bytes sent.
 *
 * @param open the content; asked for once a try, with the digests that Glance will be compared by
 */
export async function uploadImage(
  rc: RunContext,
  target: ImageTarget,
  open: (digests: readonly DigestName[]) => Promise<ImageContent>,
): Promise<UploadedImage> {
  const { key, name } = target;
  const cloud = await rc.cloud();
  let digests: readonly DigestName[] = ['sha512'];
  const policy = { what: `upload of ${name}`, attempts: UPLOAD_TRIES, delayMs: 1_000, maxDelayMs: 15_000 };
  return retry(rc.ctx, { ...policy, retryable: mayBeSentAgain }, async () => {
    const content = await open(digests);
    const { id, seen, startedAt } = await contentInGlance(rc, cloud, target, content);
    const image = await cloud.images.waitActive(id, {
      timeoutMs: rc.settings.timeouts.imageMs,
      option: '--timeout-image',
      label: `image ${name} to become active`,
    });
    const seconds = startedAt === null ? null : (rc.ctx.clock.now() - startedAt) / 1000;
    const equals = await content.check(seen, () => dropImage(rc, cloud, key, id));
    const verdict = compareImageHash(image, seen.digests);
    if (verdict.result === 'equal' && (image.size ?? content.bytes) === content.bytes) {
      return { image, content, seen, algorithm: verdict.algorithm ?? 'none', equals, seconds };
    }
    await dropImage(rc, cloud, key, id);
    // A cloud whose Glance hashes by another algorithm: the next try compares by that one.
    const shown = digestShown(image);
    if (verdict.result === 'unknown' && shown !== null && !digests.includes(shown)) {
      digests = [...digests, shown];
      throw new OtherDigest(name, shown);
    }
    throw new StackferryError(
      verdict.result === 'unknown' ? 'cloud.image_unproved' : 'cloud.image_corrupt',
      verdict.result === 'unknown'
        ? `Glance shows no hash of image ${name} that can be compared with what was sent.`
        : `Image ${name} is not what was sent: Glance's ${verdict.algorithm ?? 'size'} differs. It was deleted.`,
      {
        hint: 'Run the same command again; if it happens twice, look for a proxy that changes what passes through it.',
      },
    );
  });
}

/** Sent, and Glance names a digest that was not computed: sent once more. */
class OtherDigest extends StackferryError {
  constructor(name: string, digest: DigestName) {
    super(
      'cloud.image_unproved',
      `Glance shows the ${digest} of image ${name}, which was not computed as it was sent.`,
    );
  }
}

function digestShown({ os_hash_algo: algorithm, os_hash_value: value, checksum }: Image): DigestName | null {
  if (value && (algorithm === 'sha256' || algorithm === 'sha512' || algorithm === 'md5')) return algorithm;
  return checksum ? 'md5' : null;
}

/** Whether an upload that failed may be begun again from its first byte; a number is the delay that Glance asks for. */
function mayBeSentAgain(error: unknown): boolean | number {
  if (!(error instanceof StackferryError)) return false;
  if (error instanceof OtherDigest) return true;
  const { service, retry_after_ms: asked } = error.details;
  // A conflict: Glance is still busy with the upload of a process that is gone; the next look tells what became of it.
  const passing = [
    'cloud.upload_cut',
    'cloud.unreachable',
    'cloud.server_error',
    'cloud.rate_limited',
    'cloud.conflict',
  ];
  // A token that ended as the upload began is renewed by the next look at the image; a refused login is Keystone's.
  const expired = error.code === 'cloud.unauthorized' && service === 'image';
  if (!expired && !passing.includes(error.code)) return false;
  return typeof asked === 'number' ? asked : true;
}

/** The id of an image that has the content, what is known of its bytes, and when sending them began. */
async function contentInGlance(
  rc: RunContext,
  cloud: Cloud,
  target: ImageTarget,
  content: ImageContent,
): Promise<{ id: string; seen: SeenBytes; startedAt: number | null }> {
  for (;;) {
    const id = await emptyImage(rc, cloud, target, content);
    const before = await cloud.images.get(id);
    if (before.status !== 'active') {
      const startedAt = rc.ctx.clock.now();
      return { id, seen: await send(rc, cloud, id, target.name, content), startedAt };
    }
    // A killed run may have sent all of it without noting so: then Glance's hash settles it, where ours is known.
    const seen = await content.known(before);
    if (seen !== null) return { id, seen, startedAt: null };
    await dropImage(rc, cloud, target.key, id);
  }
}

/** The id of an image of ours that can take the content (or has it): the one of an earlier try, or a new one. */
async function emptyImage(
  rc: RunContext,
  cloud: Cloud,
  { key, name, planned }: ImageTarget,
  content: ImageContent,
): Promise<string> {
  for (const earlier of madeBy(rc.state, key, 'image')) {
    if (earlier.id === null) continue;
    let image = await cloud.images.find(earlier.id);
    // What a cut connection leaves is still "saving" for a moment, and then ready to be sent again.
    if (image?.status === 'saving') {
      image = await cloud.images.waitSettled(image.id, { timeoutMs: 60_000 }).catch((error: unknown) => {
        if (isCode(error, 'cloud.image_timeout') || isCode(error, 'cloud.not_found')) return image;
        throw error;
      });
    }
    if (!image) {
      await rc.record({ kind: 'gone', step: key, resource: 'image', id: earlier.id });
    } else if (image.status === 'queued' || image.status === 'active') {
      await rc.record({ kind: 'made', step: key, resource: 'image', id: image.id, name });
      return image.id;
    } else {
      await dropImage(rc, cloud, key, image.id); // half sent by a process that is gone
    }
  }
  const id = randomUUID();
  await rc.record({ kind: 'intent', step: key, resource: 'image', name, id });
  const image = await cloud.images.create(imageInput(rc, { key, id, planned, diskFormat: content.format }));
  await rc.record({ kind: 'made', step: key, resource: 'image', id: image.id, name });
  return image.id;
}

export function imageInput(
  rc: RunContext,
  of: { key: string; id: string; planned: ImageSection | undefined; diskFormat: CreateImage['diskFormat'] },
): CreateImage {
  const { key, id, planned, diskFormat } = of;
  return {
    id,
    name: planned?.name ?? key,
    diskFormat,
    minDiskGib: planned?.min_disk_gib ?? 0,
    properties: planned?.properties ?? {},
    marker: { run: rc.run, step: key },
  };
}

/** Of an upload that failed after its last byte. */
const sentDigests = z.partialRecord(z.enum(['md5', 'sha256', 'sha512']), z.string());

async function send(rc: RunContext, cloud: Cloud, id: string, name: string, content: ImageContent): Promise<SeenBytes> {
  const progress = { task: `upload:${id}`, label: `upload ${name}`, total: content.readBytes };
  return withProgress(rc, progress, async (onBytes) => {
    const open = (): AsyncIterable<ContentRun> => content.open(onBytes);
    try {
      const uploaded = await cloud.images.upload(id, { size: content.bytes, open, digests: content.digests });
      return await content.sent(id, uploaded.digests);
    } catch (error) {
      const told = error instanceof StackferryError ? error.details['sent_digests'] : undefined;
      if (typeof told === 'string') await content.sent(id, knownDigests(sentDigests.parse(JSON.parse(told))));
      throw error;
    }
  });
}

/** Removes the images of disks whose source has changed: what they hold is no state that the disks ever had. */
export async function dropImagesOf(rc: RunContext, labels: readonly string[]): Promise<void> {
  for (const label of labels) {
    const key = `image:${label}`;
    for (const { id } of madeBy(rc.state, key, 'image')) {
      if (id !== null) await dropImage(rc, await rc.cloud(), key, id);
    }
    if (rc.state.steps.get(key)?.state === 'done') await rc.record({ kind: 'step.reset', step: key });
  }
}

export async function dropImage(rc: RunContext, cloud: Cloud, key: string, id: string): Promise<void> {
  await cloud.images.delete(id);
  await rc.record({ kind: 'gone', step: key, resource: 'image', id });
}
