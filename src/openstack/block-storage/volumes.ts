import { z } from 'zod';
import { StackferryError, isCode } from '../../core/index.js';
import { hasMarker, markerMetadata, type Marker, type MarkerFilter } from '../markers.js';
import type { Call, Service } from '../service.js';
import { createOnce, recode } from '../settle.js';
import { waitFor, type Wait } from '../wait.js';

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

const oneSchema = z.object({ volume: volumeSchema }).transform(({ volume }) => volume);
const messageSchema = z.object({
  resource_uuid: z.string().nullish(),
  user_message: z.string().default(''),
  created_at: z.string().default(''),
});

/** What a volume passes through on its way to `available`. */
const ON_ITS_WAY = new Set([
  'creating',
  'downloading',
  'restoring-backup',
  'reserved',
  'attaching',
  'detaching',
  'retyping',
]);

/** What to do about a volume that stays in a state. */
function remedy(id: string): (state: string) => string {
  const words: Record<string, string> = {
    creating: `No backend has finished it: try another --volume-type or --zone, or ask the operator to look at cinder-scheduler and cinder-volume for ${id}.`,
    downloading: 'Cinder still copies the image into it, which takes its time with large disks.',
    reserved: `An attachment was begun and not finished: \`openstack volume attachment list --volume-id ${id}\` shows it, \`openstack volume attachment delete\` frees the volume.`,
    attaching: `An attachment does not finish: \`openstack volume attachment list --volume-id ${id}\` shows it, \`openstack volume attachment delete\` frees the volume.`,
    detaching: 'It is still being taken from a server; if that does not end, the operator can reset its state.',
    'in-use': 'It is attached to a server: detach it there.',
    deleting: 'The backend still deletes it; if that does not end, the operator can reset its state.',
  };
  return (state) => words[state] ?? `Ask the operator to look at volume ${id}.`;
}

export function volumesOf(service: Service): Volumes {
  const one = (id: string, what = `look at volume ${id}`): Call => ({
    what,
    method: 'GET',
    path: `/volumes/${encodeURIComponent(id)}`,
  });
  const act = async (id: string, what: string, json: unknown, accept: number[] = []): Promise<void> => {
    const path = `/volumes/${encodeURIComponent(id)}/action`;
    await service.call({ what, method: 'POST', path, json, accept, repeatable: true });
  };
  const failed = async (volume: Volume, end: string): Promise<StackferryError> => {
    const said = await volumes.messages(volume.id);
    return new StackferryError(
      'cloud.volume_failed',
      `Volume ${nameOf(volume)} is ${volume.status} and will not ${end}${said[0] === undefined ? '' : `: ${said[0]}`}`,
      {
        hint: 'Cinder gives few reasons to users: a full backend, a --volume-type or --zone that no backend serves, or an image it cannot read. The operator finds the reason by the volume ID.',
        details: { id: volume.id, status: volume.status },
      },
    );
  };
  const volumes: Volumes = {
    async create(input) {
      const what = `create volume ${input.name}`;
      const volume = await createOnce(
        service.ctx,
        what,
        () => service.read(createVolumeCall(input), oneSchema),
        async () => (await volumes.findByMarker(input.marker))[0],
      );
      service.ctx.events.emit({ kind: 'resource.created', resource: 'volume', id: volume.id, name: input.name });
      return volume;
    },

    get: (id) => service.read(one(id), oneSchema),
    find: (id) => service.readIfThere(one(id), oneSchema),
    async list(filter = {}) {
      const all = await service.list({ what: 'list volumes', path: '/volumes/detail' }, 'volumes', volumeSchema);
      return all.filter(
        ({ name, status }) =>
          (filter.name === undefined || name === filter.name) &&
          (filter.status === undefined || status === filter.status),
      );
    },
    findByMarker: async (filter) => (await volumes.list()).filter(({ metadata }) => hasMarker(metadata, filter)),

    async waitAvailable(id, wait) {
      const volume = await waitFor(service.ctx, wait, {
        task: `volume:${id}`,
        label: `volume ${id} to become available`,
        code: 'cloud.volume_timeout',
        look: () => volumes.get(id),
        // A failure ends the wait; its reason is asked for afterwards.
        done: ({ status }) => !ON_ITS_WAY.has(status),
        state: ({ status }) => status,
        remedy: remedy(id),
      });
      if (volume.status === 'available') return volume;
      if (volume.status === 'in-use') {
        throw new StackferryError('cloud.volume_in_use', `Volume ${nameOf(volume)} is attached to a server.`, {
          hint: remedy(id)('in-use'),
          details: { id, status: volume.status },
        });
      }
      throw await failed(volume, 'become available');
    },

    async setBootable(id, bootable) {
      await service.call(setBootableCall(id, bootable));
    },
    async setImageMetadata(id, metadata) {
      await service.call(setImageMetadataCall(id, metadata));
    },
    async unsetImageMetadata(id, keys) {
      for (const key of keys) {
        await act(
          id,
          `take ${key} from the image metadata of volume ${id}`,
          { 'os-unset_image_metadata': { key } },
          [404],
        );
      }
    },

    async delete(id) {
      try {
        const answer = await service.call({ ...one(id, `delete volume ${id}`), method: 'DELETE', accept: [404] });
        return answer.status !== 404;
      } catch (error) {
        // Cinder says 400 where the volume is attached or busy: "Volume status must be available or error or …".
        if (isCode(error, 'cloud.bad_request') || isCode(error, 'cloud.conflict')) {
          throw recode(error, 'cloud.volume_in_use', 'Detach it first, or delete the server that uses it.');
        }
        throw error;
      }
    },

    async waitDeleted(id, wait) {
      const last = await waitFor(service.ctx, wait, {
        task: `volume:${id}`,
        label: `volume ${id} to be deleted`,
        code: 'cloud.volume_timeout',
        look: () => volumes.find(id),
        done: (volume) => volume === undefined || volume.status.startsWith('error'),
        state: (volume) => volume?.status ?? 'gone',
        remedy: remedy(id),
      });
      if (last !== undefined) throw await failed(last, 'be deleted');
      service.ctx.events.emit({ kind: 'resource.deleted', resource: 'volume', id, name: id });
    },

    async messages(id) {
      // Messages came with microversion 3.3, and a cloud may keep them from its users.
      if (!(await service.has('3.3'))) return [];
      const what = `read the messages on volume ${id}`;
      const answer = await service.call({ what, method: 'GET', path: '/messages', accept: [400, 403, 404, 500] });
      if (answer.status >= 400) return [];
      const { messages } = service.checked(
        { what, path: '/messages' },
        answer.body,
        z.object({ messages: z.array(messageSchema) }),
      );
      return messages
        .filter(({ resource_uuid }) => resource_uuid === id)
        .sort((a, b) => b.created_at.localeCompare(a.created_at))
        .map(({ user_message }) => user_message);
    },
  };
  return volumes;
}

/** Its name, or its id where it has none. */
function nameOf({ name, id }: Volume): string {
  return name === undefined || name === null || name === '' ? id : name;
}

/** The request that makes a volume. Source: Block Storage API v3, "Create a volume". */
export function createVolumeCall(input: CreateVolume): Call {
  const json = { volume: createBody(input) };
  return { what: `create volume ${input.name}`, method: 'POST', path: '/volumes', json };
}

/** The request that marks a volume bootable or not. */
export function setBootableCall(id: string, bootable: boolean): Call {
  const what = `${bootable ? 'make' : 'unmake'} volume ${id} bootable`;
  const json = { 'os-set_bootable': { bootable } };
  return { what, method: 'POST', path: `/volumes/${encodeURIComponent(id)}/action`, json, repeatable: true };
}

/** The request that gives a volume the properties that an image would have given it. */
export function setImageMetadataCall(id: string, metadata: Readonly<Record<string, string>>): Call {
  const what = `set image metadata of volume ${id}`;
  const json = { 'os-set_image_metadata': { metadata } };
  return { what, method: 'POST', path: `/volumes/${encodeURIComponent(id)}/action`, json, repeatable: true };
}

function createBody(input: CreateVolume): Record<string, unknown> {
  return {
    name: input.name,
    size: input.sizeGib,
    metadata: { ...input.metadata, ...markerMetadata(input.marker) },
    ...(input.imageId === undefined ? {} : { imageRef: input.imageId }),
    ...(input.volumeType === undefined ? {} : { volume_type: input.volumeType }),
    ...(input.availabilityZone === undefined ? {} : { availability_zone: input.availabilityZone }),
    ...(input.description === undefined ? {} : { description: input.description }),
  };
}
