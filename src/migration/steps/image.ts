import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { StackferryError, formatBytes, isCode, retry } from '../../core/index.js';
import { compareImageHash, type Cloud, type CreateImage, type Image } from '../../openstack/index.js';
import type { ImageSection } from '../plan/sections.js';
import { convertResult } from './convert.js';
import { filesStand } from './export.js';
import { chunksOf, contentHasherOf, readBytes, type SeenBytes } from './image-bytes.js';
import { madeBy, needSection, placeholder, type RunContext, type Step } from './step.js';

export const imageResult = z.object({
  label: z.string(),
  image_id: z.string(),
  bytes: z.number(),
  /** Which digest Glance's own was compared with; `none` where Glance shows none that we know. */
  hash_algorithm: z.string(),
  hash_value: z.string().nullable(),
  /** By what the bytes sent were seen to be those that the convert step proved; null where there was no such step. */
  sent_equals: z.enum(['content_hash', 'file_sha512']).nullable().default(null),
});
export type ImageResult = z.infer<typeof imageResult>;

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

/** Uploads a disk's file as a Glance image and compares Glance's hash with what was sent. */
export function imageStep(state: RunContext['state'], label: string): Step {
  const key = `image:${label}`;
  const planned = needSection(state, 'images').find((item) => item.label === label);
  const name = planned?.name ?? label;
  return {
    key,
    kind: 'image',
    subject: `image ${name}`,
    needs: state.plan.has('files') ? [] : [`convert:${label}`],
    holds: async (rc, result) => {
      const parsed = imageResult.safeParse(result);
      if (!parsed.success) return false;
      const image = await (await rc.cloud()).images.find(parsed.data.image_id);
      return image?.status === 'active';
    },
    run: async (rc) => {
      const cloud = await rc.cloud();
      const file = fileOf(rc.state, label);
      await assertProved(rc, file);
      const sent = await upload(rc, cloud, key, name, file);
      await assertProved(rc, file);
      const result: ImageResult = {
        label,
        image_id: sent.image.id,
        bytes: file.bytes,
        hash_algorithm: sent.algorithm,
        hash_value: sent.image.os_hash_value ?? sent.image.checksum ?? null,
        sent_equals: sent.equals,
      };
      return { result, summary: `${formatBytes(file.bytes)}, ${sent.algorithm} equal` };
    },
    preview: async (rc) => {
      const { requests } = await rc.cloud();
      const id = placeholder('image', label);
      const given = z
        .array(imageFile)
        .safeParse(state.plan.get('files'))
        .data?.find((item) => item.label === label);
      const done = convertResult.safeParse(state.steps.get(`convert:${label}`)?.result).data;
      const input = imageInput(rc, key, id, planned, given?.format ?? planned?.format ?? 'raw');
      const content = given ?? done;
      return [
        { step: key, ...(await requests.createImage(input)) },
        {
          step: key,
          ...(await requests.uploadImage(id)),
          body: content ? `${content.bytes} bytes of ${content.path}` : `the ${input.diskFormat} image of ${label}`,
        },
      ];
    },
    undo: async (rc) => {
      const cloud = await rc.cloud();
      const found = await cloud.images.findByMarker({ run: rc.run, step: key });
      const ids = new Set([
        ...found.map((image) => image.id),
        ...madeBy(rc.state, key, 'image').flatMap((i) => i.id ?? []),
      ]);
      for (const id of ids) await dropImage(rc, cloud, key, id);
    },
  };
}

/** How often an upload is begun again from the source after the connection was lost. */
const UPLOAD_TRIES = 4;

async function upload(
  rc: RunContext,
  cloud: Cloud,
  key: string,
  name: string,
  file: ImageFile,
): Promise<{ image: Image; algorithm: string; equals: ImageResult['sent_equals'] }> {
  return retry(
    rc.ctx,
    {
      what: `upload of ${name}`,
      attempts: UPLOAD_TRIES,
      delayMs: 1_000,
      maxDelayMs: 15_000,
      retryable: mayBeSentAgain,
    },
    async () => {
      const id = await emptyImage(rc, cloud, key, name, file);
      const before = await cloud.images.get(id);
      // A killed run may have sent all of it without noting so: then Glance's hash against the file's settles it.
      const seen =
        before.status === 'active' ? await readBytes(rc, file, before) : await send(rc, cloud, id, name, file);
      const image = await cloud.images.waitActive(id, {
        timeoutMs: rc.settings.timeouts.imageMs,
        option: '--timeout-image',
        label: `image ${name} to become active`,
      });
      const equals = await assertSent(rc, cloud, key, id, file, seen);
      const verdict = compareImageHash(image, seen.digests);
      if (verdict.result === 'equal' && (image.size ?? file.bytes) === file.bytes) {
        return { image, algorithm: verdict.algorithm ?? 'none', equals };
      }
      await dropImage(rc, cloud, key, id);
      throw new StackferryError(
        verdict.result === 'unknown' ? 'cloud.image_unproved' : 'cloud.image_corrupt',
        verdict.result === 'unknown'
          ? `Glance shows no hash of image ${name} that can be compared with what was sent.`
          : `Image ${name} is not what was sent: Glance's ${verdict.algorithm ?? 'size'} differs. It was deleted.`,
        {
          hint: 'Run the same command again; if it happens twice, look for a proxy that changes what passes through it.',
        },
      );
    },
  );
}

/** Whether an upload that failed may be begun again from its first byte; a number is the delay that Glance asks for. */
function mayBeSentAgain(error: unknown): boolean | number {
  if (!(error instanceof StackferryError)) return false;
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

/** The id of an image of ours that can take the content (or has it): the one of an earlier try, or a new one. */
async function emptyImage(rc: RunContext, cloud: Cloud, key: string, name: string, file: ImageFile): Promise<string> {
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
  const planned = needSection(rc.state, 'images').find((item) => item.label === file.label);
  if (!planned) throw new Error(`no image planned for ${file.label}`);
  const id = randomUUID();
  await rc.record({ kind: 'intent', step: key, resource: 'image', name, id });
  const image = await cloud.images.create(imageInput(rc, key, id, planned, file.format));
  await rc.record({ kind: 'made', step: key, resource: 'image', id: image.id, name });
  return image.id;
}

function imageInput(
  rc: RunContext,
  key: string,
  id: string,
  planned: ImageSection | undefined,
  diskFormat: CreateImage['diskFormat'],
): CreateImage {
  return {
    id,
    name: planned?.name ?? key,
    diskFormat,
    minDiskGib: planned?.min_disk_gib ?? 0,
    properties: planned?.properties ?? {},
    marker: { run: rc.run, step: key },
  };
}

async function send(rc: RunContext, cloud: Cloud, id: string, name: string, file: ImageFile): Promise<SeenBytes> {
  const content = contentHasherOf(file);
  const task = `upload:${id}`;
  const start = rc.ctx.clock.now();
  let done = 0;
  let ok = false;
  rc.ctx.events.emit({ kind: 'bytes.started', task, label: `upload ${name}`, total: file.bytes, done: 0 });
  try {
    const uploaded = await cloud.images.upload(id, {
      size: file.bytes,
      open: () => Readable.from(chunksOf(rc, file, content), { objectMode: false }),
      digests: ['sha512', 'md5'],
      onBytes: (bytes) => {
        done = bytes;
        rc.ctx.events.emit({ kind: 'bytes.progress', task, done, total: file.bytes });
      },
    });
    ok = true;
    return { digests: uploaded.digests, contentHash: content?.digest() ?? null };
  } finally {
    rc.ctx.events.emit({ kind: 'bytes.finished', task, done, seconds: (rc.ctx.clock.now() - start) / 1000, ok });
  }
}

/**
 * Sees that the bytes which were sent are those which the convert step proved: a file's size and time tell nothing of a
 * late edit that keeps them. Says by what; null where nothing is known to compare with (a file of the user's).
 */
async function assertSent(
  rc: RunContext,
  cloud: Cloud,
  key: string,
  id: string,
  file: ImageFile,
  seen: SeenBytes,
): Promise<ImageResult['sent_equals']> {
  const by = seen.contentHash !== null ? 'content_hash' : file.file_sha512 !== null ? 'file_sha512' : null;
  if (by === null) return null;
  const isSame =
    by === 'content_hash' ? seen.contentHash === file.content_hash : seen.digests.sha512 === file.file_sha512;
  if (isSame) return by;
  await dropImage(rc, cloud, key, id);
  // Its result no longer holds: the same command converts the disk again.
  await rc.record({ kind: 'step.reset', step: `convert:${file.label}` });
  throw fileChanged(rc, file);
}

/** Only what was proved goes out: a file that somebody wrote to since is no longer that. */
async function assertProved(rc: RunContext, file: ImageFile): Promise<void> {
  if (!(await filesStand([file]))) throw fileChanged(rc, file);
}

function fileChanged(rc: RunContext, file: ImageFile): StackferryError {
  const again = rc.state.plan.has('files')
    ? 'run the same command again'
    : `let the disk be converted anew: stackferry convert --run ${rc.run} --force, or the same migrate again`;
  return new StackferryError(
    'upload.file_changed',
    `${file.path} is no longer the file that was looked at and proved: somebody wrote to it. No image is left of it.`,
    { hint: `See that nothing writes to it, and ${again}.` },
  );
}

async function dropImage(rc: RunContext, cloud: Cloud, key: string, id: string): Promise<void> {
  await cloud.images.delete(id);
  await rc.record({ kind: 'gone', step: key, resource: 'image', id });
}
