import type { IncomingMessage } from 'node:http';
import { Transform, Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { got, type Method } from 'got';
import { InterruptedError, StackferryError, messageOf, throwIfAborted } from '../core/index.js';
import { closeAgents, httpAgents, type HttpAgents } from '../core/http-agents.js';
import { connectionError } from './errors.js';
import { proxyOf } from './no-proxy.js';

export interface HttpSettings {
  verify: boolean;
  /** PEM texts. */
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  proxy: { http: string | null; https: string | null; no: string[] };
  /** Milliseconds a connection may be silent while an answer is waited for. */
  silenceMs: number;
}

export interface HttpRequest {
  /** What is wanted, for messages: "create volume web01". */
  what: string;
  /** Official service type, for messages. */
  service: string;
  method: Method;
  url: URL;
  headers: Record<string, string>;
  json?: unknown;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | undefined>;
  body: string;
}

export interface HttpDownload extends Omit<HttpAnswer, 'body'> {
  /** Taken to its end or left early: the connection ends with it. */
  body: AsyncGenerator<Buffer>;
}

export interface HttpUpload extends Omit<HttpRequest, 'json'> {
  size: number;
  source: Readable;
  /** Sees every chunk as it is handed to the connection. */
  onChunk: (chunk: Buffer) => void;
  /** Told of every chunk that the connection has taken in: its memory is free again. */
  onWritten?: (chunk: Buffer) => void;
}

/** Milliseconds an upload may be silent: a store may take long to take in what it was sent before it answers. */
const UPLOAD_SILENCE_MS = 30 * 60_000;
/** Milliseconds to wait for the answer of a service that closed the connection under an upload. */
const LAST_WORDS_MS = 1_000;

/**
 * One HTTP client: TLS, proxies, time-outs, and errors turned into ours (got's own hold the token). It knows nothing
 * of OpenStack, never retries and takes every status as an answer.
 */
export class Http {
  readonly #settings: HttpSettings;
  readonly #kept = new Map<string, HttpAgents>();

  constructor(settings: HttpSettings) {
    this.#settings = settings;
  }

  async send(request: HttpRequest): Promise<HttpAnswer> {
    throwIfAborted(request.signal);
    const { silenceMs } = this.#settings;
    try {
      const response = await got(request.url, {
        ...this.#common(request),
        method: request.method,
        ...(request.json === undefined ? {} : { json: request.json }),
        timeout: { lookup: 10_000, connect: 15_000, secureConnect: 15_000, socket: silenceMs, response: silenceMs },
        responseType: 'text',
      });
      return { status: response.statusCode, headers: plain(response.headers), body: response.body };
    } catch (error) {
      throw this.#converted(error, request);
    }
  }

  /** Sends exactly `size` bytes of a stream, at the pace of the connection; the stream is destroyed in any case. */
  async upload(request: HttpUpload): Promise<HttpAnswer> {
    throwIfAborted(request.signal);
    const { source, size } = request;
    const sender = got.stream(request.url, {
      ...this.#common(request),
      method: 'PUT',
      headers: { ...request.headers, 'content-length': String(size) },
      timeout: { lookup: 10_000, connect: 15_000, secureConnect: 15_000, socket: UPLOAD_SILENCE_MS },
    });
    // What failed first: our side of it, or the connection (whose error the pipeline hands to the source as well).
    let ownError: unknown;
    let theirError: unknown;
    sender.once('error', (error) => (theirError ??= error));
    source.once('error', (error) => {
      if (error !== theirError) ownError ??= error;
    });
    const answer = new Promise<HttpAnswer>((resolve, reject) => {
      sender.once('response', (response: IncomingMessage) => {
        const chunks: Buffer[] = [];
        sender.on('data', (chunk: Buffer) => chunks.push(chunk));
        const finish = () => {
          const body = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: plain(response.headers), body });
        };
        sender.once('end', finish);
        sender.once('close', finish);
      });
      sender.once('error', reject);
    });
    answer.catch(() => undefined);
    const sent = pipeline(
      source,
      exactly(size, request.onChunk, (error) => (ownError ??= error)),
      telling(sender, request.onWritten),
      { signal: request.signal },
    );
    try {
      // A service that refuses answers before all is sent; the rest is then of no use to it.
      const first = await Promise.race([answer, sent.then(() => undefined)]);
      return first ?? (await answer);
    } catch (error) {
      if (ownError !== undefined && !request.signal.aborted) throw ownError as Error;
      if (!request.signal.aborted) {
        const words = await Promise.race([
          answer.catch(() => undefined),
          new Promise<undefined>((resolve) => setTimeout(resolve, LAST_WORDS_MS, undefined).unref()),
        ]);
        if (words) return words;
      }
      throw this.#converted(error, request);
    } finally {
      source.destroy();
      sender.destroy();
      await sent.catch(() => undefined);
    }
  }

  /** Asks for a body of any length; it is read at the pace of whoever takes it. */
  async download(request: Omit<HttpRequest, 'json' | 'method'>): Promise<HttpDownload> {
    throwIfAborted(request.signal);
    const { silenceMs } = this.#settings;
    const whole = { ...request, method: 'GET' as const };
    const stream = got.stream(request.url, {
      ...this.#common(whole),
      method: 'GET',
      decompress: false,
      timeout: { lookup: 10_000, connect: 15_000, secureConnect: 15_000, socket: silenceMs, response: silenceMs },
    });
    const read = async function* (convert: (error: unknown) => StackferryError): AsyncGenerator<Buffer> {
      try {
        for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
      } catch (error) {
        throw convert(error);
      } finally {
        stream.destroy();
      }
    };
    const convert = (error: unknown) => this.#converted(error, whole);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        stream.once('response', resolve);
        stream.once('error', reject);
      });
      return { status: response.statusCode ?? 0, headers: plain(response.headers), body: read(convert) };
    } catch (error) {
      stream.destroy();
      throw convert(error);
    }
  }

  /** Closes the connections that are kept for later. */
  close(): void {
    for (const agents of this.#kept.values()) closeAgents(agents);
    this.#kept.clear();
  }

  #common(request: Omit<HttpRequest, 'json'>) {
    return {
      headers: { 'user-agent': 'stackferry', accept: 'application/json', ...request.headers },
      retry: { limit: 0 },
      throwHttpErrors: false,
      // A token must not follow a redirect to another place, nor a POST turn into a GET.
      followRedirect: (response: { statusCode: number; headers: { location?: string | undefined } }) =>
        (request.method === 'GET' || request.method === 'HEAD') &&
        response.headers.location !== undefined &&
        new URL(response.headers.location, request.url).origin === request.url.origin,
      maxRedirects: 3,
      signal: request.signal,
      agent: this.#agents(request.url, request.method === 'GET' || request.method === 'HEAD'),
    } as const;
  }

  /**
   * Connections are kept for reads only: a request that changes something gets a fresh one, so that it cannot die on
   * a connection which the peer has just closed, where nobody could say whether it was heard.
   */
  #agents(url: URL, keep: boolean): HttpAgents {
    const { verify, ca, cert, key, proxy } = this.#settings;
    const wanted = proxyOf(url, proxy);
    const make = () => {
      const tls = {
        rejectUnauthorized: verify,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      };
      return httpAgents({ keepAlive: keep, maxSockets: 16, tls, proxy: wanted });
    };
    if (!keep) return make();
    const known = this.#kept.get(wanted ?? '');
    if (known) return known;
    const made = make();
    this.#kept.set(wanted ?? '', made);
    return made;
  }

  #converted(error: unknown, request: Omit<HttpRequest, 'json'>): StackferryError {
    if (error instanceof StackferryError) return error;
    if (request.signal.aborted) {
      return request.signal.reason instanceof StackferryError ? request.signal.reason : new InterruptedError();
    }
    return connectionError(error, request);
  }
}

/**
 * Lets through exactly `size` bytes: neither a longer nor a shorter source may end in a whole-looking upload. So the
 * chunk that makes it whole is held back until the source has ended well.
 */
function exactly(size: number, onChunk: (chunk: Buffer) => void, failed: (error: Error) => void): Transform {
  let seen = 0;
  let last: Buffer | null = null;
  const wrong = (text: string) => {
    const error = new StackferryError(
      'cloud.upload_size',
      `The content to upload ${text} than the ${size} bytes announced.`,
      {
        hint: 'Its source changed while it was read: start the step again.',
      },
    );
    failed(error);
    return error;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > size) {
        done(wrong('is longer'));
        return;
      }
      try {
        onChunk(chunk);
        if (seen === size) last = chunk;
        if (seen === size) done();
        else done(null, chunk);
      } catch (error) {
        failed(error instanceof Error ? error : new Error(messageOf(error)));
        done(error instanceof Error ? error : new Error(messageOf(error)));
      }
    },
    flush(done) {
      if (seen === size) done(null, last ?? undefined);
      else done(wrong(`ended after ${seen} bytes, sooner`));
    },
  });
}

/** Writes on to the sender, and tells of each chunk once the sender has handed it to the connection. */
function telling(sender: ReturnType<typeof got.stream>, onWritten: HttpUpload['onWritten']): Writable {
  const writer = new Writable({
    write: (chunk: Buffer, encoding, done) => {
      sender.write(chunk, encoding, (error) => {
        if (!error) onWritten?.(chunk);
        done(error);
      });
    },
    final: (done) => {
      sender.end();
      done();
    },
    destroy: (error, done) => {
      if (error) sender.destroy(error);
      done(error);
    },
  });
  sender.once('error', (error) => writer.destroy(error));
  sender.once('close', () => writer.destroy());
  return writer;
}

function plain(headers: IncomingMessage['headers']): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}
