import { z } from 'zod';
import { StackferryError } from '../../core/index.js';
import type { Call, Service } from '../service.js';
import { createOnce } from '../settle.js';

/** The microversion since which an attachment says in which mode it is made; 3.27 made, 3.44 completed them. */
export const ATTACHMENTS_SINCE = '3.54';

/**
 * An attachment as `GET /v3/{project}/attachments/{id}` shows it. `connection_info` is for os-brick alone: for some
 * backends it holds passwords. Source: Block Storage API v3, "Attachments".
 */
export const attachmentSchema = z.object({
  id: z.string(),
  /** reserved, attaching, attached, detaching, error_attaching … */
  status: z.string(),
  volume_id: z.string(),
  /** The server; null where a host attaches the volume itself. */
  instance: z.string().nullish(),
  connection_info: z.record(z.string(), z.unknown()).default({}),
});
export type Attachment = z.infer<typeof attachmentSchema>;

export interface Attachments {
  /** Attaches a volume to a host itself; `connector` is what os-brick says of that host. Throws `cloud.attach_unsupported`. */
  create(volumeId: string, connector: Readonly<Record<string, unknown>>): Promise<Attachment>;
  find(id: string): Promise<Attachment | undefined>;
  /** Those of one volume, by servers and by hosts. */
  of(volumeId: string): Promise<Attachment[]>;
  /** Says that the volume is connected: it becomes `in-use`. */
  complete(id: string): Promise<void>;
  /** Ends an attachment; false if it was gone already. */
  delete(id: string): Promise<boolean>;
  has(microversion: string): Promise<boolean>;
  /** The address of the service, to find the way to it. */
  endpoint(): Promise<string>;
}

const oneSchema = z.object({ attachment: attachmentSchema }).transform(({ attachment }) => attachment);
const briefSchema = z.object({ id: z.string() });

export function attachmentsOf(service: Service): Attachments {
  const at = (id: string, rest = ''): string => `/attachments/${encodeURIComponent(id)}${rest}`;
  const one = (id: string): Call => ({ what: `look at attachment ${id}`, method: 'GET', path: at(id) });
  const attachments: Attachments = {
    async create(volumeId, connector) {
      if (!(await service.has(ATTACHMENTS_SINCE))) {
        throw new StackferryError(
          'cloud.attach_unsupported',
          `Cinder of this cloud speaks no microversion ${ATTACHMENTS_SINCE}, so a volume cannot be attached to this machine.`,
          { hint: 'Let the bytes go through an image: --via glance' },
        );
      }
      const call = createAttachmentCall(volumeId, connector);
      const made = await createOnce(
        service.ctx,
        call.what,
        () => service.read(call, oneSchema),
        async () => (await attachments.of(volumeId)).find(({ instance }) => !instance),
      );
      service.ctx.events.emit({ kind: 'resource.created', resource: 'attachment', id: made.id, name: volumeId });
      return made;
    },

    find: (id) => service.readIfThere(one(id), oneSchema),

    async of(volumeId) {
      const query = { volume_id: volumeId };
      const what = `list the attachments of volume ${volumeId}`;
      const all = await service.list({ what, path: '/attachments', query }, 'attachments', briefSchema);
      const whole = await Promise.all(all.map(({ id }) => attachments.find(id)));
      // A service that does not know the filter lists others as well.
      return whole.filter((item) => item !== undefined).filter((item) => item.volume_id === volumeId);
    },

    async complete(id) {
      await service.call(completeAttachmentCall(id));
    },

    async delete(id) {
      const answer = await service.call(deleteAttachmentCall(id));
      service.ctx.events.emit({ kind: 'resource.deleted', resource: 'attachment', id, name: id });
      return answer.status !== 404;
    },

    has: (microversion) => service.has(microversion),
    endpoint: () => service.baseUrl(),
  };
  return attachments;
}

/** The request that attaches a volume to a host. */
export function createAttachmentCall(volumeId: string, connector: Readonly<Record<string, unknown>>): Call {
  const json = { attachment: { volume_uuid: volumeId, connector, mode: 'rw' } };
  return { what: `attach volume ${volumeId} to this machine`, method: 'POST', path: '/attachments', json };
}

export function completeAttachmentCall(id: string): Call {
  const path = `/attachments/${encodeURIComponent(id)}/action`;
  const what = `complete attachment ${id}`;
  return { what, method: 'POST', path, json: { 'os-complete': null }, repeatable: true };
}

export function deleteAttachmentCall(id: string): Call {
  const path = `/attachments/${encodeURIComponent(id)}`;
  return { what: `end attachment ${id}`, method: 'DELETE', path, accept: [404] };
}
