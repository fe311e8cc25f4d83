import { Readable } from 'node:stream';
import { z } from 'zod';
import { MIB, StackferryError, isCode } from '../../core/index.js';
import { DigestThread, releaseChunkBuffer } from '../../disk/index.js';
import { downloadImage } from './download.js';
import { RUN_KEY, STEP_KEY, hasMarker, markerMetadata, type Marker, type MarkerFilter } from '../markers.js';
import type { Call, Service } from '../service.js';
import { createOnce, recode } from '../settle.js';
import { waitFor, type Wait } from '../wait.js';

/**
 * An image as `GET /v2/images/{id}` shows it. Properties set by users (`hw_disk_bus`, `stackferry_run` …) lie beside
 * these fields, always as strings. Source: Image API v2, "Show image".
 */
export const imageSchema = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  /** queued, saving, uploading, importing, active, deactivated, killed, deleted, pending_delete. */
  status: z.string(),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  /** Bytes of the stored file; null until it is there. */
  size: z.number().nullish(),
  /** Bytes of the disk inside; null where Glance did not look. */
  virtual_size: z.number().nullish(),
  /** MD5 in hex. */
  checksum: z.string().nullish(),
  os_hash_algo: z.string().nullish(),
  os_hash_value: z.string().nullish(),
  /** GiB. */
  min_disk: z.number().default(0),
  /** MiB. */
  min_ram: z.number().default(0),
  visibility: z.string().nullish(),
  owner: z.string().nullish(),
  protected: z.boolean().default(false),
  tags: z.array(z.string()).default([]),
  created_at: z.string().nullish(),
  updated_at: z.string().nullish(),
});
export type Image = z.infer<typeof imageSchema>;

export interface CreateImage {
  /** Chosen by the caller (a uuid), so that a lost answer is settled by looking it up. Glance chooses one if unset. */
  id?: string;
  name: string;
  diskFormat: 'raw' | 'qcow2' | 'vmdk';
  /** GiB. */
  minDiskGib?: number;
  minRamMib?: number;
  tags?: readonly string[];
  /** Image properties; see `imageProperties`. */
  properties?: Readonly<Record<string, string>>;
  marker: Marker;
}

export type DigestName = 'md5' | 'sha256' | 'sha512';

export interface UploadContent {
  /** Exactly so many bytes are sent; a stream that gives more or fewer is an error. */
  size: number;
  /** Opens the content from its first byte. Called once: an upload is never replayed. */
  open: () => AsyncIterable<ContentRun> | Promise<AsyncIterable<ContentRun>>;
  /** Called with the bytes handed to the connection so far. */
  onBytes?: (sent: number) => void;
  /** Digests to compute of what is sent, for {@link compareImageHash}; sha512 if unset (Glance's default). */
  digests?: readonly DigestName[];
}

/**
 * Bytes of the content, or a run of zeros of any length that nobody need make. Buffers of the ring are given back once
 * they are sent.
 */
export type ContentRun = Buffer | { zeros: number };

/** What was sent: its length and hex digests. */
export interface Uploaded {
  bytes: number;
  digests: Partial<Record<DigestName, string>>;
}

export interface Images {
  create(input: CreateImage): Promise<Image>;
  /**
   * Sends the content (`PUT …/file`). Throws `cloud.upload_cut` (connection lost; the image is `queued` again or
   * broken; with `sent_digests` in its details where every byte had left), `cloud.image_too_large` (413), `cloud.image_refused` (Glance will not have this content or format),
   * `cloud.quota`, `cloud.conflict` (the image has its content already).
   */
  upload(id: string, content: UploadContent): Promise<Uploaded>;
  get(id: string): Promise<Image>;
  /** Undefined where there is none (or none that this project may see). */
  find(id: string): Promise<Image | undefined>;
  /** By exact name, tag, property and the like, as Glance's own filters; all pages. */
  list(filter?: Readonly<Record<string, string>>): Promise<Image[]>;
  findByMarker(filter: MarkerFilter): Promise<Image[]>;
  /** Waits until `active`; throws `cloud.image_failed` where that can no longer be, `cloud.image_timeout`. */
  waitActive(id: string, wait: Wait): Promise<Image>;
  /**
   * Waits until an upload that was cut is over for Glance too, and shows what became of it: `queued` (send it again),
   * `active` (only the answer was lost), another status (make a new image). Throws `cloud.image_timeout`.
   */
  waitSettled(id: string, wait: Wait): Promise<Image>;
  /** The stored bytes from the first on; `size` of them are expected. See {@link downloadImage}. */
  download(id: string, size: number): AsyncGenerator<Buffer>;
  /** False if it was gone already. Throws `cloud.image_in_use` while a volume depends on it. */
  delete(id: string): Promise<boolean>;
}

/** Statuses in which an image is still on its way; whatever else is neither these nor `active` is the end of it. */
const ON_ITS_WAY = new Set(['saving', 'uploading', 'importing']);

export function imagesOf(service: Service): Images {
  const one = (id: string, what = `look at image ${id}`): Call => ({
    what,
    method: 'GET',
    path: `/images/${encodeURIComponent(id)}`,
  });
  const images: Images = {
    async create(input) {
      const what = `create image ${input.name}`;
      const image = await createOnce(
        service.ctx,
        what,
        () => service.read(createImageCall(input), imageSchema),
        async () => (input.id === undefined ? (await images.findByMarker(input.marker))[0] : images.find(input.id)),
      );
      service.ctx.events.emit({ kind: 'resource.created', resource: 'image', id: image.id, name: input.name });
      return image;
    },

    async upload(id, content) {
      const thread = new DigestThread(content.digests ?? ['sha512']);
      const out = new Outgoing();
      let bytes = 0;
      try {
        await service.upload(uploadImageCall(id), {
          size: content.size,
          open: async () => Readable.from(bodyOf(await content.open(), thread, out), { objectMode: false }),
          onChunk: (chunk) => {
            bytes += chunk.length;
            content.onBytes?.(bytes);
          },
          onWritten: (chunk) => {
            out.written(chunk.length);
          },
        });
        return { bytes, digests: await thread.digest() };
      } catch (error) {
        const failure = uploadError(error, id, bytes, content.size);
        // Only the answer may be lost: then what was sent is still to be compared with what Glance has.
        if (bytes === content.size && failure instanceof StackferryError) {
          failure.details['sent_digests'] = JSON.stringify(await thread.digest());
        }
        throw failure;
      } finally {
        await thread.close();
      }
    },

    get: (id) => service.read(one(id), imageSchema),
    find: (id) => service.readIfThere(one(id), imageSchema),
    list: (filter = {}) =>
      service.list({ what: 'list images', path: '/images', query: { limit: '100', ...filter } }, 'images', imageSchema),

    async findByMarker(filter) {
      const query = { [RUN_KEY]: filter.run, ...(filter.step === undefined ? {} : { [STEP_KEY]: filter.step }) };
      return (await images.list(query)).filter((image) => hasMarker(image, filter));
    },

    waitActive: (id, wait) =>
      waitFor(service.ctx, wait, {
        task: `image:${id}`,
        label: `image ${id} to become active`,
        code: 'cloud.image_timeout',
        look: () => images.get(id),
        done: (image) => {
          if (image.status === 'active') return true;
          if (ON_ITS_WAY.has(image.status)) return false;
          throw new StackferryError(
            'cloud.image_failed',
            `Image ${id} is ${image.status} and will not become active.`,
            {
              hint:
                image.status === 'queued'
                  ? 'Its content did not arrive: upload it again.'
                  : 'Delete it and upload it again; if that fails too, ask the operator to look at Glance.',
              details: { id, status: image.status },
            },
          );
        },
        state: (image) => image.status,
        remedy: (state) =>
          state === 'saving'
            ? 'Glance still takes the content in; a slow store needs time.'
            : 'Glance has not finished; the operator can see in its log what it waits for.',
      }),

    waitSettled: (id, wait) =>
      waitFor(service.ctx, wait, {
        task: `image:${id}`,
        label: `the broken upload of image ${id} to be over`,
        code: 'cloud.image_timeout',
        look: () => images.get(id),
        done: (image) => !ON_ITS_WAY.has(image.status),
        state: (image) => image.status,
        remedy: () => 'Glance still holds the broken upload: delete the image and begin with a new one.',
      }),

    download: (id, size) => downloadImage(service, id, size),

    async delete(id) {
      try {
        const answer = await service.call({ ...one(id, `delete image ${id}`), method: 'DELETE', accept: [404, 410] });
        if (answer.status >= 400) return false;
      } catch (error) {
        if (isCode(error, 'cloud.conflict')) {
          throw recode(
            error,
            'cloud.image_in_use',
            'A volume was cloned from it: it can go when that volume is deleted.',
          );
        }
        throw error;
      }
      service.ctx.events.emit({ kind: 'resource.deleted', resource: 'image', id, name: id });
      return true;
    },
  };
  return images;
}

/** Never written to, so the kernel keeps one page of it. */
const ZEROS = Buffer.alloc(4 * MIB);

/** Gives buffers back once the connection has taken all of them in, however it was cut on its way there. */
class Outgoing {
  readonly #line: { bytes: Buffer | null; end: number }[] = [];
  #given = 0;
  #written = 0;

  /** So many bytes go out; with them, the last of `bytes`. */
  give(bytes: Buffer | null, length: number): void {
    this.#given += length;
    this.#line.push({ bytes, end: this.#given });
  }

  written(count: number): void {
    this.#written += count;
    for (let next = this.#line[0]; next !== undefined && next.end <= this.#written; next = this.#line[0]) {
      this.#line.shift();
      if (next.bytes) releaseChunkBuffer(next.bytes);
    }
  }
}

/** The bytes as they go out, each hashed first. */
async function* bodyOf(
  runs: AsyncIterable<ContentRun>,
  thread: DigestThread<DigestName>,
  out: Outgoing,
): AsyncGenerator<Buffer> {
  for await (const run of runs) {
    if (Buffer.isBuffer(run)) {
      await thread.update(run);
      // In slices: what lies in the stages between here and the connection is counted in them.
      for (let at = 0; at < run.length; at += MIB) {
        const part = run.subarray(at, at + MIB);
        if (at + MIB >= run.length) out.give(run, part.length);
        else out.give(null, part.length);
        yield part;
      }
      continue;
    }
    for (let left = run.zeros; left > 0; left -= ZEROS.length) {
      const part = ZEROS.subarray(0, Math.min(left, ZEROS.length));
      await thread.zeros(part.length);
      out.give(null, part.length);
      yield part;
    }
  }
}

/** The request that makes an image. Source: Image API v2, "Create image". */
export function createImageCall(input: CreateImage): Call {
  const json = createBody(input);
  return { what: `create image ${input.name}`, method: 'POST', path: '/images', json };
}

/** The request that sends an image's content. */
export function uploadImageCall(id: string): { what: string; path: string } {
  return { what: `upload image ${id}`, path: `/images/${encodeURIComponent(id)}/file` };
}

function createBody(input: CreateImage): Record<string, unknown> {
  return {
    ...input.properties,
    ...markerMetadata(input.marker),
    ...(input.id === undefined ? {} : { id: input.id }),
    name: input.name,
    disk_format: input.diskFormat,
    container_format: 'bare',
    visibility: 'private',
    min_disk: input.minDiskGib ?? 0,
    min_ram: input.minRamMib ?? 0,
    tags: input.tags ?? [],
  };
}

/** What a failed upload means. Glance puts the image back to `queued`; after a lost connection it may stay `saving`. */
function uploadError(error: unknown, id: string, sent: number, size: number): unknown {
  if (isCode(error, 'cloud.unreachable') && error.details['sent'] !== false) {
    return new StackferryError(
      'cloud.upload_cut',
      `${error.message.replace(/\.$/, '')}, after ${sent} of ${size} bytes.`,
      {
        hint: 'Nothing of it counts: the image is to be sent again from its first byte.',
        cause: error,
        details: { ...error.details, image_id: id, sent_bytes: sent, size },
      },
    );
  }
  const status = error instanceof StackferryError ? error.details['status'] : undefined;
  if (error instanceof StackferryError && (status === 400 || status === 415 || status === 422)) {
    return recode(
      error,
      'cloud.image_refused',
      'Glance looked into the content and does not take it as the disk_format that was declared; `qemu-img info` shows what it is. Try --image-format qcow2.',
    );
  }
  if (isCode(error, 'cloud.conflict')) {
    return recode(error, 'cloud.conflict', 'It has its content already, or another upload to it is going on.');
  }
  return error;
}
