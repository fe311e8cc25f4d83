/** Nova: servers as records: list, show, update, delete, metadata. Their making is in create.ts. */
import { randomBytes } from 'node:crypto';
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import { page } from '../pages.js';
import type { Server } from '../state.js';
import { asBoolean, isStringMap, objectIn, textIn, zuluTime, type Json } from '../values.js';
import { additional } from '../block-storage/volumes.js';
import { createServer } from './create.js';
import { deleteServer } from './lifecycle.js';

export function serverOf(call: Call, id = param(call, 'id')): Server {
  const server = call.core.state.servers.find((one) => one.id === id);
  if (!server || (server.project_id !== projectOf(call).id && call.scope?.admin !== true)) {
    throw new Refusal(404, `Instance ${id} could not be found.`);
  }
  return server;
}

export function links(call: Call, id: string): object[] {
  return [
    { rel: 'self', href: `${call.root}/v2.1/servers/${id}` },
    { rel: 'bookmark', href: `${call.root}/servers/${id}` },
  ];
}

function addresses(call: Call, server: Server): Json {
  const { state } = call.core;
  const all: Record<string, object[]> = {};
  for (const { port_id } of server.ports) {
    const port = state.ports.find((one) => one.id === port_id);
    const network = state.networks.find((one) => one.id === port?.network_id);
    if (!port || !network) continue;
    const list = (all[network.name] ??= []);
    for (const ip of port.fixed_ips) {
      list.push({
        version: ip.ip_address.includes(':') ? 6 : 4,
        addr: ip.ip_address,
        'OS-EXT-IPS:type': 'fixed',
        'OS-EXT-IPS-MAC:mac_addr': port.mac_address,
      });
    }
  }
  return all;
}

function flavor(call: Call, server: Server): Json {
  const found = call.core.state.flavors.find((one) => one.id === server.flavor_id);
  if (call.minor < 47 || !found) {
    return { id: server.flavor_id, links: [{ rel: 'bookmark', href: `${call.root}/flavors/${server.flavor_id}` }] };
  }
  return {
    vcpus: found.vcpus,
    ram: found.ram,
    disk: found.disk,
    ephemeral: 0,
    swap: 0,
    original_name: found.name,
    extra_specs: found.extra_specs,
  };
}

/** As `GET /servers/detail` shows it; `GET /servers/ID` adds the server's groups. */
export function view(call: Call, server: Server): Json {
  const since = (minor: number, extra: Json): Json => (call.minor >= minor ? extra : {});
  const image =
    server.image_id === null
      ? ''
      : { id: server.image_id, links: [{ rel: 'bookmark', href: `${call.root}/images/${server.image_id}` }] };
  return {
    id: server.id,
    name: server.name,
    status: server.status,
    tenant_id: server.project_id,
    user_id: server.user_id,
    metadata: server.metadata,
    hostId: server.launched_at === null ? '' : 'a3b1c7d5e9f00112233445566778899aabbccddeeff0011223344556',
    image,
    flavor: flavor(call, server),
    created: server.created,
    updated: server.updated,
    addresses: addresses(call, server),
    accessIPv4: '',
    accessIPv6: '',
    links: links(call, server.id),
    'OS-DCF:diskConfig': 'MANUAL',
    ...(['ACTIVE', 'BUILD'].includes(server.status) ? { progress: 0 } : {}),
    ...(server.fault && server.status === 'ERROR' ? { fault: server.fault } : {}),
    'OS-EXT-AZ:availability_zone': server.launched_at === null ? '' : server.availability_zone,
    config_drive: server.config_drive ? 'True' : '',
    key_name: server.key_name,
    'OS-SRV-USG:launched_at': server.launched_at,
    'OS-SRV-USG:terminated_at': null,
    ...(server.security_groups.length > 0 ? { security_groups: server.security_groups.map((name) => ({ name })) } : {}),
    'OS-EXT-STS:task_state': server.task_state,
    'OS-EXT-STS:vm_state': server.vm_state,
    'OS-EXT-STS:power_state': server.power_state,
    'os-extended-volumes:volumes_attached': server.volumes.map((one) => ({
      id: one.volume_id,
      ...since(3, { delete_on_termination: one.delete_on_termination }),
    })),
    ...since(9, { locked: false }),
    ...since(73, { locked_reason: null }),
    ...since(19, { description: null }),
    ...since(26, { tags: server.tags }),
    ...since(63, { trusted_image_certificates: null }),
    ...since(90, { 'OS-EXT-SRV-ATTR:hostname': server.hostname }),
  };
}

/** What a member may filter by (_get_server_search_options); other keys, `metadata` among them, are passed over. */
const FILTERS: Record<string, { since: number; fits: (server: Server, wanted: string) => boolean }> = {
  // The name is a regular expression, anywhere in the name.
  name: { since: 1, fits: (server, wanted) => regex(wanted).test(server.name) },
  status: { since: 1, fits: (server, wanted) => server.status === wanted.toUpperCase() },
  image: { since: 1, fits: (server, wanted) => server.image_id === wanted },
  flavor: { since: 1, fits: (server, wanted) => server.flavor_id === wanted },
  availability_zone: { since: 83, fits: (server, wanted) => server.availability_zone === wanted },
  key_name: { since: 83, fits: (server, wanted) => server.key_name === wanted },
  vm_state: { since: 83, fits: (server, wanted) => server.vm_state === wanted },
  hostname: { since: 90, fits: (server, wanted) => server.hostname === wanted },
};

function regex(text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw new Refusal(400, `Invalid input for query parameters name. Value: ${text}. '${text}' is not a 'regex'`);
  }
}

function list(call: Call, detail: boolean): object {
  const { core } = call;
  const project = projectOf(call);
  const all = call.scope?.admin === true && asBoolean(call.query.get('all_tenants') ?? '');
  if (asBoolean(call.query.get('all_tenants') ?? '') && !all) {
    throw new Refusal(403, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.");
  }
  let servers = core.state.servers.filter((one) => all || one.project_id === project.id);
  for (const [key, wanted] of call.query) {
    const filter = FILTERS[key];
    if (filter && call.minor >= filter.since) servers = servers.filter((one) => filter.fits(one, wanted));
  }
  servers = [...servers].reverse();
  const found = page(call, servers, core.settings.pageSize, (one) => one.id);
  return {
    servers: found.items.map((one) =>
      detail ? view(call, one) : { id: one.id, name: one.name, links: links(call, one.id) },
    ),
    ...(found.next === null
      ? {}
      : { servers_links: [{ rel: 'next', href: `${call.root}${call.path}?${found.next}` }] }),
  };
}

function update(call: Call): Server {
  const server = serverOf(call);
  const body = objectIn(call.body, 'server');
  if (!body) throw new Refusal(400, "'server' is a required property");
  const unknown = Object.keys(body).filter(
    (key) => !['name', 'accessIPv4', 'accessIPv6', 'OS-DCF:diskConfig', 'description', 'hostname'].includes(key),
  );
  if (unknown.length > 0) throw additional('server', body, unknown);
  server.name = textIn(body, 'name') ?? server.name;
  server.updated = zuluTime();
  return server;
}

function setMetadata(call: Call, replace: boolean): object {
  const server = serverOf(call);
  const metadata = objectIn(call.body, 'metadata');
  if (!metadata || !isStringMap(metadata)) throw new Refusal(400, 'Invalid input for field/attribute metadata.');
  server.metadata = replace ? metadata : { ...server.metadata, ...metadata };
  server.updated = zuluTime();
  return { metadata: server.metadata };
}

const BASE = '/v2.1/servers';

export const serverRoutes: Route[] = [
  { method: 'GET', pattern: BASE, handle: (call) => ({ status: 200, body: list(call, false) }) },
  { method: 'GET', pattern: `${BASE}/detail`, handle: (call) => ({ status: 200, body: list(call, true) }) },
  {
    method: 'POST',
    pattern: BASE,
    handle: (call) => {
      const server = createServer(call);
      const href = `${call.root}/v2.1/servers/${server.id}`;
      return {
        status: 202,
        headers: { location: href },
        body: {
          server: {
            id: server.id,
            links: links(call, server.id),
            'OS-DCF:diskConfig': 'MANUAL',
            security_groups: server.security_groups.map((name) => ({ name })),
            adminPass: randomBytes(9).toString('base64url'),
          },
        },
      };
    },
  },
  {
    method: 'GET',
    pattern: `${BASE}/:id`,
    handle: (call) => {
      const groups = call.minor >= 71 ? { server_groups: [] } : {};
      return { status: 200, body: { server: { ...view(call, serverOf(call)), ...groups } } };
    },
  },
  {
    method: 'PUT',
    pattern: `${BASE}/:id`,
    handle: (call) => ({ status: 200, body: { server: view(call, update(call)) } }),
  },
  {
    method: 'DELETE',
    pattern: `${BASE}/:id`,
    handle: (call) => {
      deleteServer(call.core, serverOf(call));
      return { status: 204 };
    },
  },
  {
    method: 'GET',
    pattern: `${BASE}/:id/metadata`,
    handle: (call) => ({ status: 200, body: { metadata: serverOf(call).metadata } }),
  },
  {
    method: 'POST',
    pattern: `${BASE}/:id/metadata`,
    handle: (call) => ({ status: 200, body: setMetadata(call, false) }),
  },
  {
    method: 'PUT',
    pattern: `${BASE}/:id/metadata`,
    handle: (call) => ({ status: 200, body: setMetadata(call, true) }),
  },
  {
    method: 'DELETE',
    pattern: `${BASE}/:id/metadata/:key`,
    handle: (call) => {
      const server = serverOf(call);
      const key = param(call, 'key');
      if (!(key in server.metadata)) throw new Refusal(404, 'Metadata item was not found');
      server.metadata = Object.fromEntries(Object.entries(server.metadata).filter(([name]) => name !== key));
      return { status: 204 };
    },
  },
];
