import { z } from 'zod';
import { Secret, StackferryError, retry, isCode, type Context } from '../../core/index.js';
import type { CloudConfig, DomainRef, ProjectRef } from '../config/types.js';
import { serviceError, serviceMessage } from '../errors.js';
import type { Http } from '../http.js';

/** What `POST /v3/auth/tokens` answers. Source: Identity API v3, "Password authentication with scoped authorization". */
const tokenSchema = z.object({
  token: z.object({
    expires_at: z.string().nullish(),
    issued_at: z.string().nullish(),
    user: z.object({ id: z.string(), name: z.string().default('') }),
    project: z.object({ id: z.string(), name: z.string().default('') }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
    catalog: z
      .array(
        z.object({
          type: z.string(),
          name: z.string().nullish(),
          endpoints: z.array(
            z.object({
              interface: z.string(),
              region: z.string().nullish(),
              region_id: z.string().nullish(),
              url: z.string(),
            }),
          ),
        }),
      )
      .default([]),
  }),
});
export type CatalogEntry = z.infer<typeof tokenSchema>['token']['catalog'][number];

export interface Login {
  token: Secret;
  user: { id: string; name: string };
  project: { id: string; name: string };
  roles: string[];
  catalog: CatalogEntry[];
  /** When it ends by this machine's clock (milliseconds since the epoch), whatever the cloud's clock says. */
  expiresAt: number;
}

/** The URL of Keystone's API v3, with or without `/v3` in the configuration. */
export function identityUrl(authUrl: string): string {
  const base = authUrl.replace(/\/+$/, '');
  return base.endsWith('/v3') ? base : `${base}/v3`;
}

/** Asks Keystone for a token of the configured project. Throws `cloud.unauthorized`, `cloud.scope`, `cloud.not_keystone` … */
export async function login(config: CloudConfig, http: Http, ctx: Context): Promise<Login> {
  const url = new URL(`${identityUrl(config.authUrl)}/auth/tokens`);
  const what = `log in to ${url.host} as ${whoIs(config)}`;
  const answer = await retry(
    ctx,
    {
      what: `log in at ${url.host}`,
      attempts: 4,
      delayMs: 500,
      maxDelayMs: 5_000,
      // A name that is unknown or a port that is closed stays so: only what was up and broke is worth another try.
      retryable: (error) =>
        isCode(error, 'cloud.server_error') ||
        isCode(error, 'cloud.rate_limited') ||
        (isCode(error, 'cloud.unreachable') && error.details['sent'] === true),
    },
    async () => {
      const seen = await http.send({
        what,
        service: 'identity',
        method: 'POST',
        url,
        headers: {},
        json: { auth: { identity: identityOf(config), ...scopeBody(config) } },
        signal: ctx.signal,
      });
      if (seen.status >= 500 || seen.status === 429) throw refusal(config, url, what, seen);
      return seen;
    },
  );
  if (answer.status !== 201 && answer.status !== 200) throw refusal(config, url, what, answer);
  const token = answer.headers['x-subject-token'];
  const parsed = tokenSchema.safeParse(jsonOf(answer.body));
  if (token === undefined || !parsed.success) throw notKeystone(url);
  const { user, project, roles, catalog, expires_at, issued_at } = parsed.data.token;
  if (project === undefined) {
    throw new StackferryError('cloud.scope', `${whoIs(config)} has no project: Keystone gave a token without one.`, {
      hint: 'Name it: project_name and project_domain_name in clouds.yaml, or OS_PROJECT_NAME.',
    });
  }
  const lifetime = expires_at && issued_at ? Date.parse(expires_at) - Date.parse(issued_at) : NaN;
  return {
    token: new Secret(token),
    user,
    project,
    roles: roles.map(({ name }) => name),
    catalog,
    expiresAt: ctx.clock.now() + (Number.isFinite(lifetime) && lifetime > 0 ? lifetime : 3_600_000),
  };
}

function refusal(
  config: CloudConfig,
  url: URL,
  what: string,
  answer: { status: number; headers: Record<string, string | undefined>; body: string },
): StackferryError {
  const request = { service: 'identity', method: 'POST', path: url.pathname, status: answer.status };
  const requestId = answer.headers['x-openstack-request-id'];
  if (answer.status === 401) {
    const said = serviceMessage(answer.body).text;
    return new StackferryError(
      'cloud.unauthorized',
      `Keystone at ${config.authUrl} refused the login of ${whoIs(config)}: ${said || 'no reason given'}${requestId === undefined ? '' : ` (request ${requestId})`}`,
      {
        hint: loginHint(config),
        details: { ...request, request_id: requestId ?? null },
      },
    );
  }
  // Keystone itself speaks JSON; a page of something else at this address means that the address is wrong.
  if (answer.status === 404 && jsonOf(answer.body) === undefined) return notKeystone(url);
  return serviceError({ ...request, what, requestId, body: answer.body });
}

function loginHint(config: CloudConfig): string {
  switch (config.auth.type) {
    case 'password':
      return 'Check user name, password, project and both domains (Keystone does not say which is wrong); a user without a role in the project is refused the same way.';
    case 'token':
      return 'The token has expired or is for another cloud: `openstack token issue` makes a new one.';
    case 'application_credential':
      return 'It was deleted, has expired, or its secret is wrong: make a new one with `openstack application credential create`.';
  }
}

function notKeystone(url: URL): StackferryError {
  return new StackferryError('cloud.not_keystone', `No Identity API v3 answers at ${url.origin}${url.pathname}.`, {
    hint: 'Check auth_url: it is the URL of Keystone, such as https://keystone.example.com:5000/v3, not the dashboard.',
  });
}

/** The user and project of a configuration, for a person. */
export function whoIs(config: CloudConfig): string {
  const { auth, scope } = config;
  const project = scope.type === 'project' ? ` in project ${scope.project.name ?? scope.project.id ?? ''}` : '';
  switch (auth.type) {
    case 'password':
      return `user ${auth.user.name ?? auth.user.id ?? ''}${project}`;
    case 'token':
      return `the given token${project}`;
    case 'application_credential':
      return `application credential ${auth.name ?? auth.id ?? ''}`;
  }
}

function identityOf({ auth }: CloudConfig): unknown {
  switch (auth.type) {
    case 'password':
      return {
        methods: ['password'],
        password: { user: { ...userBody(auth.user), password: auth.password.reveal() } },
      };
    case 'token':
      return { methods: ['token'], token: { id: auth.token.reveal() } };
    case 'application_credential':
      return {
        methods: ['application_credential'],
        application_credential: {
          ...(auth.id === undefined ? { name: auth.name, user: userBody(auth.user ?? {}) } : { id: auth.id }),
          secret: auth.secret.reveal(),
        },
      };
  }
}

function userBody(user: { id?: string; name?: string; domain?: DomainRef }): object {
  return user.id === undefined ? { name: user.name, domain: user.domain } : { id: user.id };
}

function scopeBody({ scope }: CloudConfig): { scope?: unknown } {
  switch (scope.type) {
    case 'project':
      return { scope: { project: projectBody(scope.project) } };
    case 'trust':
      return { scope: { 'OS-TRUST:trust': { id: scope.id } } };
    case 'own':
      return {};
  }
}

function projectBody(project: ProjectRef): unknown {
  return project.id === undefined ? { name: project.name, domain: project.domain } : { id: project.id };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
