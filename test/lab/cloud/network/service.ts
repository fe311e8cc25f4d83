/** Neutron 2.0. Shapes and words: Neutron 21 (Zed) as the real lab answers, neutron_lib/exceptions, the api-ref. */
import { param, projectOf, type Call, type Reply, type Route, type Service } from '../http.js';
import type { Port } from '../state.js';
import { listIn, isObject, zuluTime } from '../values.js';
import { networkRoutes } from './networks.js';
import { neutron } from './lists.js';
import { portOf, portRoutes } from './ports.js';
import { securityGroupRoutes } from './security-groups.js';

/** Those that this cloud really has. `standard-attr-tag` is what lets ports carry tags. */
const EXTENSIONS: [alias: string, name: string][] = [
  ['allowed-address-pairs', 'Allowed Address Pairs'],
  ['availability_zone', 'Availability Zone'],
  ['binding', 'Port Binding'],
  ['external-net', 'Neutron external network'],
  ['net-mtu', 'Network MTU'],
  ['pagination', 'Pagination support'],
  ['port-security', 'Port Security'],
  ['project-id', 'project_id field enabled'],
  ['provider', 'Provider Network'],
  ['quotas', 'Quota management support'],
  ['security-group', 'security-group'],
  ['sorting', 'Sorting support'],
  ['standard-attr-description', 'standard-attr-description'],
  ['standard-attr-revisions', 'Resource revision numbers'],
  ['standard-attr-tag', 'Tag support for resources with standard attribute: port'],
  ['standard-attr-timestamp', 'Resource timestamps'],
];

function extension([alias, name]: [string, string]): object {
  return { alias, name, description: name, updated: '2017-01-01T00:00:00-00:00', links: [] };
}

function checkTag(tag: unknown): string {
  // MAX_TAG_LEN of extensions/tagging.py.
  if (typeof tag !== 'string' || tag.length > 255) {
    throw neutron(
      400,
      'HTTPBadRequest',
      `Invalid input for tag. Reason: '${String(tag)}' exceeds maximum length of 255.`,
    );
  }
  return tag;
}

function retag(call: Call, change: (port: Port) => string[]): Port {
  const port = portOf(call);
  port.tags = [...new Set(change(port))];
  port.updated_at = zuluTime();
  port.revision++;
  return port;
}

const TAGS = '/v2.0/ports/:id/tags';

const tagRoutes: Route[] = [
  { method: 'GET', pattern: TAGS, handle: (call) => ({ status: 200, body: { tags: portOf(call).tags } }) },
  {
    method: 'PUT',
    pattern: TAGS,
    handle: (call) => {
      const tags = isObject(call.body) ? listIn(call.body, 'tags') : undefined;
      if (!tags) throw neutron(400, 'HTTPBadRequest', "Invalid input for tags. Reason: 'tags' is required.");
      return { status: 200, body: { tags: retag(call, () => tags.map(checkTag)).tags } };
    },
  },
  {
    method: 'PUT',
    pattern: `${TAGS}/:tag`,
    handle: (call) => {
      retag(call, (port) => [...port.tags, checkTag(param(call, 'tag'))]);
      return { status: 201, body: 'null', headers: { 'content-type': 'application/json' } };
    },
  },
  {
    method: 'GET',
    pattern: `${TAGS}/:tag`,
    handle: (call) => {
      if (!portOf(call).tags.includes(param(call, 'tag'))) {
        throw neutron(404, 'TagNotFound', `Tag ${param(call, 'tag')} could not be found.`);
      }
      return { status: 204 };
    },
  },
  {
    method: 'DELETE',
    pattern: `${TAGS}/:tag`,
    handle: (call) => {
      const tag = param(call, 'tag');
      if (!portOf(call).tags.includes(tag)) throw neutron(404, 'TagNotFound', `Tag ${tag} could not be found.`);
      retag(call, (port) => port.tags.filter((one) => one !== tag));
      return { status: 204 };
    },
  },
  {
    method: 'DELETE',
    pattern: TAGS,
    handle: (call) => {
      retag(call, () => []);
      return { status: 204 };
    },
  },
];

/** `/quotas/ID` and `/quotas/ID/details.json`; what this cloud does not count has no limit. */
function quotas(call: Call, details: boolean): Reply {
  const project = projectOf(call);
  if (param(call, 'target') !== project.id && call.scope?.admin !== true) {
    throw neutron(403, 'PolicyNotAuthorized', '(rule:get_quota) is disallowed by policy');
  }
  const { state } = call.core;
  const count = (items: { project_id: string }[]) => items.filter((one) => one.project_id === project.id).length;
  const all: Record<string, [limit: number, used: number]> = {
    network: [100, count(state.networks)],
    subnet: [100, count(state.subnets)],
    port: [project.quotas.ports, count(state.ports)],
    subnetpool: [-1, 0],
    rbac_policy: [10, 0],
    security_group: [10, count(state.securityGroups)],
    security_group_rule: [100, 0],
  };
  const quota = Object.fromEntries(
    Object.entries(all).map(([key, [limit, used]]) => [key, details ? { limit, used, reserved: 0 } : limit]),
  );
  return { status: 200, body: { quota } };
}

export const network: Service = {
  name: 'network',
  root: '/network',
  refuse: (refusal) => ({
    status: refusal.status,
    body: {
      NeutronError: {
        type: !/^[A-Z]/.test(refusal.type)
          ? refusal.status === 404
            ? 'HTTPNotFound'
            : 'HTTPBadRequest'
          : refusal.type,
        message: refusal.message,
        detail: '',
      },
    },
  }),
  routes: [
    {
      method: 'GET',
      pattern: '/',
      open: true,
      handle: (call) => ({
        status: 200,
        body: {
          versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${call.root}/v2.0/` }] }],
        },
      }),
    },
    {
      method: 'GET',
      pattern: '/v2.0',
      handle: (call) => ({
        status: 200,
        body: {
          resources: ['networks', 'subnets', 'ports', 'security-groups', 'extensions'].map((collection) => ({
            name: collection.replace(/s$/, ''),
            collection,
            links: [{ rel: 'self', href: `${call.root}/v2.0/${collection}` }],
          })),
        },
      }),
    },
    ...networkRoutes,
    ...portRoutes,
    ...tagRoutes,
    ...securityGroupRoutes,
    {
      method: 'GET',
      pattern: '/v2.0/extensions',
      handle: () => ({ status: 200, body: { extensions: EXTENSIONS.map(extension) } }),
    },
    {
      method: 'GET',
      pattern: '/v2.0/extensions/:alias',
      handle: (call) => {
        const found = EXTENSIONS.find(([alias]) => alias === param(call, 'alias'));
        if (!found) throw neutron(404, 'HTTPNotFound', `Extension with alias ${param(call, 'alias')} does not exist`);
        return { status: 200, body: { extension: extension(found) } };
      },
    },
    { method: 'GET', pattern: '/v2.0/quotas/:target', handle: (call) => quotas(call, false) },
    { method: 'GET', pattern: '/v2.0/quotas/:target/details.json', handle: (call) => quotas(call, true) },
    {
      method: 'GET',
      pattern: '/v2.0/availability_zones',
      handle: () => ({
        status: 200,
        body: { availability_zones: [{ name: 'nova', resource: 'network', state: 'available' }] },
      }),
    },
  ],
};
