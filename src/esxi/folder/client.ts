import { StackferryError, retry, retryAfterMs, type Context, type Secret } from '../../core/index.js';
import { openBody, type OpenBody } from '../https-body.js';
import { mayGoAway, readFailed } from '../read-error.js';
import type { SoapTarget } from '../soap/target.js';
import { TrustingAgent } from '../soap/trust.js';
import { BackOff } from './back-off.js';
import { folderUrl } from './folder-url.js';

/** Above about four requests at once hosts answer 503. */
export const MOST_REQUESTS = 4;
/** A busy host is asked so often before that is an error. */
const TRIES = 8;

/**
 * Reads files of a host by the address that its datastore browser uses, `/folder`. All requests share one pool of
 * connections, one session, and one wait when the host is busy.
 */
export class FolderClient {
  readonly name: string;
  readonly #target: SoapTarget;
  readonly #agent: TrustingAgent;
  readonly #base: URL;
  readonly #backOff: BackOff;
  readonly #ctx: Context;
  #asked: Promise<Secret> | null = null;
  readonly #cookies = new Map<string, string>();

  constructor(target: SoapTarget, ctx: Context) {
    this.#target = target;
    this.#ctx = ctx;
    this.#agent = new TrustingAgent(target);
    this.#backOff = new BackOff(ctx.clock);
    const host = target.host.includes(':') ? `[${target.host}]` : target.host;
    this.#base = new URL(`https://${host}:${target.port}/`);
    this.name = `${target.user}@${host}:${target.port}`;
  }

  /**
   * Asks for bytes `from` to `to` (not included) of a file. Comes back with 206, 200 (a host that does not do ranges
   * sends the whole file), 404 or 416; busy hosts are asked again, together with all other requests.
   *
   * @param path absolute path on the host
   * @throws StackferryError `esxi.login_refused`, `esxi.no_permission`, `disk.locked`, `esxi.read_failed`,
   * `esxi.unreachable`, `esxi.certificate`, `esxi.overloaded`
   */
  async get(path: string, from: number, to: number, signal: AbortSignal): Promise<OpenBody> {
    const ctx = { ...this.#ctx, signal };
    const policy = { what: `read ${path}`, attempts: TRIES, delayMs: 1_000, maxDelayMs: 20_000, retryable };
    return retry(ctx, policy, async () => {
      await this.#backOff.ready(signal);
      const answer = await this.#send(path, from, to, signal);
      if ([200, 206, 404, 416].includes(answer.status)) {
        this.#backOff.good();
        return answer;
      }
      answer.body.destroy();
      throw this.#refused(path, answer);
    });
  }

  /** Asked for once. */
  #password(): Promise<Secret> {
    this.#asked ??= this.#target.password();
    return this.#asked;
  }

  close(): void {
    this.#cookies.clear();
    this.#agent.destroy();
  }

  async #send(path: string, from: number, to: number, signal: AbortSignal): Promise<OpenBody> {
    const { user } = this.#target;
    const login = Buffer.from(`${user}:${(await this.#password()).reveal()}`).toString('base64');
    const answer = await openBody({
      url: folderUrl(this.#base, path),
      headers: {
        authorization: `Basic ${login}`,
        range: `bytes=${from}-${to - 1}`,
        ...(this.#cookies.size === 0 ? {} : { cookie: [...this.#cookies.values()].join('; ') }),
      },
      target: this.#target,
      agent: this.#agent,
      signal,
    });
    this.#keepCookies(answer.headers['set-cookie'] ?? []);
    return answer;
  }

  #refused(path: string, { status, headers }: OpenBody): StackferryError {
    const details = { status, path };
    const { user, host } = this.#target;
    if (status === 401) {
      return new StackferryError('esxi.login_refused', `${host} refused the login of ${user} for its datastores.`, {
        hint: 'Check the account and its password. After a few misses ESXi locks an account for 15 minutes.',
        details,
      });
    }
    if (status === 403) {
      return new StackferryError('esxi.no_permission', `${user} may not read ${path} on ${host}.`, {
        hint: 'The account needs Datastore.Browse and Datastore.FileManagement; or read over SSH: --esxi-transport ssh.',
        details,
      });
    }
    if (status === 503 || status === 429) {
      const wait = this.#backOff.busy(retryAfterMs(headers['retry-after'], this.#ctx.clock.now()));
      return new StackferryError('esxi.overloaded', `${host} is too busy to send ${path} (HTTP ${status}).`, {
        hint: 'Fewer streams help (--streams 1), or a quieter hour.',
        details: { ...details, retry_after_ms: wait },
      });
    }
    // Hosts answer so for a file that a running VM holds, too.
    const error = readFailed(path, `the host answered HTTP ${status} (does something still use the file?)`);
    Object.assign(error.details, details);
    return error;
  }

  /** Sessions of hostd and of its proxy; sent back as they came, without their attributes. */
  #keepCookies(headers: readonly string[]): void {
    for (const header of headers) {
      const pair = header.split(';')[0]?.trim() ?? '';
      const name = pair.split('=')[0] ?? '';
      if (name.startsWith('vmware_')) this.#cookies.set(name, pair);
    }
  }
}

function retryable(error: unknown): boolean | number {
  if (!(error instanceof StackferryError)) return false;
  const wait = error.details['retry_after_ms'];
  if (error.code === 'esxi.overloaded') return typeof wait === 'number' ? wait : true;
  // Refusals are told at once; who reads ranges tries those again that broke off.
  return error.code === 'esxi.unreachable' && error.details['system'] !== 'ENOTFOUND' && mayGoAway(error);
}
