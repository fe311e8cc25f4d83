import { z } from 'zod';
import type { Marker, MarkerFilter } from '../markers.js';
import type { Wait } from '../wait.js';

/** A volume as `GET /v3/{project}/volumes/{id}` shows it. Source: Block Storage API v3, "Show a volume's details". */
export const volumeSchema = z.object({
  id: z.string(),
  name: z.string().nullish(),
  description: z.string().nullish(),
  /** creating, downloading, available, reserved, attaching, in-use, detaching, deleting, error, error_deleting … */
  status: z.string(),
  /** GiB. */
  size: z.number(),
  /** Cinder says it as text: 'true' or 'false'. */
  bootable: z.string().default('false'),
  volume_type: z.string().nullish(),
  availability_zone: z.string().nullish(),
  encrypted: z.boolean().default(false),
  multiattach: z.boolean().default(false),
  metadata: z.record(z.string(), z.string()).default({}),
  volume_image_metadata: z.record(z.string(), z.string()).optional(),
  attachments: z
    .array(
      z.object({
        server_id: z.string().nullish(),
        attachment_id: z.string().nullish(),
        volume_id: z.string().nullish(),
        device: z.string().nullish(),
        host_name: z.string().nullish(),
      }),
    )
    .default([]),
  created_at: z.string().nullish(),
  updated_at: z.string().nullish(),
});
export type Volume = z.infer<typeof volumeSchema>;

export interface CreateVolume {
  name: string;
  sizeGib: number;
  /** From this image; a blank volume if unset. */
  imageId?: string;
  volumeType?: string;
  availabilityZone?: string;
  description?: string;
  metadata?: Readonly<Record<string, string>>;
  marker: Marker;
}

export interface Volumes {
  create(input: CreateVolume): Promise<Volume>;
  get(id: string): Promise<Volume>;
  find(id: string): Promise<Volume | undefined>;
  /** All pages. */
  list(filter?: { name?: string; status?: string }): Promise<Volume[]>;
  findByMarker(filter: MarkerFilter): Promise<Volume[]>;
  /** Waits until `available`; throws `cloud.volume_failed` (with Cinder's own message), `cloud.volume_timeout`. */
  waitAvailable(id: string, wait: Wait): Promise<Volume>;
  setBootable(id: string, bootable: boolean): Promise<void>;
  /** Adds or replaces keys of the image metadata that Nova reads when it boots from the volume. */
  setImageMetadata(id: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  /** Removes keys; keys that are not there are no error. */
  unsetImageMetadata(id: string, keys: readonly string[]): Promise<void>;
  /** Asks for deletion; false if it was gone already. Throws `cloud.volume_in_use` while it is attached. */
  delete(id: string): Promise<boolean>;
  /** Waits until it is gone; throws `cloud.volume_failed` on `error_deleting`. */
  waitDeleted(id: string, wait: Wait): Promise<void>;
  /** Cinder's own words on what failed with this volume, newest first; empty where it keeps none. */
  messages(id: string): Promise<string[]>;
}
