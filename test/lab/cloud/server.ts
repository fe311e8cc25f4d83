/** The HTTP side: one port, services by path prefix, tokens, microversions, faults, the log of requests. */
import { createReadStream } from 'node:fs';
import { STATUS_CODES, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import type { Core } from './core.js';
import type { Faults } from './faults.js';
import { Refusal, matchPattern, reason, type Call, type Reply, type Route, type Service } from './http.js';
import { scopeOf } from './identity/tokens.js';
import type { FaultAction, LoggedRequest } from './types.js';
import { newId, withoutSecrets } from './values.js';

/** Marks the refusal of a path that no route knows. */
const NO_ROUTE = 'no route';

const MAX_JSON_BYTES = 4 * 1024 ** 2;

/** The connection is gone, or is to go: no answer is owed. */
class Cut extends Error {}

/** A fault that answers in the middle of a body. */
class EarlyAnswer extends Error {
  readonly action: Extract<FaultAction, { kind: 'refuse-upload' }>;
  constructor(action: Extract<FaultAction, { kind: 'refuse-upload' }>) {
    super('refused in the middle of its body');
    this.action = action;
  }
}

interface Listening {
  port: number;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1. `log` gets an entry for each request as it arrives; entries are completed later. */
export async function listen(options: {
  core: Core;
  services: Service[];
  faults: Faults;
  log: (entry: Omit<LoggedRequest, 'number'>) => LoggedRequest;
  port: number;
  tls: { key: string; cert: string } | null;
}): Promise<Listening> {
  const handler = (request: IncomingMessage, response: ServerResponse) => {
    void answer(options, request, response);
  };
  const server: Server = options.tls
    ? createTlsServer({ key: options.tls.key, cert: options.tls.cert }, handler)
    : createServer(handler);
  // No time limit on a request: uploads are as slow as the client, and a stall is a fault that tests ask for.
  Object.assign(server, { requestTimeout: 0, keepAliveTimeout: 5_000 });
  const sockets = new Set<Socket>();
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the cloud does not listen on a port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

type Options = Parameters<typeof listen>[0];

async function answer(options: Options, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { core, services, faults } = options;
  // Node takes the socket away from a request that has ended.
  const { socket } = request;
  response.on('error', () => request.destroy());
  const url = new URL(request.url ?? '/', 'http://lab');
  const service = services.find((one) => url.pathname === one.root || url.pathname.startsWith(`${one.root}/`));
  const requestId = `req-${newId()}`;
  if (!service) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('No service lives at this path.\n');
    return;
  }
  const method = request.method ?? 'GET';
  const path = url.pathname.slice(service.root.length) || '/';
  const entry = options.log({
    time: Date.now(),
    service: service.name,
    method,
    path: path + url.search,
    body: null,
    receivedBytes: 0,
    status: null,
    requestId,
    microversion: microversionHeader(request, service) ?? null,
  });
  const action =
    service.name === 'lab' ? null : faults.take({ service: service.name, method, path: path + url.search });
  const call: Call = {
    core,
    method,
    path,
    query: url.searchParams,
    headers: Object.fromEntries(Object.entries(request.headers).map(([k, v]) => [k, Array.isArray(v) ? v[0] : v])),
    params: {},
    body: undefined,
    stream: bodyOf(request, entry, action),
    requestId,
    root: core.url + service.root,
    scope: null,
    minor: 0,
  };
  try {
    await beforeRouting(core, action, socket);
    const reply =
      action?.kind === 'status'
        ? fromFault(action.status, action.body, action.headers)
        : await handle(service, call, entry);
    if (action?.kind === 'reset') throw new Cut();
    await core.save();
    entry.status = reply.status;
    await send(
      request,
      socket,
      response,
      withHeaders(reply, service, call),
      action?.kind === 'cut-response' ? action.bytes : Infinity,
    );
  } catch (error) {
    if (error instanceof EarlyAnswer) {
      entry.status = error.action.status;
      answerAndClose(request, socket, fromFault(error.action.status, error.action.body), requestId);
    } else {
      socket.resetAndDestroy();
      if (!(error instanceof Cut)) entry.body = { failure: String(error) };
    }
  }
}

async function beforeRouting(core: Core, action: FaultAction | null, socket: Socket): Promise<void> {
  if (action?.kind === 'reset' && action.after === undefined) throw new Cut();
  if (action?.kind === 'stall') await core.sleep(action.ms).catch(() => undefined);
  if (action?.kind === 'expire-tokens') for (const token of core.state.tokens) token.expires = 0;
  if (socket.destroyed) throw new Cut();
}

/** Finds the route, checks token and microversion, reads the body, runs the handler; every failure becomes a reply. */
async function handle(service: Service, call: Call, entry: LoggedRequest): Promise<Reply> {
  try {
    const route = findRoute(service, call);
    // Versions are negotiated before tokens are looked at: the documents are open, and 406 needs no account.
    if (!route.open || route.pattern.split('/').length > 2) call.minor = negotiate(service, call);
    call.scope = scopeOf(call.core, call.headers['x-auth-token']);
    if (!route.open && call.scope === null) {
      throw new Refusal(401, 'The request you have made requires authentication.', {
        headers: { 'www-authenticate': `Keystone uri="${call.core.url}/identity"` },
      });
    }
    if (route.raw !== true) call.body = await readJson(call, entry);
    return await route.handle(call);
  } catch (error) {
    if (error instanceof Refusal) {
      const reply = refusalOf(service, error, call);
      return { ...reply, headers: { ...reply.headers, ...error.headers } };
    }
    if (error instanceof Cut || error instanceof EarlyAnswer) throw error;
    // A bug of this cloud: say so, where the test will see it.
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return service.refuse(new Refusal(500, `embedded cloud failed: ${text}`), call);
  }
}

function findRoute(service: Service, call: Call): Route {
  let pathKnown = false;
  for (const route of service.routes) {
    const params = matchPattern(route.pattern, call.path.length > 1 ? call.path.replace(/\/$/, '') : call.path);
    if (params === null) continue;
    pathKnown = true;
    const method = call.method === 'HEAD' ? 'GET' : call.method;
    if (route.method !== method) continue;
    call.params = params;
    return route;
  }
  throw pathKnown
    ? new Refusal(405, 'The method is not allowed for the requested URL.')
    : new Refusal(404, 'The resource could not be found.', { type: NO_ROUTE });
}

/** The answer to a refused request: by the service, or by what stands in front of it. */
function refusalOf(service: Service, refusal: Refusal, call: Call): Reply {
  if (refusal.status === 401 && service.name !== 'identity') return middleware401(refusal);
  // Paths that no route knows are answered by Routes or Flask, in HTML (seen on the real lab).
  if (refusal.type === NO_ROUTE && ['identity', 'compute', 'block-storage'].includes(service.name)) {
    const status = `${refusal.status} ${reason(refusal.status)}`;
    const html = `<html>\n <head>\n  <title>${status}</title>\n </head>\n <body>\n  <h1>${status}</h1>\n  ${refusal.message}<br /><br />\n\n\n\n </body>\n</html>`;
    return { status: refusal.status, body: html, headers: { 'content-type': 'text/html; charset=UTF-8' } };
  }
  return service.refuse(refusal, call);
}

/** keystonemiddleware's own answer, the same for all services behind it (auth_token/__init__.py). */
function middleware401(refusal: Refusal): Reply {
  return {
    status: 401,
    body: { error: { message: refusal.message, code: 401, title: 'Unauthorized' } },
    headers: refusal.headers,
  };
}

function microversionHeader(request: IncomingMessage, service: Service): string | undefined {
  const spec = service.microversions;
  if (!spec) return undefined;
  const modern = request.headers['openstack-api-version'];
  for (const part of (Array.isArray(modern) ? modern.join(',') : (modern ?? '')).split(',')) {
    const [key, version] = part.trim().split(/\s+/);
    if (key === spec.key && version !== undefined) return version;
  }
  const legacy = spec.key === 'compute' ? request.headers['x-openstack-nova-api-version'] : undefined;
  return typeof legacy === 'string' ? legacy : undefined;
}

/** The minor version to answer with; 406 and 400 as Nova and Cinder word them (api/openstack/wsgi.py of both). */
function negotiate(service: Service, call: Call): number {
  const spec = service.microversions;
  if (!spec) return 0;
  const header = call.headers['openstack-api-version'] ?? '';
  const legacy = spec.key === 'compute' ? call.headers['x-openstack-nova-api-version'] : undefined;
  const asked =
    header
      .split(',')
      .map((part) => part.trim().split(/\s+/))
      .find(([key]) => key === spec.key)?.[1] ?? legacy;
  if (asked === undefined) return spec.min;
  if (asked === 'latest') return spec.max;
  const match = /^([1-9]\d*)\.([1-9]\d*|0)$/.exec(asked);
  if (!match) {
    throw new Refusal(400, `API Version String ${asked} is of invalid format. Must be of format MajorNum.MinorNum.`);
  }
  const minor = Number(match[2]);
  if (Number(match[1]) !== spec.major || minor < spec.min || minor > spec.max) {
    const low = `${spec.major}.${spec.min}`;
    const high = `${spec.major}.${spec.max}`;
    throw new Refusal(406, `Version ${asked} is not supported by the API. Minimum is ${low} and maximum is ${high}.`);
  }
  return minor;
}

/** The body's bytes, counted; the faults that end an upload act here. */
async function* bodyOf(
  request: IncomingMessage,
  entry: LoggedRequest,
  action: FaultAction | null,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    // The stream is not destroyed when a handler stops reading: an answer is still owed on this connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      entry.receivedBytes += chunk.length;
      if ((action?.kind === 'cut-upload' || action?.kind === 'refuse-upload') && entry.receivedBytes >= action.bytes) {
        throw action.kind === 'cut-upload' ? new Cut() : new EarlyAnswer(action);
      }
      if (action?.kind === 'flip-upload') {
        const at = action.byte - (entry.receivedBytes - chunk.length);
        if (at >= 0 && at < chunk.length) chunk[at] = (chunk[at] ?? 0) ^ 1;
      }
      yield chunk;
    }
  } catch (error) {
    if (error instanceof EarlyAnswer) throw error;
    throw new Cut();
  }
}

async function readJson(call: Call, entry: LoggedRequest): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of call.stream) {
    size += chunk.length;
    if (size > MAX_JSON_BYTES) throw new Refusal(413, 'Request is too large.');
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Refusal(400, 'Malformed request body');
  }
  entry.body = withoutSecrets(body);
  return body;
}

function fromFault(status: number, body?: string | object, headers: Record<string, string> = {}): Reply {
  // What a load balancer in front of an API says when a test gives no text of its own.
  const text = `<html><body><h1>${status} ${reason(status)}</h1>\n</body></html>\n`;
  const plain = typeof body === 'string' || body === undefined;
  return { status, body: body ?? text, headers: { ...(plain ? { 'content-type': 'text/html' } : {}), ...headers } };
}

function withHeaders(reply: Reply, service: Service, call: Call): Reply {
  const headers: Record<string, string> = { 'x-openstack-request-id': call.requestId };
  const spec = service.microversions;
  if (service.name === 'identity') headers['vary'] = 'X-Auth-Token';
  // Only what reached the service's own code carries its version.
  if (spec?.key === 'compute') headers['x-compute-request-id'] = call.requestId;
  if (spec && call.scope !== null) {
    headers['x-compute-request-id'] = call.requestId;
    headers['openstack-api-version'] = `${spec.key} ${spec.major}.${call.minor}`;
    headers['vary'] = 'OpenStack-API-Version';
    if (spec.key === 'compute') headers['x-openstack-nova-api-version'] = `${spec.major}.${call.minor}`;
  }
  return { ...reply, headers: { ...headers, ...reply.headers } };
}

async function send(
  request: IncomingMessage,
  socket: Socket,
  response: ServerResponse,
  reply: Reply,
  limit: number,
): Promise<void> {
  const headers = { ...reply.headers };
  if (reply.file) {
    headers['content-length'] = String(reply.file.end - reply.file.start);
  } else if (reply.body !== undefined) {
    if (typeof reply.body === 'object') headers['content-type'] ??= 'application/json';
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
    headers['content-length'] = String(Buffer.byteLength(text));
    response.writeHead(reply.status, headers);
    if (request.method === 'HEAD') response.end();
    else if (limit < Buffer.byteLength(text)) await writeAndCut(socket, response, Buffer.from(text).subarray(0, limit));
    else response.end(text);
    return;
  } else if (reply.status !== 204) headers['content-length'] = '0';
  response.writeHead(reply.status, headers);
  if (!reply.file || request.method === 'HEAD' || reply.file.end <= reply.file.start) {
    response.end();
    return;
  }
  let sent = 0;
  for await (const chunk of createReadStream(reply.file.path, { start: reply.file.start, end: reply.file.end - 1 })) {
    const bytes = chunk as Buffer;
    if (sent + bytes.length > limit) {
      await writeAndCut(socket, response, bytes.subarray(0, limit - sent));
      return;
    }
    sent += bytes.length;
    if (response.destroyed) return;
    if (!response.write(bytes)) {
      await new Promise<void>((resolve) => {
        const goOn = () => {
          response.off('drain', goOn).off('close', goOn);
          resolve();
        };
        response.once('drain', goOn).once('close', goOn);
      });
    }
  }
  response.end();
}

/** So many bytes reach the client, then the connection is reset. */
async function writeAndCut(socket: Socket, response: ServerResponse, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    if (bytes.length === 0) response.flushHeaders();
    response.write(bytes.length === 0 ? '' : bytes, () => resolve());
  });
  // A reset throws away what the peer has not read yet: give it a moment.
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.resetAndDestroy();
}

/** An answer before the body's end, after which the connection closes: what a proxy with a body limit does. */
function answerAndClose(request: IncomingMessage, socket: Socket, reply: Reply, requestId: string): void {
  const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {});
  const head = [
    `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? 'Unknown'}`,
    `content-type: ${reply.headers?.['content-type'] ?? 'application/json'}`,
    `content-length: ${Buffer.byteLength(text)}`,
    `x-openstack-request-id: ${requestId}`,
    'connection: close',
  ];
  request.pause();
  socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
  // Closing with unread bytes is a reset: let the client read the answer first.
  setTimeout(() => socket.destroy(), 300).unref();
}
