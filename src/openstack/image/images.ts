import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Marker, MarkerFilter } from '../markers.js';
import type { Wait } from '../wait.js';

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
  open: () => Readable | Promise<Readable>;
  /** Called with the bytes handed to the connection so far. */
  onBytes?: (sent: number) => void;
  /** Digests to compute of what is sent, for {@link compareImageHash}; sha512 if unset (Glance's default). */
  digests?: readonly DigestName[];
}

/** What was sent: its length and hex digests. */
export interface Uploaded {
  bytes: number;
  digests: Partial<Record<DigestName, string>>;
}

export interface Images {
  create(input: CreateImage): Promise<Image>;
  /**
   * Sends the content (`PUT …/file`). Throws `cloud.upload_cut` (connection lost; the image is `queued` again or
   * broken), `cloud.image_too_large` (413), `cloud.image_refused` (Glance will not have this content or format),
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
  /** False if it was gone already. Throws `cloud.image_in_use` while a volume depends on it. */
  delete(id: string): Promise<boolean>;
}
