import { Secret, StackferryError } from '../../core/index.js';
import type { Settings } from './settings.js';
import type { AuthMethod, DomainRef, Scope } from './types.js';

/** Which authentication is meant: said by `auth_type`, else seen from what is there. */
export function authMethodOf(settings: Settings, from: string): AuthMethod {
  const need = (key: string, hint: string): string => {
    const value = settings.get(key);
    if (value !== undefined) return value;
    throw new StackferryError('config.incomplete', `${key} is missing in ${from}.`, { hint });
  };
  switch (authTypeOf(settings, from)) {
    case 'application_credential': {
      const id = settings.get('application_credential_id');
      const name = settings.get('application_credential_name');
      const secret = new Secret(
        need(
          'application_credential_secret',
          'The secret was shown once, when the application credential was made; make a new one if it is lost.',
        ),
      );
      if (id !== undefined) return { type: 'application_credential', id, secret };
      if (name === undefined)
        need('application_credential_id', 'Take it from `openstack application credential list`.');
      return { type: 'application_credential', name: name ?? '', user: userOf(settings, need), secret };
    }
    case 'token':
      return { type: 'token', token: new Secret(need('token', '`openstack token issue` prints one.')) };
    case 'password':
      return {
        type: 'password',
        user: userOf(settings, need),
        password: new Secret(need('password', 'Put it into secure.yaml beside clouds.yaml, or into OS_PASSWORD.')),
      };
  }
}

function authTypeOf(settings: Settings, from: string): AuthMethod['type'] {
  const named = settings.get('auth_type')?.toLowerCase();
  switch (named) {
    case undefined:
      if (settings.has('application_credential_secret')) return 'application_credential';
      return settings.has('token') && !settings.has('password') ? 'token' : 'password';
    case 'password':
    case 'v3password':
      return 'password';
    case 'token':
    case 'v3token':
      return 'token';
    case 'v3applicationcredential':
    case 'application_credential':
      return 'application_credential';
    default:
      throw new StackferryError('config.unsupported', `auth_type ${named} of ${from} is not spoken here.`, {
        hint: 'Use password, token or v3applicationcredential. For single sign-on (OIDC, SAML) make an application credential in the dashboard.',
      });
  }
}

function userOf(
  settings: Settings,
  need: (key: string, hint: string) => string,
): { id?: string; name?: string; domain?: DomainRef } {
  const id = settings.get('user_id');
  if (id !== undefined) return { id };
  const name = need('username', 'It is the name you log in to the dashboard with.');
  return { name, domain: domainOf(settings, 'user') };
}

/** The user's or project's domain; `default` where none is named, as openstackclient has it. */
function domainOf(settings: Settings, owner: 'user' | 'project'): DomainRef {
  const id = settings.get(`${owner}_domain_id`);
  if (id !== undefined) return { id };
  const name = settings.get(`${owner}_domain_name`);
  if (name !== undefined) return { name };
  // With a project, domain_id and domain_name are a default for both, not a scope.
  const sharedId = settings.get('domain_id');
  if (sharedId !== undefined) return { id: sharedId };
  const sharedName = settings.get('domain_name') ?? settings.get('default_domain_name');
  if (sharedName !== undefined) return { name: sharedName };
  return { id: settings.get('default_domain') ?? 'default' };
}

/** What the token is for. Domains and the system hold no servers, so those scopes are refused here. */
export function scopeOf(settings: Settings, from: string): Scope {
  if (authTypeOf(settings, from) === 'application_credential') return { type: 'own' };
  const trust = settings.get('trust_id');
  if (trust !== undefined) return { type: 'trust', id: trust };
  const id = settings.get('project_id');
  const name = settings.get('project_name');
  if (settings.has('system_scope') && settings.get('system_scope') !== 'none') {
    throw new StackferryError(
      'config.unsupported',
      `${from} asks for system scope, and servers, volumes and images belong to projects.`,
      {
        hint: 'Take system_scope (OS_SYSTEM_SCOPE) out and name a project: project_name and project_domain_name.',
      },
    );
  }
  if (id !== undefined) return { type: 'project', project: { id } };
  if (name !== undefined) return { type: 'project', project: { name, domain: domainOf(settings, 'project') } };
  if (settings.has('domain_id') || settings.has('domain_name')) {
    throw new StackferryError(
      'config.unsupported',
      `${from} asks for domain scope, and servers, volumes and images belong to projects.`,
      {
        hint: 'Name the project: project_name (OS_PROJECT_NAME).',
      },
    );
  }
  return { type: 'own' };
}
