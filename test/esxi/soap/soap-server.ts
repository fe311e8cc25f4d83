import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Secret } from '../../../src/core/index.js';
import type { SoapTarget } from '../../../src/esxi/soap/index.js';
import { selfSignedCertificate } from '../../lab/cloud/tls.js';

/** A call as it arrived. */
export interface Call {
  method: string;
  body: string;
  cookie: string | null;
  action: string;
}

/** What a call is answered with: the inside of `…Response`, a fault, or a bare status. */
export type Reply = { inside: string } | { fault: string; text?: string } | { status: number; body?: string };

const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8').trim();
/** As ESX 4.1 was recorded to answer. */
export const CONTENT = fixture('service-content.xml');
export const VM_16 = fixture('vm-16.xml');
export const PASSWORD = 'p&<w>"\u00e4';

/** A SOAP endpoint that says what it is told to: literal answers, in the form of recorded hosts. */
export class SoapServer {
  readonly calls: Call[] = [];
  readonly cert: string;
  readonly replies = new Map<string, (call: Call, number: number) => Reply>();
  /** What else than calls is asked for, files say. */
  get: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.writeHead(404).end();
  readonly #server: Server;

  constructor() {
    const { key, cert } = selfSignedCertificate();
    this.cert = cert;
    this.#server = createServer({ key, cert }, (request, response) => {
      if (request.method === 'GET') {
        this.get(request, response);
        return;
      }
      void text(request).then((body) => {
        const method = /<soapenv:Body><(\w+)/.exec(body)?.[1] ?? '?';
        const action = String(request.headers['soapaction']);
        const call = { method, body, cookie: request.headers.cookie ?? null, action };
        this.calls.push(call);
        const number = this.methods().filter((name) => name === method).length;
        const reply = this.replies.get(method)?.(call, number) ?? usual(method);
        if ('status' in reply) {
          response.writeHead(reply.status).end(reply.body ?? '');
          return;
        }
        const cookie = { 'set-cookie': `vmware_soap_session="s${number}"; Path=/; HttpOnly; Secure;` };
        response.writeHead('fault' in reply ? 500 : 200, method === 'Login' ? cookie : {}).end(answer(method, reply));
      });
    });
  }

  async listen(): Promise<SoapTarget> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    const password = () => Promise.resolve(new Secret(PASSWORD));
    return { host: '127.0.0.1', port, user: 'root', password, ca: this.cert, insecure: false };
  }

  methods(): string[] {
    return this.calls.map(({ method }) => method);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function usual(method: string): Reply {
  if (method === 'RetrieveServiceContent') return { inside: CONTENT };
  if (method === 'Login') return { inside: '<returnval><key>52ee</key><userName>root</userName></returnval>' };
  if (method === 'CreateContainerView') return { inside: '<returnval type="ContainerView">view-1</returnval>' };
  if (method === 'RetrievePropertiesEx' || method === 'Logout' || method === 'DestroyView') return { inside: '' };
  return { fault: 'MethodNotFound' };
}

function answer(method: string, reply: { inside: string } | { fault: string; text?: string }): string {
  const body =
    'inside' in reply
      ? `<${method}Response xmlns="urn:vim25">${reply.inside}</${method}Response>`
      : `<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>${reply.text ?? ''}</faultstring><detail><${reply.fault}Fault xmlns="urn:vim25" xsi:type="${reply.fault}"></${reply.fault}Fault></detail></soapenv:Fault>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"
 xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsd="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body>
${body}
</soapenv:Body>
</soapenv:Envelope>`;
}
