import { got } from 'got';
import {
  InterruptedError,
  MIB,
  StackferryError,
  formatBytes,
  messageOf,
  redactText,
  systemCode,
  throwIfAborted,
  whenAborted,
} from '../../core/index.js';
import type { SoapTarget } from './target.js';
import { TrustingAgent } from './trust.js';
import { badAnswer } from './xml.js';

/** A host with some hundred VMs answers with some ten MiB; pages are asked for well below that. */
const MAX_ANSWER_BYTES = 64 * MIB;
const SILENCE_MS = 120_000;

export interface SoapAnswer {
  status: number;
  body: string;
}

export interface SoapPost {
  /** The method, for messages: `Login`. */
  method: string;
  /** `urn:vim25/7.0`: the dialect that the answer is wanted in. */
  action: string;
  body: string;
  signal: AbortSignal;
}

/**
 * One connection pool to `/sdk`: TLS, the session's cookie, time-outs, a limit on answers, and got's errors turned into
 * ours (got's own hold the request, and so the password). It knows nothing of SOAP and takes every status as an answer.
 */
export class SoapTransport {
  readonly #target: SoapTarget;
  readonly #agent: TrustingAgent;
  readonly #url: URL;
  #cookie: string | null = null;

  constructor(target: SoapTarget) {
    this.#target = target;
    this.#agent = new TrustingAgent(target);
    const host = target.host.includes(':') ? `[${target.host}]` : target.host;
    this.#url = new URL(`https://${host}:${target.port}/sdk`);
  }

  async post(post: SoapPost): Promise<SoapAnswer> {
    throwIfAborted(post.signal);
    try {
      return await this.#exchange(post);
    } catch (error) {
      if (post.signal.aborted) {
        throw post.signal.reason instanceof StackferryError ? post.signal.reason : new InterruptedError();
      }
      throw connectionError(error, this.#target);
    }
  }

  /** Forgets the session, so that nothing more is sent in its name. */
  forget(): void {
    this.#cookie = null;
  }

  close(): void {
    this.forget();
    this.#agent.destroy();
  }

  async #exchange({ action, body, signal }: SoapPost): Promise<SoapAnswer> {
    const request = got.stream.post(this.#url, {
      body,
      headers: {
        'user-agent': 'stackferry',
        'content-type': 'text/xml; charset=utf-8',
        soapaction: `"${action}"`,
        ...(this.#cookie === null ? {} : { cookie: this.#cookie }),
      },
      retry: { limit: 0 },
      throwHttpErrors: false,
      followRedirect: false,
      agent: { https: this.#agent },
      timeout: { lookup: 10_000, connect: 20_000, socket: SILENCE_MS, response: SILENCE_MS },
    });
    // Not by got's own option: it goes on listening to the signal when the request is long over, and fails then.
    const unwatch = whenAborted(signal, () => request.destroy(new InterruptedError()));
    let status = 0;
    request.once('response', (response: { statusCode: number; headers: { 'set-cookie'?: string[] } }) => {
      status = response.statusCode;
      this.#keepCookie(response.headers['set-cookie'] ?? []);
    });
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of request) {
        size += (chunk as Buffer).length;
        if (size > MAX_ANSWER_BYTES) throw badAnswer(`it is larger than ${formatBytes(MAX_ANSWER_BYTES)}`);
        chunks.push(chunk as Buffer);
      }
    } finally {
      unwatch();
    }
    return { status, body: Buffer.concat(chunks).toString('utf8') };
  }

  /** The session is `vmware_soap_session="…"`; sent back as it came, without its attributes. */
  #keepCookie(headers: readonly string[]): void {
    for (const header of headers) {
      const pair = header.split(';')[0]?.trim() ?? '';
      if (pair.startsWith('vmware_soap_session=')) this.#cookie = pair;
    }
  }
}

export function connectionError(error: unknown, { host, port }: SoapTarget): StackferryError {
  // got hands over what the agent or the stream failed with as the cause of an error of its own.
  const cause = error instanceof Error ? error.cause : undefined;
  if (error instanceof StackferryError) return error;
  if (cause instanceof StackferryError) return cause;
  const code = systemCode(cause) ?? systemCode(error);
  const details = { host, port, system: code ?? null };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new StackferryError('esxi.name_unknown', `The name ${host} could not be resolved (${code}).`, {
      hint: 'Check the spelling of --esxi and the name servers, or give the address.',
      details,
    });
  }
  const tls = code !== undefined && /^(?:EPROTO|ERR_SSL|ERR_TLS|ERR_OSSL)/.test(code);
  const why = redactText(messageOf(cause ?? error)).replace(/\.$/, '');
  return new StackferryError('esxi.unreachable', `Cannot reach the API on ${host} port ${port}: ${why}.`, {
    hint: tls
      ? 'Old hosts (before ESXi 6.5) speak no TLS of today: read them over SSH, --esxi-transport ssh. Is the port the one of the API (--esxi HOST:PORT)?'
      : 'Check the address, the port (--esxi HOST:PORT) and the firewalls between; over SSH: --esxi-transport ssh.',
    details,
  });
}
