import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Secret } from '../../../src/core/index.js';
import type { CloudConfig } from '../../../src/openstack/index.js';

/** A request as the fake cloud saw it. */
export interface SeenRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  /** JSON where it is JSON, else text. */
  body: unknown;
}

export interface FakeAnswer {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Cuts the connection instead of answering. */
  cut?: boolean;
}

/** A literal answer, or one made from the request (which may also write it itself, by returning nothing). */
export type Route =
  FakeAnswer | ((seen: SeenRequest, raw: { req: IncomingMessage; res: ServerResponse }) => FakeAnswer | undefined);

export interface FakeCloud {
  url: string;
  seen: SeenRequest[];
  /** `GET /compute/v2.1/servers/detail`: what it answers. A list is used up one a request; its last stays. */
  routes: Record<string, Route | Route[]>;
  /** Requests of one kind: `POST /volume/v3/p1/volumes`. */
  count: (key: string) => number;
  close: () => Promise<void>;
}

export const PROJECT = 'p1';

/** What Keystone answers to a login; the catalog is at the fake's own address. */
export function tokenBody(url: string, changes: Record<string, unknown> = {}): unknown {
  const service = (type: string, path: string) => ({
    type,
    name: type,
    endpoints: ['public', 'internal'].map((kind) => ({
      interface: kind,
      region: 'RegionOne',
      region_id: 'RegionOne',
      url: `${url}${path}`,
    })),
  });
  return {
    token: {
      methods: ['password'],
      user: { id: 'u1', name: 'demo', domain: { id: 'default', name: 'Default' } },
      project: { id: PROJECT, name: 'acme', domain: { id: 'default', name: 'Default' } },
      roles: [{ id: 'r1', name: 'member' }],
      issued_at: '2026-01-02T03:00:00.000000Z',
      expires_at: '2026-01-02T07:00:00.000000Z',
      catalog: [
        service('compute', '/compute/v2.1'),
        service('volumev3', `/volume/v3/${PROJECT}`),
        service('image', '/image'),
        service('network', '/network'),
      ],
      ...changes,
    },
  };
}

/** A small HTTP server that answers as a cloud does: a login, version documents, and the routes a test gives. */
export async function fakeCloud(routes: Record<string, Route | Route[]> = {}, tls?: ServerOptions): Promise<FakeCloud> {
  const seen: SeenRequest[] = [];
  const used = new Map<string, number>();
  let logins = 0;
  const handler = (req: IncomingMessage, res: ServerResponse): void => {
    const url = new URL(req.url ?? '/', 'http://fake');
    const key = `${req.method ?? ''} ${url.pathname}`;
    const route = cloud.routes[key];
    // Uploads are read (or not) by their own route.
    const streamed = req.method === 'PUT' && url.pathname.endsWith('/file');
    const go = (text: string): void => {
      const one: SeenRequest = {
        method: req.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: req.headers,
        body: parsed(text),
      };
      seen.push(one);
      const nth = used.get(key) ?? 0;
      used.set(key, nth + 1);
      const chosen = Array.isArray(route) ? route[Math.min(nth, route.length - 1)] : route;
      const answer = typeof chosen === 'function' ? chosen(one, { req, res }) : (chosen ?? builtIn(key));
      if (answer === undefined) return;
      if (answer.cut === true) {
        req.socket.destroy();
        return;
      }
      const body =
        answer.body === undefined ? '' : typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
      res.writeHead(answer.status ?? 200, {
        'content-type': 'application/json',
        'x-openstack-request-id': `req-${seen.length}`,
        ...answer.headers,
      });
      res.end(body);
    };
    if (streamed) {
      go('');
      return;
    }
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => go(Buffer.concat(chunks).toString('utf8')));
    req.on('error', () => undefined);
  };
  const builtIn = (key: string): FakeAnswer => {
    switch (key) {
      case 'POST /identity/v3/auth/tokens':
        logins++;
        return { status: 201, body: tokenBody(cloud.url), headers: { 'x-subject-token': `token-${logins}` } };
      case 'GET /compute/v2.1/':
        return { body: { version: { id: 'v2.1', version: '2.95', min_version: '2.1', links: [] } } };
      case 'GET /volume/v3/':
        return { body: { versions: [{ id: 'v3.0', version: '3.70', min_version: '3.0', links: [] }] } };
      default:
        return { status: 404, body: { itemNotFound: { code: 404, message: `no route for ${key}` } } };
    }
  };
  const server: Server = tls ? createTlsServer(tls, handler) : createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cloud: FakeCloud = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    seen,
    routes,
    count: (key) => seen.filter(({ method, path }) => `${method} ${path}` === key).length,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return cloud;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** A configuration for the fake: a user with a password, in project acme. */
export function fakeConfig(url: string, changes: Partial<CloudConfig> = {}): CloudConfig {
  return {
    name: 'fake',
    sources: ['test'],
    authUrl: `${url}/identity/v3`,
    auth: { type: 'password', user: { name: 'demo', domain: { id: 'default' } }, password: new Secret('s3cret-pw') },
    scope: { type: 'project', project: { name: 'acme', domain: { id: 'default' } } },
    region: 'RegionOne',
    interface: 'public',
    verify: true,
    cacert: null,
    cert: null,
    key: null,
    endpointOverrides: {},
    maxMicroversions: {},
    proxy: { http: null, https: null, no: [] },
    warnings: [],
    ...changes,
  };
}
