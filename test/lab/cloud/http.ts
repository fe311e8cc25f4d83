/**
 * What a service is made of: routes with handlers, refusals in the service's own shape, microversions. A handler gets
 * a {@link Call} and gives a {@link Reply}, or throws a {@link Refusal}.
 */
import type { Core } from './core.js';
import type { Project, Token, User } from './state.js';
import type { ServiceName } from './types.js';

/** On whose behalf a request is made. */
export interface Scope {
  token: Token;
  user: User;
  project: Project | null;
  roles: string[];
  admin: boolean;
}

export interface Call {
  core: Core;
  method: string;
  /** Below the service's root, without the query. */
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | undefined>;
  params: Record<string, string>;
  /** The parsed JSON body; undefined where there was none. */
  body: unknown;
  /** The body's bytes, for routes with `raw`. */
  stream: AsyncIterable<Buffer>;
  requestId: string;
  /** `http://127.0.0.1:PORT/image` */
  root: string;
  scope: Scope | null;
  /** The minor number of the microversion that was asked for; the service's lowest where none was. */
  minor: number;
}

export interface Reply {
  status: number;
  /** An object is sent as JSON, a string as it is (`content-type` in headers). */
  body?: object | string;
  headers?: Record<string, string>;
  /** Bytes of a file, `end` exclusive. */
  file?: { path: string; start: number; end: number };
}

export interface Route {
  method: string;
  /** `/v2/images/:id/file` */
  pattern: string;
  /** No token needed. */
  open?: boolean;
  /** The body is bytes, read by the handler. */
  raw?: boolean;
  handle: (call: Call) => Reply | Promise<Reply>;
}

export interface Service {
  name: ServiceName;
  /** Path of the service on the one port, as devstack lays them out: `/identity`, `/image`, `/volume` … */
  root: string;
  routes: Route[];
  /** The service's own shape of an error. */
  refuse(refusal: Refusal, call: Call): Reply;
  /** The services that know microversions; `key` is the word in the header. */
  microversions?: { key: string; major: number; min: number; max: number; prefix: string };
}

/** An answer that is not a success. The service gives it its own shape. */
export class Refusal extends Error {
  readonly status: number;
  /** Neutron's error type; the exception that Cinder names in front of a message; `detail` for WebOb's longer form. */
  readonly type: string;
  readonly headers: Record<string, string>;

  constructor(status: number, message: string, options: { type?: string; headers?: Record<string, string> } = {}) {
    super(message);
    this.status = status;
    this.type = options.type ?? '';
    this.headers = options.headers ?? {};
  }
}

/** The project a request is scoped to. keystonemiddleware lets unscoped tokens pass; the services then refuse by policy. */
export function projectOf(call: Call): Project {
  const project = call.scope?.project;
  if (!project) throw new Refusal(403, 'Policy does not allow this without a project scope.');
  return project;
}

export function userOf(call: Call): User {
  const user = call.scope?.user;
  if (!user) throw new Refusal(401, 'The request you have made requires authentication.');
  return user;
}

/** Matches `/v2/images/:id` and the like; null when the path is another. Segments are decoded. */
export function matchPattern(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) {
      if (value === '') return null;
      try {
        params[part.slice(1)] = decodeURIComponent(value);
      } catch {
        return null;
      }
    } else if (part !== value) return null;
  }
  return params;
}

/** A path parameter that the pattern holds for certain. */
export function param(call: Call, name: string): string {
  return call.params[name] ?? '';
}

const REASONS: Record<number, string> = {
  200: 'OK',
  300: 'Multiple Choices',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  416: 'Request Range Not Satisfiable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** The reason phrase of a status. */
export function reason(status: number): string {
  return REASONS[status] ?? 'Unknown';
}
