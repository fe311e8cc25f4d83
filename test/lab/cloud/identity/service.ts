/** Keystone v3: versions, tokens, who may do what where. Shapes: keystone's api-ref (identity v3). */
import { Refusal, param, reason, userOf, type Call, type Service } from '../http.js';
import type { Project } from '../state.js';
import { catalog } from './catalog.js';
import { tokenRoutes } from './tokens.js';

function version(call: Call): object {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${call.root}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

function view(call: Call, project: Project): object {
  return {
    id: project.id,
    name: project.name,
    domain_id: 'default',
    description: '',
    enabled: true,
    parent_id: 'default',
    is_domain: false,
    tags: [],
    options: {},
    links: { self: `${call.root}/v3/projects/${project.id}` },
  };
}

function list(call: Call, projects: Project[]): object {
  const name = call.query.get('name');
  const chosen = name === null ? projects : projects.filter((one) => one.name === name);
  return {
    projects: chosen.map((one) => view(call, one)),
    links: { next: null, self: call.root + call.path, previous: null },
  };
}

function own(call: Call): Project[] {
  const user = userOf(call);
  return call.core.state.projects.filter((one) => (user.roles[one.id] ?? []).length > 0);
}

function forbidden(action: string): Refusal {
  return new Refusal(403, `You are not authorized to perform the requested action: ${action}.`);
}

export const identity: Service = {
  name: 'identity',
  root: '/identity',
  refuse: (refusal, call) => ({
    status: refusal.status,
    body: { error: { code: refusal.status, message: refusal.message, title: reason(refusal.status) } },
    ...(refusal.status === 401 ? { headers: { 'www-authenticate': `Keystone uri="${call.root}"` } } : {}),
  }),
  routes: [
    {
      method: 'GET',
      pattern: '/',
      open: true,
      handle: (call) => ({ status: 300, body: { versions: { values: [version(call)] } } }),
    },
    {
      method: 'GET',
      pattern: '/v3',
      open: true,
      handle: (call) => ({ status: 200, body: { version: version(call) } }),
    },
    ...tokenRoutes,
    {
      method: 'GET',
      pattern: '/v3/auth/catalog',
      handle: (call) => {
        const project = call.scope?.project;
        if (!project) throw forbidden('identity:get_auth_catalog');
        return {
          status: 200,
          body: { catalog: catalog(call.core, project.id), links: { self: call.root + call.path } },
        };
      },
    },
    { method: 'GET', pattern: '/v3/auth/projects', handle: (call) => ({ status: 200, body: list(call, own(call)) }) },
    {
      method: 'GET',
      pattern: '/v3/auth/domains',
      handle: (call) => ({
        status: 200,
        body: { domains: [], links: { next: null, self: call.root + call.path, previous: null } },
      }),
    },
    {
      method: 'GET',
      pattern: '/v3/projects',
      handle: (call) => {
        // Listing is for readers of the domain or the system; `lab` is neither (keystone/common/policies/project.py).
        if (!call.scope?.admin) throw forbidden('identity:list_projects');
        return { status: 200, body: list(call, call.core.state.projects) };
      },
    },
    {
      method: 'GET',
      pattern: '/v3/projects/:id',
      handle: (call) => {
        const project = call.core.state.projects.find((one) => one.id === param(call, 'id'));
        // A member learns nothing of other projects, not even whether they are there.
        if (!call.scope?.admin && call.scope?.project?.id !== param(call, 'id'))
          throw forbidden('identity:get_project');
        if (!project) throw new Refusal(404, `Could not find project: ${param(call, 'id')}.`);
        return { status: 200, body: { project: view(call, project) } };
      },
    },
    {
      method: 'GET',
      pattern: '/v3/users/:id/projects',
      handle: (call) => {
        if (userOf(call).id !== param(call, 'id')) throw forbidden('identity:list_user_projects');
        return { status: 200, body: list(call, own(call)) };
      },
    },
    {
      method: 'GET',
      pattern: '/v3/users/:id/application_credentials',
      handle: (call) => {
        const user = userOf(call);
        if (user.id !== param(call, 'id')) throw forbidden('identity:list_application_credentials');
        const mine = call.core.state.applicationCredentials.filter((one) => one.user_id === user.id);
        return {
          status: 200,
          body: {
            application_credentials: mine.map((one) => ({
              id: one.id,
              name: one.name,
              project_id: one.project_id,
              description: null,
              expires_at: null,
              unrestricted: false,
              roles: (user.roles[one.project_id] ?? []).map((name) => ({ name })),
            })),
            links: { next: null, self: call.root + call.path, previous: null },
          },
        };
      },
    },
    {
      method: 'GET',
      pattern: '/v3/users/:id',
      handle: (call) => {
        const user = userOf(call);
        if (user.id !== param(call, 'id')) throw forbidden('identity:get_user');
        return {
          status: 200,
          body: {
            user: {
              id: user.id,
              name: user.name,
              domain_id: 'default',
              enabled: true,
              default_project_id: user.default_project_id,
              options: {},
              password_expires_at: null,
              links: { self: call.root + call.path },
            },
          },
        };
      },
    },
  ],
};
