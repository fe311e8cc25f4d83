/** Nova: volumes and ports of a running server: os-volume_attachments, os-interface. */
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import type { Port, Server } from '../state.js';
import { asBoolean, objectIn, textIn, zuluTime, type Json } from '../values.js';
import { complete, release, reserve } from '../block-storage/attachments.js';
import { bind, makePort, unbind } from '../network/ports.js';
import { requireUuid } from './create.js';
import { deviceName } from './hardware.js';
import { serverOf } from './servers.js';

type Entry = Server['volumes'][number];

/** `made`: the answer to POST, which keeps the older form at every version (seen on the real lab). */
function attachmentView(call: Call, server: Server, entry: Entry, made = false): Json {
  const modern = call.minor >= 89 && !made;
  return {
    ...(modern ? {} : { id: entry.volume_id }),
    volumeId: entry.volume_id,
    serverId: server.id,
    device: entry.device,
    ...(call.minor >= 70 ? { tag: null } : {}),
    ...(call.minor >= 79 ? { delete_on_termination: entry.delete_on_termination } : {}),
    ...(modern ? { attachment_id: entry.attachment_id, bdm_uuid: entry.attachment_id } : {}),
  };
}

function entryOf(server: Server, volumeId: string): Entry {
  const entry = server.volumes.find((one) => one.volume_id === volumeId);
  if (!entry) throw new Refusal(404, `Instance ${server.id} is not attached to volume ${volumeId}`);
  return entry;
}

function requireRunning(server: Server, action: string): void {
  if (!['active', 'stopped', 'paused'].includes(server.vm_state) || server.task_state !== null) {
    throw new Refusal(409, `Cannot '${action}' instance ${server.id} while it is in vm_state ${server.vm_state}`);
  }
}

function attach(call: Call): Json {
  const { core } = call;
  const server = serverOf(call);
  requireRunning(server, 'attach_volume');
  const body = objectIn(call.body, 'volumeAttachment');
  if (!body) throw new Refusal(400, "'volumeAttachment' is a required property");
  const volumeId = requireUuid(body['volumeId'], 'volumeId');
  const volume = core.state.volumes.find((one) => one.id === volumeId && one.project_id === projectOf(call).id);
  if (!volume) throw new Refusal(404, `Volume ${volumeId} could not be found.`);
  let attachment;
  try {
    attachment = reserve(core, volume, server.id);
  } catch (error) {
    const why = error instanceof Refusal ? error.message : String(error);
    throw new Refusal(400, `Invalid input received: ${why} (HTTP 400) (Request-ID: ${call.requestId})`);
  }
  const boot = core.state.volumes.find((one) => one.id === server.volumes[0]?.volume_id);
  const entry: Entry = {
    volume_id: volumeId,
    attachment_id: attachment.id,
    device: deviceName(boot?.image_metadata ?? {}, server.volumes.length),
    boot_index: null,
    delete_on_termination: asBoolean(body['delete_on_termination'] ?? false),
  };
  server.volumes.push(entry);
  volume.status = 'attaching';
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      complete(core, attachment, volume, entry.device);
    },
    () => release(core, attachment.id),
  );
  return attachmentView(call, server, entry, true);
}

function detach(call: Call): void {
  const { core } = call;
  const server = serverOf(call);
  const entry = entryOf(server, param(call, 'volume'));
  requireRunning(server, 'detach_volume');
  if (entry.boot_index === 0) {
    throw new Refusal(400, `Cannot detach a root device volume`);
  }
  const volume = core.state.volumes.find((one) => one.id === entry.volume_id);
  if (volume?.status !== 'in-use') {
    throw new Refusal(
      400,
      `Invalid volume: Invalid input received: Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach. (HTTP 400) (Request-ID: ${call.requestId})`,
    );
  }
  volume.status = 'detaching';
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      server.volumes = server.volumes.filter((one) => one !== entry);
      release(core, entry.attachment_id);
    },
    () => (volume.status = 'in-use'),
  );
}

function interfaceView(call: Call, port: Port): Json {
  return {
    net_id: port.network_id,
    port_id: port.id,
    mac_addr: port.mac_address,
    port_state: port.status,
    fixed_ips: port.fixed_ips,
    ...(call.minor >= 70 ? { tag: null } : {}),
  };
}

function portsOf(call: Call, server: Server): Port[] {
  return server.ports.flatMap(({ port_id }) => call.core.state.ports.filter((one) => one.id === port_id));
}

function plug(call: Call): Json {
  const { core } = call;
  const server = serverOf(call);
  requireRunning(server, 'attach_interface');
  const body = objectIn(call.body, 'interfaceAttachment') ?? {};
  const portId = textIn(body, 'port_id');
  const netId = textIn(body, 'net_id');
  const project = projectOf(call);
  let port: Port | undefined;
  if (portId !== undefined) {
    port = core.state.ports.find((one) => one.id === portId && one.project_id === project.id);
    if (!port) throw new Refusal(400, `Port id ${portId} could not be found.`);
    if (port.device_id !== '') throw new Refusal(400, `Port ${portId} is still in use.`);
  } else {
    const network = core.state.networks.find(
      (one) => one.id === netId && (one.project_id === project.id || one.shared),
    );
    if (!network) throw new Refusal(400, `Network ${netId ?? 'None'} could not be found.`);
    port = makePort(core, network, project.id, {});
  }
  bind(port, server.id, server.availability_zone, true);
  server.ports.push({ port_id: port.id, ours: portId === undefined });
  server.updated = zuluTime();
  return interfaceView(call, port);
}

const VOLUMES = '/v2.1/servers/:id/os-volume_attachments';
const PORTS = '/v2.1/servers/:id/os-interface';

export const attachRoutes: Route[] = [
  {
    method: 'GET',
    pattern: VOLUMES,
    handle: (call) => {
      const server = serverOf(call);
      return {
        status: 200,
        body: { volumeAttachments: server.volumes.map((one) => attachmentView(call, server, one)) },
      };
    },
  },
  { method: 'POST', pattern: VOLUMES, handle: (call) => ({ status: 200, body: { volumeAttachment: attach(call) } }) },
  {
    method: 'GET',
    pattern: `${VOLUMES}/:volume`,
    handle: (call) => {
      const server = serverOf(call);
      const entry = entryOf(server, param(call, 'volume'));
      return { status: 200, body: { volumeAttachment: attachmentView(call, server, entry) } };
    },
  },
  {
    method: 'DELETE',
    pattern: `${VOLUMES}/:volume`,
    handle: (call) => {
      detach(call);
      return { status: 202 };
    },
  },
  {
    method: 'GET',
    pattern: PORTS,
    handle: (call) => ({
      status: 200,
      body: { interfaceAttachments: portsOf(call, serverOf(call)).map((one) => interfaceView(call, one)) },
    }),
  },
  { method: 'POST', pattern: PORTS, handle: (call) => ({ status: 200, body: { interfaceAttachment: plug(call) } }) },
  {
    method: 'DELETE',
    pattern: `${PORTS}/:port`,
    handle: (call) => {
      const server = serverOf(call);
      const entry = server.ports.find((one) => one.port_id === param(call, 'port'));
      const port = call.core.state.ports.find((one) => one.id === entry?.port_id);
      if (!entry || !port) throw new Refusal(404, `Port ${param(call, 'port')} not found`);
      server.ports = server.ports.filter((one) => one !== entry);
      if (entry.ours) call.core.state.ports = call.core.state.ports.filter((one) => one !== port);
      else unbind(port);
      return { status: 202 };
    },
  },
];
