import type { Readable } from 'node:stream';
import { z } from 'zod';
import { StackferryError, retry, retryAfterMs, type Context } from '../core/index.js';
import { serviceError } from './errors.js';
import type { HttpAnswer } from './http.js';
import type { ServiceType } from './identity/service-types.js';
import { atLeast, microversionHeaders } from './identity/versions.js';
import type { Session } from './session.js';

export interface Call {
  /** What is wanted, for messages: "create volume web01". */
  what: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the service's versioned URL, with its leading slash. */
  path: string;
  query?: Readonly<Record<string, string>>;
  json?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** A POST or PUT that may be sent again, because it comes to the same. GET and DELETE always may. */
  repeatable?: boolean;
  /** A POST that changes nothing. */
  readOnly?: boolean;
  /** Statuses that are an answer, besides 2xx. */
  accept?: readonly number[];
}

export interface Answer {
  status: number;
  body: unknown;
}

/** More pages than any project has; a service that never ends its list is an error. */
const MAX_PAGES = 10_000;
/** A token that lasts an hour: Glance checks it when an upload begins, and some stores again when it ends. */
const UPLOAD_TOKEN_MS = 3_600_000;

/**
 * One service of one cloud: every request passes here. It adds the token and the microversion, logs in again once on a
 * 401, sends again what may be sent again (never a POST that may have been heard), tells changing requests to the
 * observer, and turns every refusal into an error.
 */
export class Service {
  readonly type: ServiceType;
  readonly ctx: Context;
  readonly #session: Session;

  constructor(session: Session, type: ServiceType, ctx: Context) {
    this.#session = session;
    this.type = type;
    this.ctx = ctx;
  }

  get projectId(): string {
    return this.#session.login.project.id;
  }

  /** The microversion that is spoken; null where there is none. */
  async microversion(): Promise<string | null> {
    return (await this.#endpoint()).microversion;
  }

  async has(microversion: string): Promise<boolean> {
    return atLeast(await this.microversion(), microversion);
  }

  async baseUrl(): Promise<string> {
    return (await this.#endpoint()).base;
  }

  /** Sends one call and reads its JSON. Throws the errors of `serviceError` and `connectionError`. */
  async call(call: Call): Promise<Answer> {
    const { base, microversion } = await this.#endpoint();
    const url = new URL(`${base}${call.path}`);
    for (const [key, value] of Object.entries(call.query ?? {})) url.searchParams.append(key, value);
    const answer = await this.#send(call, url, { ...microversionHeaders(this.type, microversion), ...call.headers });
    return { status: answer.status, body: answer.body.trim() === '' ? undefined : this.#json(call, answer.body) };
  }

  /** Sends one call and checks the shape of its answer. */
  async read<T>(call: Call, schema: z.ZodType<T>): Promise<T> {
    return this.checked(call, (await this.call(call)).body, schema);
  }

  /** The object, or undefined on 404. */
  async readIfThere<T>(call: Call, schema: z.ZodType<T>): Promise<T | undefined> {
    const answer = await this.call({ ...call, accept: [...(call.accept ?? []), 404] });
    return answer.status === 404 ? undefined : this.checked(call, answer.body, schema);
  }

  /** All items of a list, page by page, however the service links its pages. */
  async list<T>(call: Omit<Call, 'method'>, key: string, schema: z.ZodType<T>): Promise<T[]> {
    const page = z.looseObject({ [key]: z.array(schema) });
    const items: T[] = [];
    let query = call.query ?? {};
    const seen = new Set<string>();
    for (let count = 0; count < MAX_PAGES; count++) {
      const whole: Call = { ...call, method: 'GET', query };
      const body = await this.read(whole, page);
      items.push(...(body[key] as T[]));
      const next = nextPage(body, key);
      if (next === undefined) return items;
      // The link's host and path are the service's own view of itself; only what it asks for counts.
      const params = Object.fromEntries(new URL(next, 'http://page').searchParams);
      const mark = JSON.stringify(params);
      if (seen.has(mark) || Object.keys(params).length === 0) return items;
      seen.add(mark);
      query = { ...query, ...params };
    }
    throw this.#badAnswer(call.what, call.path, 'its list has no end');
  }

  /** Streams a body of known size; see `Http.upload`. Sent once. */
  async upload(
    call: { what: string; path: string },
    content: {
      size: number;
      open: () => Promise<Readable>;
      onChunk: (chunk: Buffer) => void;
      onWritten?: (chunk: Buffer) => void;
    },
  ): Promise<void> {
    const { base } = await this.#endpoint();
    const url = new URL(`${base}${call.path}`);
    this.#observe({ ...call, method: 'PUT' }, url);
    const token = await this.#session.token(this.ctx, UPLOAD_TOKEN_MS);
    const started = this.ctx.clock.now();
    const answer = await this.#session.http.upload({
      what: call.what,
      service: this.type,
      method: 'PUT',
      url,
      headers: { 'x-auth-token': token.reveal(), 'content-type': 'application/octet-stream' },
      signal: this.ctx.signal,
      size: content.size,
      source: await content.open(),
      onChunk: content.onChunk,
      ...(content.onWritten === undefined ? {} : { onWritten: content.onWritten }),
    });
    this.#note('PUT', url, answer, started);
    if (answer.status >= 200 && answer.status < 300) return;
    throw this.#refused({ ...call, method: 'PUT' }, url, answer);
  }

  /**
   * Streams the body of an answer, from a byte of it on.
   * @throws StackferryError `cloud.bad_answer` where the service gives another part than it was asked for
   */
  async *download(call: { what: string; path: string; from: number }): AsyncGenerator<Buffer> {
    const { base } = await this.#endpoint();
    const url = new URL(`${base}${call.path}`);
    for (let attempt = 1; ; attempt++) {
      const token = await this.#session.token(this.ctx);
      const started = this.ctx.clock.now();
      const { body, ...answer } = await this.#session.http.download({
        what: call.what,
        service: this.type,
        url,
        headers: {
          'x-auth-token': token.reveal(),
          accept: '*/*',
          ...(call.from === 0 ? {} : { range: `bytes=${call.from}-` }),
        },
        signal: this.ctx.signal,
      });
      this.#note('GET', url, { ...answer, body: '' }, started);
      if (answer.status === (call.from === 0 ? 200 : 206)) {
        yield* body;
        return;
      }
      const text = await firstWords(body);
      if (answer.status >= 200 && answer.status < 300) {
        throw this.#badAnswer(call.what, call.path, `status ${answer.status} for its bytes from ${call.from} on`);
      }
      if (answer.status === 401 && attempt === 1) await this.#session.renew(this.ctx, token);
      else throw this.#refused({ ...call, method: 'GET' }, url, { ...answer, body: text });
    }
  }

  checked<T>(call: { what: string; path: string }, body: unknown, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const where = issue === undefined ? '' : `${issue.path.join('.') || 'the answer'}: ${issue.message}`;
    throw this.#badAnswer(call.what, call.path, where);
  }

  #endpoint() {
    return this.#session.endpoint(this.type, async (document) => {
      const call: Call = {
        what: `ask ${this.type} for its versions`,
        method: 'GET',
        path: '',
        accept: [300, 403, 404, 405],
      };
      const answer = await this.#send(call, new URL(document), {});
      try {
        return JSON.parse(answer.body) as unknown;
      } catch {
        return undefined;
      }
    });
  }

  async #send(call: Call, url: URL, headers: Record<string, string>): Promise<HttpAnswer> {
    const again =
      call.method === 'GET' || call.method === 'DELETE' || call.repeatable === true || call.readOnly === true;
    this.#observe(call, url);
    return retry(
      this.ctx,
      {
        what: call.what,
        attempts: 5,
        delayMs: 500,
        maxDelayMs: 10_000,
        retryable: (error) => retryable(error, again),
      },
      () => this.#sendOnce(call, url, headers),
    );
  }

  async #sendOnce(call: Call, url: URL, headers: Record<string, string>): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt++) {
      const token = await this.#session.token(this.ctx);
      const started = this.ctx.clock.now();
      const answer = await this.#session.http.send({
        what: call.what,
        service: this.type,
        method: call.method,
        url,
        headers: { ...headers, 'x-auth-token': token.reveal() },
        ...(call.json === undefined ? {} : { json: call.json }),
        signal: this.ctx.signal,
      });
      this.#note(call.method, url, answer, started);
      if ((answer.status >= 200 && answer.status < 300) || call.accept?.includes(answer.status)) return answer;
      if (answer.status === 401 && attempt === 1) {
        await this.#session.renew(this.ctx, token);
        continue;
      }
      throw this.#refused(call, url, answer);
    }
  }

  #observe(call: Pick<Call, 'method' | 'readOnly' | 'json'>, url: URL): void {
    if (call.method === 'GET' || call.readOnly === true) return;
    this.#session.onChange?.({ service: this.type, method: call.method, path: url.pathname, body: call.json });
  }

  #note(method: string, url: URL, answer: HttpAnswer, started: number): void {
    this.ctx.log.debug(`${this.type}: ${method} ${url.pathname} ${answer.status}`, {
      ms: this.ctx.clock.now() - started,
      request_id: requestIdOf(answer),
    });
  }

  #refused(call: { what: string; method: string }, url: URL, answer: HttpAnswer): StackferryError {
    const error = serviceError({
      what: call.what,
      service: this.type,
      method: call.method,
      path: url.pathname,
      status: answer.status,
      requestId: requestIdOf(answer),
      body: answer.body,
    });
    const wait = retryAfterMs(answer.headers['retry-after'], this.ctx.clock.now());
    if (wait !== undefined) error.details['retry_after_ms'] = wait;
    return error;
  }

  #json(call: Call, text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw this.#badAnswer(call.what, call.path, 'it is not JSON');
    }
  }

  #badAnswer(what: string, path: string, why: string): StackferryError {
    return new StackferryError(
      'cloud.bad_answer',
      `Could not ${what}: the answer of ${this.type} was not understood (${why}).`,
      {
        hint: 'Is something else at this address, or a proxy in between? Run with --verbose and tell us what the cloud runs.',
        details: { service: this.type, path },
      },
    );
  }
}

/** The beginning of a refusal's text. */
async function firstWords(body: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += chunk.toString('utf8');
    if (text.length > 4096) break;
  }
  return text;
}

function requestIdOf(answer: HttpAnswer): string | undefined {
  return answer.headers['x-openstack-request-id'] ?? answer.headers['x-compute-request-id'];
}

/**
 * Whether a failed call may be sent once more, and after how many milliseconds if the service says so. A call that is
 * not repeatable goes out again only where it was certainly not carried out: it never left, or was turned away by a
 * rate limit.
 */
function retryable(error: unknown, repeatable: boolean): boolean | number {
  if (!(error instanceof StackferryError)) return false;
  const { status, system, sent, retry_after_ms: asked } = error.details;
  const wait = typeof asked === 'number' ? asked : true;
  if (error.code === 'cloud.rate_limited') return wait;
  if (error.code === 'cloud.unreachable') return system !== 'ENOTFOUND' && (repeatable || sent === false);
  return repeatable && (status === 502 || status === 503 || status === 504) ? wait : false;
}

const linksSchema = z.array(z.object({ rel: z.string(), href: z.string() }));

/** The link to the next page: Glance's `next`, the others' `KEY_links`. */
function nextPage(body: Record<string, unknown>, key: string): string | undefined {
  if (typeof body['next'] === 'string') return body['next'];
  const links = linksSchema.safeParse(body[`${key}_links`]);
  return links.success ? links.data.find(({ rel }) => rel === 'next')?.href : undefined;
}
