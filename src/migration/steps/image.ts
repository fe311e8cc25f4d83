import { z } from 'zod';
import { formatBytes, isCode } from '../../core/index.js';
import type { ImageSection } from '../plan/sections.js';
import { convertResult } from './convert.js';
import { hostContent } from './host-content.js';
import { fileContent, imageFile } from './image-content.js';
import {
  dropImage,
  dropImagesOf,
  imageInput,
  uploadImage,
  type ImageTarget,
  type UploadedImage,
} from './image-upload.js';
import { ratesText } from './progress.js';
import { readSourceFiles } from './source.js';
import { madeBy, needSection, placeholder, type PlannedCall, type RunContext, type Step } from './step.js';
import { transferOf } from './transfer.js';

export const imageResult = z.object({
  label: z.string(),
  image_id: z.string(),
  bytes: z.number(),
  /** Which digest Glance's own was compared with; `none` where Glance shows none that we know. */
  hash_algorithm: z.string(),
  hash_value: z.string().nullable(),
  /**
   * By what the bytes sent were seen to be the disk's: compared with what the convert step proved, or `read`: hashed as
   * they were read from the host in the same pass. Null where there is nothing to compare with.
   */
  sent_equals: z.enum(['content_hash', 'file_sha512', 'read']).nullable().default(null),
  /** Of the disk, where it was read in the same pass; null where the convert step's result has it. */
  content_hash: z.string().nullable().default(null),
  capacity_bytes: z.number().nullable().default(null),
  /** Read from the host for it; null where it was a file here. */
  read_bytes: z.number().nullable().default(null),
  /** From the first byte sent until Glance had it; null where that was not seen, and in older journals. */
  sent_seconds: z.number().nullable().default(null),
});
export type ImageResult = z.infer<typeof imageResult>;

/**
 * Makes a disk a Glance image, and compares Glance's hash with what was sent: from its file here, or straight from the
 * host.
 */
export function imageStep(state: RunContext['state'], label: string): Step {
  const key = `image:${label}`;
  const planned = needSection(state, 'images').find((item) => item.label === label);
  const name = planned?.name ?? label;
  const isDirect = transferOf(state) === 'direct' && !state.plan.has('files');
  return {
    key,
    kind: 'image',
    subject: isDirect ? `disk ${label} of ${needSection(state, 'source').vm.name}` : `image ${name}`,
    needs: isDirect ? ['source'] : state.plan.has('files') ? [] : [`convert:${label}`],
    holds: async (rc, result) => {
      const parsed = imageResult.safeParse(result);
      if (!parsed.success) return false;
      const image = await (await rc.cloud()).images.find(parsed.data.image_id);
      return image?.status === 'active';
    },
    run: async (rc) => {
      const target = { key, name, planned: needPlanned(planned, label) };
      const sent = isDirect
        ? await uploadFromHost(rc, target)
        : await uploadImage(rc, target, () => fileContent(rc, label));
      const { content } = sent;
      const result: ImageResult = {
        label,
        image_id: sent.image.id,
        bytes: content.bytes,
        hash_algorithm: sent.algorithm,
        hash_value: sent.image.os_hash_value ?? sent.image.checksum ?? null,
        sent_equals: sent.equals,
        content_hash: isDirect ? sent.seen.contentHash : null,
        capacity_bytes: content.capacityBytes,
        read_bytes: isDirect ? content.readBytes : null,
        sent_seconds: sent.seconds,
      };
      const read = isDirect ? `${formatBytes(content.readBytes)} read, ` : '';
      const rates = isDirect ? ratesText({ ...content, seconds: sent.seconds }) : '';
      const as = isDirect ? ` sent as ${content.format}` : '';
      return { result, summary: `${read}${formatBytes(content.bytes)}${as}, ${sent.algorithm} equal${rates}` };
    },
    preview: (rc) => previewImage(rc, { key, label, planned, isDirect }),
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

async function uploadFromHost(rc: RunContext, target: ImageTarget): Promise<UploadedImage> {
  const { label, format } = target.planned;
  try {
    return await readSourceFiles(rc, () =>
      uploadImage(rc, target, (digests) => hostContent(rc, label, format, digests)),
    );
  } catch (error) {
    if (isCode(error, 'vm.changed_during_copy')) await dropImagesOf(rc, needSection(rc.state, 'source').labels);
    throw error;
  }
}

async function previewImage(
  rc: RunContext,
  of: { key: string; label: string; planned: ImageSection | undefined; isDirect: boolean },
): Promise<PlannedCall[]> {
  const { key, label, planned, isDirect } = of;
  const { requests } = await rc.cloud();
  const id = placeholder('image', label);
  const given = z
    .array(imageFile)
    .safeParse(rc.state.plan.get('files'))
    .data?.find((item) => item.label === label);
  const done = convertResult.safeParse(rc.state.steps.get(`convert:${label}`)?.result).data;
  const format = given?.format ?? planned?.format ?? 'raw';
  const content = given ?? done;
  const body = content
    ? `${content.bytes} bytes of ${content.path}`
    : isDirect
      ? `the ${format} image of ${label}, as it is read from the host`
      : `the ${format} image of ${label}`;
  return [
    { step: key, ...(await requests.createImage(imageInput(rc, { key, id, planned, diskFormat: format }))) },
    { step: key, ...(await requests.uploadImage(id)), body },
  ];
}

function needPlanned(planned: ImageSection | undefined, label: string): ImageSection {
  if (!planned) throw new Error(`no image planned for ${label}`);
  return planned;
}
