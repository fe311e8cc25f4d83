import type { IncomingMessage } from 'node:http';
import { got } from 'got';
import {
  InterruptedError,
  StackferryError,
  UsageError,
  contentRange,
  isCode,
  messageOf,
  retry,
  throwIfAborted,
  type Context,
} from '../../core/index.js';
import { closeAgents, httpAgents, type HttpAgents } from '../../core/http-agents.js';
import type { MemberBytes } from './byte-views.js';
import { packageError } from './faults.js';

export interface UrlOptions {
  ctx: Context;
  /** PEM text of further authorities that are trusted; certificates are always verified. */
  ca?: string;
  /** The proxy for a URL; null: none. */
  proxyFor?: (url: URL) => string | null;
}

const MAX_REDIRECTS = 5;
const SILENCE_MS = 60_000;
const TRIES = 4;

/** A file behind a URL: in parts where its server answers to ranges, otherwise as it comes, once. */
export type OpenedUrl =
  { bytes: MemberBytes; stream: null } | { bytes: null; stream: AsyncGenerator<Buffer>; length: number | null };

/** A URL that may be shown: without user, query and fragment, for these may hold secrets. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** An `http` or `https` URL. Throws a UsageError for others, and for one that holds a password. */
export function packageUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError('Only http:// and https:// URLs can be read.', 'Download the file first.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      `The URL of ${shownUrl(url)} holds a user or password, which everybody on this machine can see.`,
      'Download the file first, or give a signed link.',
    );
  }
  return url;
}

/**
 * Asks for the first byte: a server that answers 206 gives ranges. One that answers 200 gives the file as it comes.
 * @throws StackferryError `package.url_failed`, `package.missing_file`
 */
export async function openUrl(url: URL, options: UrlOptions): Promise<OpenedUrl> {
  const { ca, proxyFor } = options;
  const tls = ca === undefined ? {} : { ca };
  const agents = httpAgents({ keepAlive: true, maxSockets: 8, tls, proxy: proxyFor?.(url) ?? null });
  const reader = new UrlReader(url, options, agents);
  try {
    const opened = await reader.probe();
    return opened;
  } catch (error) {
    closeAgents(agents);
    throw error;
  }
}

type Sender = ReturnType<typeof got.stream>;

class UrlReader implements MemberBytes {
  readonly name: string;
  bytes = 0;
  readonly #url: URL;
  readonly #options: UrlOptions;
  readonly #agents: HttpAgents;
  /** What the server calls this very content: a file that is exchanged meanwhile is noticed. */
  #tag: string | null = null;

  constructor(url: URL, options: UrlOptions, agents: HttpAgents) {
    this.name = shownUrl(url);
    this.#url = url;
    this.#options = options;
    this.#agents = agents;
  }

  async probe(): Promise<OpenedUrl> {
    const { sender, response } = await this.#retried(() => this.#ask('bytes=0-0'));
    if (response.statusCode === 206) {
      sender.destroy();
      const range = contentRange(response.headers['content-range']);
      const total = range === null || range.from === null ? null : range.total;
      if (total === null) throw this.#failed('does not say how long it is');
      this.bytes = total;
      this.#tag = tagOf(response);
      return { bytes: this, stream: null };
    }
    const length = response.headers['content-length'];
    return {
      bytes: null,
      stream: this.#whole(sender, length === undefined ? null : Number(length)),
      length: length === undefined ? null : Number(length),
    };
  }

  read(position: number, length: number): Promise<Buffer> {
    if (length === 0) return Promise.resolve(Buffer.alloc(0));
    return this.#retried(async () => {
      const { sender, response } = await this.#ask(`bytes=${position}-${position + length - 1}`);
      try {
        const range = contentRange(response.headers['content-range']);
        if (response.statusCode !== 206 || range?.from !== position) throw this.#failed('no longer answers to ranges');
        if (range.total !== this.bytes || tagOf(response) !== this.#tag) {
          throw packageError('package.changed', this.name, 'was exchanged while it was read', 'Start again.');
        }
        const chunks: Buffer[] = [];
        let got = 0;
        for await (const chunk of sender as AsyncIterable<Buffer>) {
          got += chunk.length;
          if (got > length) throw this.#failed('sends more than it was asked for');
          chunks.push(chunk);
        }
        if (got < length) throw this.#failed(`sent ${got} of ${length} bytes at ${position}`);
        return Buffer.concat(chunks);
      } catch (error) {
        throw this.#converted(error);
      } finally {
        sender.destroy();
      }
    });
  }

  state(): Promise<string> {
    return Promise.resolve(`${this.bytes} ${this.#tag ?? ''}`);
  }

  close(): Promise<void> {
    closeAgents(this.#agents);
    return Promise.resolve();
  }

  async *#whole(sender: Sender, length: number | null): AsyncGenerator<Buffer> {
    let got = 0;
    try {
      for await (const chunk of sender as AsyncIterable<Buffer>) {
        got += chunk.length;
        yield chunk;
      }
      if (length !== null && got !== length) throw this.#failed(`sent ${got} of ${length} bytes`);
    } catch (error) {
      throw this.#converted(error);
    } finally {
      sender.destroy();
      closeAgents(this.#agents);
    }
  }

  /** Sends a request and waits for the head of its answer: 200 or 206. */
  async #ask(range: string): Promise<{ sender: Sender; response: IncomingMessage }> {
    const { signal } = this.#options.ctx;
    throwIfAborted(signal);
    let downgraded = false as boolean;
    const sender = got.stream(this.#url, {
      // What is packed on its way would have other places.
      headers: { range, 'user-agent': 'stackferry', 'accept-encoding': 'identity' },
      decompress: false,
      retry: { limit: 0 },
      throwHttpErrors: false,
      maxRedirects: MAX_REDIRECTS,
      followRedirect: (response: { headers: { location?: string | undefined }; url: string }) => {
        downgraded =
          response.url.startsWith('https:') &&
          new URL(response.headers.location ?? '', response.url).protocol !== 'https:';
        return !downgraded;
      },
      timeout: { lookup: 10_000, connect: 15_000, secureConnect: 15_000, socket: SILENCE_MS, response: SILENCE_MS },
      agent: this.#agents,
      signal,
    });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sender.once('response', resolve);
      sender.once('error', reject);
    }).catch((error: unknown) => {
      throw this.#converted(error);
    });
    const { statusCode: status = 0 } = response;
    if (status === 200 || status === 206) return { sender, response };
    sender.on('error', () => undefined).destroy();
    if (downgraded) throw this.#failed('leads from https to an address that is not protected; it is not followed');
    if (status === 404 || status === 410) {
      throw packageError('package.missing_file', this.name, `is not there (${status})`, 'Check the URL.');
    }
    throw this.#failed(`answers with status ${status}`, status >= 500 || status === 429);
  }

  #retried<T>(work: () => Promise<T>): Promise<T> {
    const retryable = (error: unknown) => isCode(error, 'package.url_failed') && error.details['transient'] === true;
    const policy = { what: `read ${this.name}`, attempts: TRIES, delayMs: 500, maxDelayMs: 8_000, retryable };
    return retry(this.#options.ctx, policy, work);
  }

  /** got's own errors name the whole URL: only their words are taken. */
  #converted(error: unknown): Error {
    if (error instanceof StackferryError) return error;
    const { signal } = this.#options.ctx;
    if (signal.aborted) return signal.reason instanceof StackferryError ? signal.reason : new InterruptedError();
    const said = messageOf(error)
      .replaceAll(this.#url.href, this.name)
      .replaceAll(this.#url.search || '\0', '');
    return this.#failed(`cannot be read: ${said}`, !/certificate|self.signed|redirect/i.test(said));
  }

  #failed(why: string, transient = false): StackferryError {
    return new StackferryError('package.url_failed', `${this.name} ${why}.`, {
      hint: 'Try the URL with curl on this machine; or download the file first, and give that.',
      details: { transient },
    });
  }
}

function tagOf({ headers }: IncomingMessage): string {
  return headers.etag ?? headers['last-modified'] ?? '';
}
