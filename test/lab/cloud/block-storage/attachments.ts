/** Cinder's attachments (3.27 and later): reserve, connect, complete, delete. Nova uses the same functions. */
import type { Core } from '../core.js';
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import type { Attachment, Volume } from '../state.js';
import { asBoolean, cinderTime, isObject, isUuid, newId, objectIn, repr, shown, textIn, type Json } from '../values.js';
import { volumeOf } from './volumes.js';

/**
 * Takes a volume for a server, or for a host that attaches it itself.
 * @throws Refusal 400 when the volume is not `available` (volume/api.py, _attachment_reserve)
 */
export function reserve(core: Core, volume: Volume, instance: string | null): Attachment {
  if (volume.status !== 'available') {
    throw new Refusal(
      400,
      `Invalid volume: Volume ${volume.id} status must be available or downloading to reserve, ` +
        `but the current status is ${volume.status}.`,
    );
  }
  const attachment: Attachment = {
    id: newId(),
    volume_id: volume.id,
    project_id: volume.project_id,
    instance,
    status: 'reserved',
    device: null,
    attached_at: null,
    connection_info: {},
  };
  core.state.attachments.push(attachment);
  volume.status = 'reserved';
  volume.updated_at = cinderTime();
  return attachment;
}

/** What the NFS driver answers, flat (seen on the real lab). */
function connectionInfo(core: Core, attachment: Attachment, volume: Volume): Record<string, unknown> {
  return {
    export: `127.0.0.1:${core.directory}/volumes`,
    name: `volume-${volume.id}`,
    options: null,
    format: 'raw',
    qos_specs: null,
    access_mode: 'rw',
    encrypted: false,
    cacheable: false,
    driver_volume_type: 'nfs',
    mount_point_base: `${core.directory}/mnt`,
    attachment_id: attachment.id,
  };
}

function connect(core: Core, attachment: Attachment, volume: Volume, device: string): void {
  attachment.status = 'attaching';
  attachment.device = device;
  attachment.connection_info = connectionInfo(core, attachment, volume);
  volume.status = 'attaching';
}

/** The volume is in use now. A server's device name comes from Nova. */
export function complete(core: Core, attachment: Attachment, volume: Volume, device?: string): void {
  attachment.status = 'attached';
  attachment.attached_at = cinderTime();
  attachment.connection_info = connectionInfo(core, attachment, volume);
  if (device !== undefined) attachment.device = device;
  volume.status = 'in-use';
  volume.updated_at = cinderTime();
}

/** Ends an attachment; the volume becomes available. */
export function release(core: Core, attachmentId: string): void {
  const attachment = core.state.attachments.find((one) => one.id === attachmentId);
  if (!attachment) return;
  core.state.attachments = core.state.attachments.filter((one) => one !== attachment);
  const volume = core.state.volumes.find((one) => one.id === attachment.volume_id);
  if (volume && ['in-use', 'reserved', 'attaching', 'detaching'].includes(volume.status)) {
    volume.status = 'available';
    volume.updated_at = cinderTime();
  }
}

function attachmentOf(call: Call): Attachment {
  const project = projectOf(call);
  const attachment = call.core.state.attachments.find(
    (one) => one.id === param(call, 'id') && (one.project_id === project.id || call.scope?.admin === true),
  );
  if (!attachment) {
    throw new Refusal(404, `Volume attachment could not be found with filter: attachment_id = ${param(call, 'id')}.`);
  }
  return attachment;
}

function since(call: Call, minor: number): void {
  if (call.minor < minor) throw new Refusal(404, 'The resource could not be found.');
}

function view(attachment: Attachment, detail: boolean): Json {
  return {
    id: attachment.id,
    status: attachment.status,
    instance: attachment.instance,
    volume_id: attachment.volume_id,
    ...(detail
      ? {
          attached_at: attachment.attached_at ?? '',
          detached_at: '',
          attach_mode: attachment.status === 'reserved' ? null : 'rw',
          connection_info: attachment.connection_info,
        }
      : {}),
  };
}

function list(call: Call, detail: boolean): object {
  since(call, 27);
  const project = projectOf(call);
  const all = call.scope?.admin === true && asBoolean(call.query.get('all_tenants') ?? '');
  const wanted = (key: string, value: string | null) => {
    const asked = call.query.get(key);
    return asked === null || asked === value;
  };
  return {
    attachments: call.core.state.attachments
      .filter((one) => all || one.project_id === project.id)
      .filter(
        (one) =>
          wanted('volume_id', one.volume_id) && wanted('instance_id', one.instance) && wanted('status', one.status),
      )
      .map((one) => view(one, detail)),
  };
}

function create(call: Call): Attachment {
  since(call, 27);
  const body = objectIn(call.body, 'attachment');
  const volumeId = body && textIn(body, 'volume_uuid');
  if (!body || !isUuid(volumeId)) {
    throw new Refusal(400, `Invalid input for field/attribute attachment. 'volume_uuid' is a required property`);
  }
  const instance = body['instance_uuid'];
  if (instance !== undefined && typeof instance !== 'string') {
    const message = `Value: ${shown(instance)}. ${repr(instance)} is not of type 'string'`;
    throw new Refusal(400, `Invalid input for field/attribute instance_uuid. ${message}`);
  }
  const volume = volumeOf(call, volumeId);
  const attachment = reserve(call.core, volume, textIn(body, 'instance_uuid') ?? null);
  const connector = body['connector'];
  if (isObject(connector) && Object.keys(connector).length > 0) {
    connect(call.core, attachment, volume, textIn(connector, 'mountpoint') ?? 'na');
  }
  return attachment;
}

const BASE = '/v3/:project/attachments';

export const attachmentRoutes: Route[] = [
  { method: 'GET', pattern: BASE, handle: (call) => ({ status: 200, body: list(call, false) }) },
  { method: 'GET', pattern: `${BASE}/detail`, handle: (call) => ({ status: 200, body: list(call, true) }) },
  {
    method: 'GET',
    pattern: `${BASE}/:id`,
    handle: (call) => {
      since(call, 27);
      return { status: 200, body: { attachment: view(attachmentOf(call), true) } };
    },
  },
  {
    method: 'POST',
    pattern: BASE,
    handle: (call) => {
      // Answered with the record as it was reserved, although it is connected by then (seen on the real lab).
      const made = { ...view(create(call), true), status: 'reserved', attach_mode: 'null' };
      return { status: 200, body: { attachment: made } };
    },
  },
  {
    method: 'PUT',
    pattern: `${BASE}/:id`,
    handle: (call) => {
      since(call, 27);
      const attachment = attachmentOf(call);
      const connector = objectIn(objectIn(call.body, 'attachment'), 'connector');
      if (!connector)
        throw new Refusal(400, `Invalid input for field/attribute attachment. 'connector' is a required property`);
      connect(call.core, attachment, volumeOf(call, attachment.volume_id), textIn(connector, 'mountpoint') ?? 'na');
      return { status: 200, body: { attachment: view(attachment, true) } };
    },
  },
  {
    method: 'POST',
    pattern: `${BASE}/:id/action`,
    handle: (call) => {
      since(call, 44);
      if (!isObject(call.body) || !('os-complete' in call.body)) throw new Refusal(400, 'There is no such action.');
      const attachment = attachmentOf(call);
      complete(call.core, attachment, volumeOf(call, attachment.volume_id));
      return { status: 204 };
    },
  },
  {
    method: 'DELETE',
    pattern: `${BASE}/:id`,
    handle: (call) => {
      since(call, 27);
      const attachment = attachmentOf(call);
      const server = call.core.state.servers.find((one) => one.id === attachment.instance && one.status !== 'ERROR');
      if (server && attachment.status === 'attached') {
        // Since the fix of CVE-2023-2088 (Cinder 20.2 and later): a server's attachment goes by Nova alone.
        throw new Refusal(409, `Detach volume from instance ${server.id} using the Compute API`, {
          type: 'ConflictNovaUsingAttachment',
        });
      }
      release(call.core, attachment.id);
      return { status: 200, body: { attachments: [] } };
    },
  },
];
