import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { type Context, retry, type Secret, isCode, throwIfAborted } from '../../core/index.js';
import { faultError, faultOf, isFaultNamed } from './fault.js';
import { type MoRef, maybe, node, one, readElement, reference, text } from './reading.js';
import type { SoapTarget } from './target.js';
import { SoapTransport } from './transport.js';
import { type Element, type Outgoing, badAnswer, parseXml, writeXml, xml } from './xml.js';

/** What a host (`HostAgent`) or a vCenter (`VirtualCenter`) has, told before any login. */
const contentSchema = node({
  rootFolder: one(reference),
  propertyCollector: one(reference),
  viewManager: maybe(reference),
  sessionManager: one(reference),
  licenseManager: maybe(reference),
  authorizationManager: maybe(reference),
  about: one(
    node({
      name: one(text),
      version: one(text),
      build: maybe(text),
      apiType: one(text),
      apiVersion: one(text),
    }),
  ),
});
export type ServiceContent = z.output<typeof contentSchema>;

const loginSchema = node({ userName: one(text) });

export interface SoapCall {
  method: string;
  on: MoRef;
  /** Parameters in the order of the API's reference, which is the one that hosts demand. */
  parameters?: readonly Outgoing[];
  /** What is wanted, for messages: "list its VMs". */
  what: string;
  /** Looks into an answer for faults that stand inside, and throws them. */
  check?: (answer: Element) => void;
}

/** A session is ended by the host after 30 minutes of silence (`config.hostagent.vmacore.soap.sessionTimeout`). */
const KEEP_ALIVE_MS = 10 * 60_000;
const LOGOUT_MS = 10_000;
const FIRST_DIALECT = 'urn:vim25';

/**
 * A session with the vSphere API. It is kept alive while it is open, taken up once more where the host has ended it, and
 * given back by {@link SoapSession.close}, also after an interruption: a host has room for few of them.
 */
export class SoapSession {
  readonly name: string;
  readonly #target: SoapTarget;
  readonly #ctx: Context;
  readonly #transport: SoapTransport;
  #content: ServiceContent | null = null;
  #dialect = FIRST_DIALECT;
  #password: Promise<Secret> | null = null;
  #login: Promise<void> | null = null;
  /** Counts logins, so that calls which fail together make one new one. */
  #epoch = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  private constructor(target: SoapTarget, ctx: Context) {
    this.name = `${target.user}@${target.host}:${target.port}`;
    this.#target = target;
    this.#ctx = ctx;
    this.#transport = new SoapTransport(target);
  }

  /**
   * Asks what is there and logs in. Throws `esxi.certificate`, `esxi.unreachable`, `esxi.name_unknown`,
   * `esxi.login_refused`, `esxi.bad_answer`.
   */
  static async open(target: SoapTarget, ctx: Context): Promise<SoapSession> {
    const session = new SoapSession(target, ctx);
    try {
      await session.#begin();
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  get content(): ServiceContent {
    if (!this.#content) throw badAnswer('it does not say what the service has');
    return this.#content;
  }

  /** A call that only reads: tried again where the connection broke or the host is overloaded. */
  read(call: SoapCall): Promise<Element> {
    return retry(
      this.#ctx,
      {
        what: `${call.method} of ${this.name}`,
        attempts: 3,
        delayMs: 1000,
        maxDelayMs: 5000,
        retryable: (error) => isCode(error, 'esxi.unreachable') || isCode(error, 'esxi.overloaded'),
      },
      () => this.change(call),
    );
  }

  /**
   * A call that changes something: sent once. (Only where the host says that the session has ended, which is before it
   * did anything, it is sent again in a new one.)
   */
  async change(call: SoapCall): Promise<Element> {
    const epoch = this.#epoch;
    try {
      return await this.#send(call, this.#ctx.signal);
    } catch (error) {
      if (!isFaultNamed(error, 'NotAuthenticated') || this.#epoch === 0) throw error;
      await this.#loginAgain(epoch);
      return this.#send(call, this.#ctx.signal);
    }
  }

  /** A call that gives something back: sent once, also after an interruption, and not waited for longer than this. */
  giveBack(call: SoapCall, timeoutMs: number): Promise<Element> {
    return this.#send(call, AbortSignal.timeout(timeoutMs));
  }

  /** Logs out and closes the connections; whatever goes wrong with that is only noted. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer) clearInterval(this.#timer);
    try {
      if (this.#epoch > 0 && this.#content) {
        const call = { method: 'Logout', on: this.#content.sessionManager, what: 'end the session' };
        await this.giveBack(call, LOGOUT_MS);
      }
    } catch (error) {
      this.#ctx.log.debug('logout failed', { host: this.name, error: String(error) });
    } finally {
      this.#transport.close();
    }
  }

  async #begin(): Promise<void> {
    if (this.#target.insecure && this.#target.fingerprint === undefined) {
      this.#ctx.events.emit({
        kind: 'warning',
        code: 'esxi.insecure',
        message: `The certificate of ${this.#target.host} is not checked: who sits between may read the password.`,
        hint: 'Pin it: --esxi-fingerprint HEX.',
      });
    }
    const answer = await this.read({
      method: 'RetrieveServiceContent',
      on: { type: 'ServiceInstance', id: 'ServiceInstance' },
      what: 'say what it has',
    });
    this.#content = readElement(contentSchema, returned(answer));
    const { apiVersion, apiType } = this.#content.about;
    // Asked in an older dialect a host leaves out what that did not know yet: a TPM, say.
    if (/^\d+(?:\.\d+){1,3}$/.test(apiVersion)) this.#dialect = `${FIRST_DIALECT}/${apiVersion}`;
    this.#ctx.log.debug('vSphere API', { host: this.name, apiType, apiVersion });
    await this.#logIn();
    this.#timer = setInterval(() => void this.#keepAlive(), KEEP_ALIVE_MS).unref();
  }

  async #logIn(): Promise<void> {
    this.#password ??= this.#target.password();
    const password = await this.#password;
    throwIfAborted(this.#ctx.signal);
    this.#transport.forget();
    const answer = await this.#send(
      {
        method: 'Login',
        on: this.content.sessionManager,
        parameters: [xml('userName', this.#target.user), xml('password', password.reveal())],
        what: `let ${this.#target.user} in`,
      },
      this.#ctx.signal,
    );
    readElement(loginSchema, returned(answer));
    this.#epoch++;
  }

  async #loginAgain(epoch: number): Promise<void> {
    if (this.#epoch !== epoch || this.#closed) return;
    this.#login ??= this.#logIn().finally(() => (this.#login = null));
    await this.#login;
  }

  async #keepAlive(): Promise<void> {
    try {
      const on: MoRef = { type: 'ServiceInstance', id: 'ServiceInstance' };
      await this.change({ method: 'CurrentTime', on, what: 'tell the time' });
    } catch (error) {
      this.#ctx.log.debug('keeping the session failed', { host: this.name, error: String(error) });
    }
  }

  async #send(call: SoapCall, signal: AbortSignal): Promise<Element> {
    const operation = `stackferry-${randomBytes(4).toString('hex')}`;
    const started = this.#ctx.clock.now();
    const answer = await this.#transport.post({
      method: call.method,
      action: this.#dialect,
      body: envelope(call, operation),
      signal,
    });
    this.#ctx.log.debug('soap', {
      method: call.method,
      on: call.on.id,
      status: answer.status,
      operation,
      ms: this.#ctx.clock.now() - started,
    });
    const body = bodyOf(call, answer, operation);
    call.check?.(body);
    return body;
  }
}

const ENVELOPE = 'http://schemas.xmlsoap.org/soap/envelope/';

function envelope({ method, on, parameters = [] }: SoapCall, operation: string): string {
  const body = xml(method, [xml('_this', on.id, { type: on.type }), ...parameters], { xmlns: 'urn:vim25' });
  const whole = xml(
    'soapenv:Envelope',
    // The host notes the operation's id in its log, where it can be found again.
    [xml('soapenv:Header', [xml('operationID', operation)]), xml('soapenv:Body', [body])],
    { 'xmlns:soapenv': ENVELOPE, 'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance' },
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeXml(whole)}`;
}

/** The answer to a call, or what the host has against it. */
function bodyOf(call: SoapCall, answer: { status: number; body: string }, operation: string): Element {
  if (answer.status === 503) {
    throw faultError(call.what, { name: 'HTTP 503', message: 'it has too much to do', element: null }, operation, {
      code: 'esxi.overloaded',
      hint: 'Try again, with less at once.',
    });
  }
  if (answer.status !== 200 && answer.status !== 500) {
    throw badAnswer(`HTTP status ${answer.status} to ${call.method}`);
  }
  const body = parseXml(answer.body).child('Body');
  const [inside] = body?.children ?? [];
  if (!inside) throw badAnswer(`it has no body, to ${call.method}`);
  if (inside.name === 'Fault') throw faultError(call.what, faultOf(inside), operation);
  if (inside.name !== `${call.method}Response`) throw badAnswer(`it is ${inside.name} to ${call.method}`);
  return inside;
}

/** The only result of a call. */
export function returned(answer: Element): Element {
  const value = answer.child('returnval');
  if (!value) throw badAnswer(`${answer.name} is empty`);
  return value;
}
