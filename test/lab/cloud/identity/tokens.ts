/** Keystone's tokens: POST, GET and DELETE /v3/auth/tokens. Shapes: keystone/common/render_token.py, api-ref identity v3. */
import { randomBytes } from 'node:crypto';
import type { Core } from '../core.js';
import { Refusal, type Call, type Reply, type Route, type Scope } from '../http.js';
import type { ApplicationCredential, Project, Token, User } from '../state.js';
import { isObject, keystoneTime, listIn, newHexId, objectIn, textIn, type Json } from '../values.js';
import { catalog } from './catalog.js';

const DOMAIN = { id: 'default', name: 'Default' };

/** Whose token this is; null when it is unknown or expired. */
export function scopeOf(core: Core, value: string | undefined): Scope | null {
  const token = value === undefined ? undefined : core.state.tokens.find((one) => one.value === value);
  if (!token || token.expires <= Date.now()) return null;
  const user = core.state.users.find((one) => one.id === token.user_id);
  if (!user) return null;
  const project = core.state.projects.find((one) => one.id === token.project_id) ?? null;
  const roles = project ? (user.roles[project.id] ?? []) : [];
  return { token, user, project, roles, admin: roles.includes('admin') };
}

/** One wording for every refused login: Keystone tells nobody which part was wrong. */
function unauthorized(message = 'The request you have made requires authentication.'): Refusal {
  return new Refusal(401, message);
}

function invalid(attribute: string, target: string): Refusal {
  return new Refusal(
    400,
    `Expecting to find ${attribute} in ${target}. The server could not comply with the request since it is either` +
      ' malformed or otherwise incorrect. The client is assumed to be in error.',
  );
}

/** By id, or by name with the domain Default (given by id or by name). */
function fits(wanted: Json, entity: { id: string; name: string }): boolean {
  const id = textIn(wanted, 'id');
  if (id !== undefined) return entity.id === id;
  if (textIn(wanted, 'name') !== entity.name) return false;
  const domain = objectIn(wanted, 'domain');
  return domain !== undefined && (domain['id'] === DOMAIN.id || domain['name'] === DOMAIN.name);
}

interface Login {
  user: User;
  /** The project that the method itself implies: the credential's, or the token's. */
  project: Project | null;
  credential: ApplicationCredential | null;
}

function byPassword(core: Core, identity: Json): Login {
  const wanted = objectIn(objectIn(identity, 'password'), 'user');
  if (!wanted) throw invalid('user', 'password');
  const user = core.state.users.find((one) => fits(wanted, one));
  if (user?.password !== textIn(wanted, 'password') || !user) throw unauthorized();
  return { user, project: null, credential: null };
}

function byToken(core: Core, identity: Json): Login {
  const scope = scopeOf(core, textIn(objectIn(identity, 'token') ?? {}, 'id'));
  if (!scope) throw unauthorized();
  return { user: scope.user, project: scope.project, credential: null };
}

function byCredential(core: Core, identity: Json): Login {
  const wanted = objectIn(identity, 'application_credential');
  if (!wanted) throw invalid('application_credential', 'identity');
  const owner = objectIn(wanted, 'user');
  const credential = core.state.applicationCredentials.find((one) => {
    if (textIn(wanted, 'id') !== undefined) return one.id === textIn(wanted, 'id');
    const user = core.state.users.find((other) => other.id === one.user_id);
    return one.name === textIn(wanted, 'name') && owner !== undefined && user !== undefined && fits(owner, user);
  });
  const user = core.state.users.find((one) => one.id === credential?.user_id);
  if (!credential || !user || credential.secret !== textIn(wanted, 'secret')) throw unauthorized();
  return { user, project: projectById(core, credential.project_id), credential };
}

function projectById(core: Core, id: string): Project | null {
  return core.state.projects.find((one) => one.id === id) ?? null;
}

function wantedProject(core: Core, auth: Json, login: Login): Project | null {
  const scope = auth['scope'];
  if (scope === undefined) return login.project ?? projectById(core, login.user.default_project_id);
  if (login.credential) {
    throw unauthorized(
      'Error authenticating with application credential: Application credentials cannot request a scope.',
    );
  }
  if (scope === 'unscoped' || (isObject(scope) && 'unscoped' in scope)) return null;
  if (!isObject(scope)) throw invalid('system, project, domain, OS-TRUST:trust or unscoped', 'scope');
  const wanted = objectIn(scope, 'project');
  // Nobody here has a role on a domain, on the system or by a trust: Keystone answers 401.
  if (!wanted) throw unauthorized();
  const project = core.state.projects.find((one) => fits(wanted, one));
  if (!project) throw unauthorized();
  return project;
}

function issue(call: Call): Reply {
  const { core } = call;
  const auth = objectIn(call.body, 'auth');
  const identity = auth && objectIn(auth, 'identity');
  if (!auth || !identity) throw invalid(auth ? 'identity' : 'auth', auth ? 'auth' : 'request body');
  const methods = (listIn(identity, 'methods') ?? []).filter((one) => typeof one === 'string');
  const method = methods[0];
  let login: Login;
  if (method === 'password') login = byPassword(core, identity);
  else if (method === 'token') login = byToken(core, identity);
  else if (method === 'application_credential') login = byCredential(core, identity);
  else if (method === undefined || !(method in identity)) throw invalid(method ?? 'methods', 'identity');
  else throw unauthorized('Attempted to authenticate with an unsupported method.');
  const project = wantedProject(core, auth, login);
  if (project && (login.user.roles[project.id] ?? []).length === 0) throw unauthorized();
  const token: Token = {
    value: `gAAAAA${randomBytes(96).toString('base64url')}`,
    user_id: login.user.id,
    project_id: project?.id ?? null,
    methods,
    audit_id: randomBytes(16).toString('base64url'),
    issued_at: keystoneTime(Date.now()),
    expires: Date.now() + core.settings.tokenLifetimeSeconds * 1000,
  };
  core.state.tokens.push(token);
  return {
    status: 201,
    body: render(core, token, login.credential, !call.query.has('nocatalog')),
    headers: { 'x-subject-token': token.value, vary: 'X-Auth-Token' },
  };
}

function render(core: Core, token: Token, credential: ApplicationCredential | null, withCatalog: boolean): object {
  const scope = scopeOf(core, token.value);
  if (!scope) throw unauthorized();
  return {
    token: {
      methods: token.methods,
      user: { domain: DOMAIN, id: scope.user.id, name: scope.user.name, password_expires_at: null },
      audit_ids: [token.audit_id],
      expires_at: keystoneTime(token.expires),
      issued_at: token.issued_at,
      ...(scope.project
        ? {
            project: { domain: DOMAIN, id: scope.project.id, name: scope.project.name },
            is_domain: false,
            roles: scope.roles.map((name) => ({ id: Buffer.from(name.padEnd(16, '.')).toString('hex'), name })),
            ...(withCatalog ? { catalog: catalog(core, scope.project.id) } : {}),
          }
        : {}),
      ...(credential ? { application_credential: { id: credential.id, name: credential.name, restricted: true } } : {}),
    },
  };
}

function subject(call: Call): Token {
  const value = call.headers['x-subject-token'];
  const scope = scopeOf(call.core, value);
  if (!scope) throw new Refusal(404, 'Could not recognize Fernet token');
  return scope.token;
}

export const tokenRoutes: Route[] = [
  { method: 'POST', pattern: '/v3/auth/tokens', open: true, handle: issue },
  {
    method: 'GET',
    pattern: '/v3/auth/tokens',
    handle: (call) => {
      const token = subject(call);
      return {
        status: 200,
        body: render(call.core, token, null, !call.query.has('nocatalog')),
        headers: { 'x-subject-token': token.value },
      };
    },
  },
  {
    method: 'DELETE',
    pattern: '/v3/auth/tokens',
    handle: (call) => {
      subject(call).expires = 0;
      return { status: 204 };
    },
  },
];

/** Makes an application credential, for the seed. */
export function applicationCredential(name: string, userId: string, projectId: string): ApplicationCredential {
  return {
    id: newHexId(),
    name,
    secret: randomBytes(48).toString('base64url'),
    user_id: userId,
    project_id: projectId,
  };
}
