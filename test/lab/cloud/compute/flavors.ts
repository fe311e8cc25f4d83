/** Nova: what a server is made of: flavors, key pairs, zones, limits. */
import { createHash } from 'node:crypto';
import { Refusal, param, projectOf, userOf, type Call, type Route } from '../http.js';
import { page } from '../pages.js';
import type { CloudState, Flavor, Keypair, Project } from '../state.js';
import { cinderTime, isObject, objectIn, textIn, type Json } from '../values.js';
import { additional } from '../block-storage/volumes.js';

function flavorView(call: Call, flavor: Flavor): Json {
  return {
    id: flavor.id,
    name: flavor.name,
    ram: flavor.ram,
    disk: flavor.disk,
    swap: call.minor >= 75 ? 0 : '',
    'OS-FLV-EXT-DATA:ephemeral': 0,
    'OS-FLV-DISABLED:disabled': false,
    vcpus: flavor.vcpus,
    'os-flavor-access:is_public': true,
    rxtx_factor: 1.0,
    links: links(call, flavor.id),
    ...(call.minor >= 55 ? { description: null } : {}),
    ...(call.minor >= 61 ? { extra_specs: flavor.extra_specs } : {}),
  };
}

function links(call: Call, id: string): object[] {
  return [
    { rel: 'self', href: `${call.root}/v2.1/flavors/${id}` },
    { rel: 'bookmark', href: `${call.root}/flavors/${id}` },
  ];
}

function flavorOf(call: Call): Flavor {
  const flavor = call.core.state.flavors.find((one) => one.id === param(call, 'id'));
  if (!flavor) throw new Refusal(404, `Flavor ${param(call, 'id')} could not be found.`);
  return flavor;
}

function flavorList(call: Call, detail: boolean): object {
  const { query, core } = call;
  const least = (key: string) => Number(query.get(key) ?? 0);
  const flavors = core.state.flavors.filter((one) => one.ram >= least('minRam') && one.disk >= least('minDisk'));
  const found = page(call, flavors, core.settings.pageSize, (one) => one.id);
  return {
    flavors: found.items.map((one) =>
      detail
        ? flavorView(call, one)
        : {
            id: one.id,
            name: one.name,
            links: links(call, one.id),
            ...(call.minor >= 55 ? { description: null } : {}),
          },
    ),
    ...(found.next === null
      ? {}
      : { flavors_links: [{ rel: 'next', href: `${call.root}${call.path}?${found.next}` }] }),
  };
}

/** What a project uses: all its servers, those in ERROR too. */
export function computeUsage(state: CloudState, project: Project): { instances: number; cores: number; ram: number } {
  const servers = state.servers.filter((one) => one.project_id === project.id);
  const flavors = servers.map((one) => state.flavors.find((flavor) => flavor.id === one.flavor_id));
  return {
    instances: servers.length,
    cores: flavors.reduce((sum, one) => sum + (one?.vcpus ?? 0), 0),
    ram: flavors.reduce((sum, one) => sum + (one?.ram ?? 0), 0),
  };
}

function limits(call: Call): object {
  const project = projectOf(call);
  const used = computeUsage(call.core.state, project);
  return {
    limits: {
      rate: [],
      absolute: {
        maxServerMeta: 128,
        ...(call.minor >= 39 ? {} : { maxImageMeta: 128 }),
        maxTotalInstances: project.quotas.instances,
        maxTotalRAMSize: project.quotas.ram,
        maxTotalCores: project.quotas.cores,
        maxTotalKeypairs: 100,
        maxServerGroups: 10,
        maxServerGroupMembers: 10,
        totalRAMUsed: used.ram,
        totalCoresUsed: used.cores,
        totalInstancesUsed: used.instances,
        totalServerGroupsUsed: 0,
      },
    },
  };
}

function quotaSet(call: Call, detail: boolean): object {
  const project = projectOf(call);
  if (param(call, 'target') !== project.id && call.scope?.admin !== true) {
    throw new Refusal(403, "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.");
  }
  const used = computeUsage(call.core.state, project);
  const all = {
    instances: [project.quotas.instances, used.instances],
    cores: [project.quotas.cores, used.cores],
    ram: [project.quotas.ram, used.ram],
    key_pairs: [100, 0],
    ...(call.minor < 36
      ? { fixed_ips: [-1, 0], floating_ips: [-1, 0], security_groups: [-1, 0], security_group_rules: [-1, 0] }
      : {}),
    ...(call.minor < 57
      ? { injected_files: [5, 0], injected_file_content_bytes: [10_240, 0], injected_file_path_bytes: [255, 0] }
      : {}),
    metadata_items: [128, 0],
    server_groups: [10, 0],
    server_group_members: [10, 0],
  };
  const entries = Object.entries(all).map(([key, [limit, inUse]]) => [
    key,
    detail ? { limit, in_use: inUse, reserved: 0 } : limit,
  ]);
  return { quota_set: { id: project.id, ...(Object.fromEntries(entries) as object) } };
}

/** MD5 of the key's bytes in pairs, as Nova shows it. Throws Refusal 400 for what is no public key. */
export function fingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.trim().split(/\s+/)[1] ?? '', 'base64');
  if (!/^(ssh-|ecdsa-|sk-)/.test(publicKey.trim()) || blob.length < 16) {
    throw new Refusal(400, 'Keypair data is invalid: failed to generate fingerprint');
  }
  const hex = createHash('md5').update(blob).digest('hex');
  return hex.match(/../g)?.join(':') ?? '';
}

function keypairView(call: Call, pair: Keypair): Json {
  return {
    name: pair.name,
    public_key: pair.public_key,
    fingerprint: pair.fingerprint,
    ...(call.minor >= 2 ? { type: 'ssh' } : {}),
  };
}

function createKeypair(call: Call): Json {
  const body = objectIn(call.body, 'keypair');
  const name = body && textIn(body, 'name');
  if (!body || name === undefined || name === '') {
    throw new Refusal(400, `Invalid input for field/attribute keypair. 'name' is a required property`);
  }
  const unknown = Object.keys(body).filter((key) => !['name', 'public_key', 'type', 'user_id'].includes(key));
  if (unknown.length > 0) throw additional('keypair', body, unknown);
  const user = userOf(call);
  const { state } = call.core;
  if (state.keypairs.some((one) => one.name === name && one.user_id === user.id)) {
    throw new Refusal(409, `Key pair '${name}' already exists.`);
  }
  const publicKey = textIn(body, 'public_key');
  // Since 2.92 Nova makes no keys itself; this cloud never does.
  if (publicKey === undefined)
    throw new Refusal(400, `Invalid input for field/attribute keypair. 'public_key' is a required property`);
  const pair = {
    name,
    user_id: user.id,
    public_key: publicKey,
    fingerprint: fingerprint(publicKey),
    created_at: cinderTime(),
  };
  state.keypairs.push(pair);
  return { ...keypairView(call, pair), user_id: user.id };
}

function keypairOf(call: Call): Keypair {
  const user = userOf(call);
  const pair = call.core.state.keypairs.find((one) => one.name === param(call, 'name') && one.user_id === user.id);
  if (!pair) throw new Refusal(404, `Keypair ${param(call, 'name')} not found for user ${user.id}`);
  return pair;
}

function admin(call: Call, rule: string): void {
  if (call.scope?.admin !== true) throw new Refusal(403, `Policy doesn't allow ${rule} to be performed.`);
}

function createFlavor(call: Call): { status: number; body: object } {
  admin(call, 'os_compute_api:os-flavor-manage:create');
  const body = isObject(call.body) ? objectIn(call.body, 'flavor') : undefined;
  if (!body) throw new Refusal(400, "'flavor' is a required property");
  const number = (key: string): number => {
    const value = Number(body[key]);
    if (!Number.isInteger(value) || value < (key === 'disk' ? 0 : 1)) {
      throw new Refusal(400, `Invalid input for field/attribute ${key}.`);
    }
    return value;
  };
  const name = textIn(body, 'name') ?? '';
  const flavor: Flavor = {
    id: textIn(body, 'id') ?? createHash('sha256').update(name).digest('hex').slice(0, 32),
    name,
    vcpus: number('vcpus'),
    ram: number('ram'),
    disk: number('disk'),
    extra_specs: {},
  };
  const { flavors } = call.core.state;
  if (flavors.some((one) => one.id === flavor.id || one.name === name)) {
    throw new Refusal(409, `Flavor with name ${name} already exists.`);
  }
  flavors.push(flavor);
  return { status: 200, body: { flavor: flavorView(call, flavor) } };
}

export const catalogRoutes: Route[] = [
  { method: 'GET', pattern: '/v2.1/flavors', handle: (call) => ({ status: 200, body: flavorList(call, false) }) },
  { method: 'GET', pattern: '/v2.1/flavors/detail', handle: (call) => ({ status: 200, body: flavorList(call, true) }) },
  // Policy os_compute_api:os-flavor-manage and os-flavor-access: administrators only.
  { method: 'POST', pattern: '/v2.1/flavors', handle: createFlavor },
  {
    method: 'POST',
    pattern: '/v2.1/flavors/:id/action',
    handle: (call) => {
      admin(call, 'os_compute_api:os-flavor-access:add_tenant_access');
      flavorOf(call);
      return { status: 200, body: { flavor_access: [] } };
    },
  },
  {
    method: 'DELETE',
    pattern: '/v2.1/flavors/:id',
    handle: (call) => {
      admin(call, 'os_compute_api:os-flavor-manage:delete');
      const flavor = flavorOf(call);
      call.core.state.flavors.splice(call.core.state.flavors.indexOf(flavor), 1);
      return { status: 202, body: '' };
    },
  },
  {
    method: 'GET',
    pattern: '/v2.1/flavors/:id',
    handle: (call) => ({ status: 200, body: { flavor: flavorView(call, flavorOf(call)) } }),
  },
  {
    method: 'GET',
    pattern: '/v2.1/flavors/:id/os-extra_specs',
    handle: (call) => ({ status: 200, body: { extra_specs: flavorOf(call).extra_specs } }),
  },
  { method: 'GET', pattern: '/v2.1/limits', handle: (call) => ({ status: 200, body: limits(call) }) },
  {
    method: 'GET',
    pattern: '/v2.1/os-quota-sets/:target',
    handle: (call) => ({ status: 200, body: quotaSet(call, false) }),
  },
  {
    method: 'GET',
    pattern: '/v2.1/os-quota-sets/:target/detail',
    handle: (call) => ({ status: 200, body: quotaSet(call, true) }),
  },
  {
    method: 'GET',
    pattern: '/v2.1/os-availability-zone',
    handle: (call) => ({
      status: 200,
      body: {
        availabilityZoneInfo: call.core.state.computeZones.map((zoneName) => ({
          zoneName,
          zoneState: { available: true },
          hosts: null,
        })),
      },
    }),
  },
  {
    method: 'GET',
    pattern: '/v2.1/os-availability-zone/detail',
    handle: () => {
      throw new Refusal(403, "Policy doesn't allow os_compute_api:os-availability-zone:detail to be performed.");
    },
  },
  {
    method: 'GET',
    pattern: '/v2.1/os-keypairs',
    handle: (call) => {
      const user = userOf(call);
      const mine = call.core.state.keypairs.filter((one) => one.user_id === user.id);
      return { status: 200, body: { keypairs: mine.map((one) => ({ keypair: keypairView(call, one) })) } };
    },
  },
  {
    method: 'POST',
    pattern: '/v2.1/os-keypairs',
    handle: (call) => ({ status: call.minor >= 2 ? 201 : 200, body: { keypair: createKeypair(call) } }),
  },
  {
    method: 'GET',
    pattern: '/v2.1/os-keypairs/:name',
    handle: (call) => {
      const pair = keypairOf(call);
      return {
        status: 200,
        body: {
          keypair: {
            ...keypairView(call, pair),
            user_id: pair.user_id,
            created_at: pair.created_at,
            deleted: false,
            deleted_at: null,
            id: 1,
            updated_at: null,
          },
        },
      };
    },
  },
  {
    method: 'DELETE',
    pattern: '/v2.1/os-keypairs/:name',
    handle: (call) => {
      const pair = keypairOf(call);
      call.core.state.keypairs = call.core.state.keypairs.filter((one) => one !== pair);
      return { status: call.minor >= 2 ? 204 : 202 };
    },
  },
  // Asked by openstackclient's `server create` and `server list`; this cloud has no extensions to name.
  { method: 'GET', pattern: '/v2.1/extensions', handle: () => ({ status: 200, body: { extensions: [] } }) },
];

/** True for a body of the form `{ key: null | {} | {...} }`. */
export function isAction(body: unknown): body is Json {
  return isObject(body) && Object.keys(body).length === 1;
}
