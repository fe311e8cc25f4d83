import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { selfSignedCertificate } from '../../lab/cloud/tls.js';

export interface Seen {
  path: string;
  datastore: string;
  range: string | null;
  authorization: string | null;
  cookie: string | null;
}

/** What a request gets in place of its answer; null for the answer. */
export type Fault = (seen: Seen, number: number) => FaultAnswer | null;

export interface FaultAnswer {
  status?: number;
  headers?: Record<string, string>;
  /** The connection breaks after so many bytes of the body. */
  cutAfter?: number;
  /** Other bytes than were asked for: the range begins so much later. */
  shift?: number;
}

/**
 * `/folder` of a host, over a local folder that holds one folder a datastore: Basic login, ranges by 206 and 416, a
 * cookie at the first answer, as VMware documents it and its simulator does it.
 */
export class FolderServer {
  readonly seen: Seen[] = [];
  fault: Fault = () => null;
  /** Hosts that answer every GET with 200 and the whole file. */
  ranges = true;
  open = 0;
  mostOpen = 0;
  readonly cert: string;
  readonly #server: Server;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    const { key, cert } = selfSignedCertificate();
    this.cert = cert;
    this.#server = createServer({ key, cert }, (request, response) => {
      void this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://host');
    const seen: Seen = {
      path: decodeURIComponent(url.pathname),
      datastore: url.searchParams.get('dsName') ?? '',
      range: request.headers.range ?? null,
      authorization: request.headers.authorization ?? null,
      cookie: request.headers.cookie ?? null,
    };
    this.seen.push(seen);
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    response.once('close', () => this.open--);
    const fault = this.fault(seen, this.seen.length);
    const login = `Basic ${Buffer.from('root:secret').toString('base64')}`;
    const status = fault?.status ?? (seen.authorization === login ? null : 401);
    if (status !== null) {
      response.writeHead(status, fault?.headers ?? {}).end();
      return;
    }
    const file = join(this.#root, seen.datastore, seen.path.replace(/^\/folder\//, ''));
    const size = await stat(file).then(
      (found) => found.size,
      () => null,
    );
    if (size === null || url.searchParams.get('dcPath') !== 'ha-datacenter') {
      response.writeHead(404).end();
      return;
    }
    const { mtime } = await stat(file);
    const common = {
      'last-modified': mtime.toUTCString(),
      'set-cookie': 'vmware_soap_session="52f0"; Path=/; HttpOnly; Secure;',
    };
    const match = this.ranges ? /^bytes=(\d+)-(\d+)$/.exec(seen.range ?? '') : null;
    if (!match) {
      response.writeHead(200, { ...common, 'content-length': size });
      this.#send(response, file, 0, size, fault);
      return;
    }
    const from = Number(match[1]) + (fault?.shift ?? 0);
    const end = Math.min(size, Number(match[2]) + 1);
    if (from >= size) {
      response.writeHead(416, { ...common, 'content-range': `bytes */${size}` }).end();
      return;
    }
    const headers = { 'content-length': end - from, 'content-range': `bytes ${from}-${end - 1}/${size}` };
    response.writeHead(206, { ...common, ...headers });
    this.#send(response, file, from, end, fault);
  }

  #send(response: ServerResponse, file: string, from: number, end: number, fault: FaultAnswer | null): void {
    const cut = fault?.cutAfter;
    const last = cut === undefined ? end : Math.min(end, from + cut);
    if (last === from) {
      if (cut === undefined) response.end();
      else response.destroy();
      return;
    }
    const body = createReadStream(file, { start: from, end: last - 1 });
    body.pipe(response, { end: cut === undefined });
    if (cut !== undefined) body.once('end', () => response.write('', () => response.destroy()));
    response.once('close', () => body.destroy());
  }
}
