import {
  InterruptedError,
  StackferryError,
  isCode,
  messageOf,
  retry,
  throwIfAborted,
  type Context,
} from '../../core/index.js';
import { Login } from './auth.js';
import type { Connection } from './connection.js';
import { DIAL_TIMES, dial, type DialTimes, type Dialing } from './dial.js';
import type { Place } from './failures.js';
import { HostKeyRules } from './host-key.js';
import { loadIdentities } from './keys.js';
import { inTurn } from './refusals.js';
import { collect, follow, shorten } from './running.js';
import type { CommandResult, RunOptions, RunningCommand, StreamOptions, StreamedOptions } from './shell.js';
import type { SshFacts, SshShell, SshTarget } from './target.js';

/** Tries of a command that only reads, the first included; the delay doubles. */
const TRIES = 3;
const FIRST_DELAY_MS = 1000;
const MOST_DELAY_MS = 8000;

/**
 * Connects and logs in. The first connection does so alone; streams open more, up to `maxConnections`, when those
 * there are busy.
 *
 * Errors: `esxi.unreachable`, `esxi.name_unknown`, `host.no_ssh`, `esxi.legacy_algorithms`, `esxi.host_key_unknown`,
 * `esxi.host_key_changed`, `esxi.host_key_revoked`, `esxi.known_hosts`, `esxi.login_refused`,
 * `esxi.password_expired`, `esxi.login_prompt`, `esxi.key_unreadable`, `esxi.key_passphrase`, `esxi.connection_lost`.
 */
export async function openShell(target: SshTarget, ctx: Context, times: DialTimes = DIAL_TIMES): Promise<SshShell> {
  const place: Place = {
    name: `${target.user}@${target.host}:${target.port}`,
    host: target.host,
    port: target.port,
    legacy: target.legacy,
  };
  throwIfAborted(ctx.signal);
  const rules = await HostKeyRules.load(target);
  const login = new Login(target, place, await loadIdentities(target, ctx), ctx);
  const dialing: Dialing = { target, place, login, rules, ctx, times };
  const first = await inTurn(place.name, ctx.signal, () => dial(dialing));
  return new Pool(dialing, first);
}

class Pool implements SshShell {
  readonly name: string;
  readonly #dialing: Dialing;
  readonly #ctx: Context;
  #connections: Connection[];
  #facts: SshFacts;
  /** A reconnect that everybody who needs one shares. */
  #reconnecting: Promise<Connection> | null = null;
  /** Additional connections being opened. */
  #opening = 0;
  #most: number;
  #trips = 0;
  #closed = false;

  constructor(dialing: Dialing, first: Connection) {
    this.name = dialing.place.name;
    this.#dialing = dialing;
    this.#ctx = dialing.ctx;
    this.#connections = [first];
    this.#facts = first.facts;
    this.#most = Math.max(1, Math.floor(dialing.target.maxConnections));
  }

  get facts(): SshFacts {
    return this.#facts;
  }

  get roundTrips(): number {
    return this.#trips;
  }

  async run(command: string, options: RunOptions & { once?: boolean } = {}): Promise<CommandResult> {
    return this.#persist(command, options, options.once === true, async (signal, sent) => {
      const connection = await this.#leastBusy(signal);
      const running = await this.#start(connection, command, signal, sent, options.input ?? '');
      return collect(connection, command, running, options);
    });
  }

  async stream(command: string, options: StreamedOptions = {}): Promise<RunningCommand> {
    return this.#persist(command, options, false, async (signal, sent) => {
      const connection = await this.#reserveForStream(signal);
      try {
        const running = await this.#start(connection, command, signal, sent, options.openStdin === true ? null : '');
        void running.finished.then(() => connection.streams--);
        return running;
      } catch (error) {
        connection.streams--;
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connections = this.#connections;
    this.#connections = [];
    await Promise.all(connections.map((connection) => connection.end()));
  }

  #start(
    connection: Connection,
    command: string,
    signal: AbortSignal,
    sent: () => void,
    input: string | null,
  ): Promise<RunningCommand> {
    return connection.exec(
      command,
      signal,
      () => {
        this.#trips++;
        sent();
      },
      (channel) => follow(channel, signal, input),
    );
  }

  /** The one policy for lost connections: try again, unless the command may have begun and must not run twice. */
  #persist<T>(
    command: string,
    options: StreamOptions,
    once: boolean,
    work: (signal: AbortSignal, sent: () => void) => Promise<T>,
  ): Promise<T> {
    const ctx = options.signal === undefined ? this.#ctx : { ...this.#ctx, signal: options.signal };
    let wasSent = false;
    const mayGoAway = (error: unknown) =>
      !this.#closed &&
      !(once && wasSent) &&
      (isCode(error, 'esxi.connection_lost') || isCode(error, 'esxi.unreachable') || isCode(error, 'host.no_ssh'));
    return retry(
      ctx,
      {
        what: `${this.name}: ${shorten(command)}`,
        attempts: TRIES,
        delayMs: FIRST_DELAY_MS,
        maxDelayMs: MOST_DELAY_MS,
        retryable: mayGoAway,
      },
      async () => {
        try {
          return await work(ctx.signal, () => (wasSent = true));
        } catch (error) {
          if (once && wasSent && isCode(error, 'esxi.connection_lost')) throw unsure(error, command);
          throw error;
        }
      },
    );
  }

  #live(): Connection[] {
    this.#connections = this.#connections.filter((connection) => connection.alive);
    return this.#connections;
  }

  async #leastBusy(signal: AbortSignal): Promise<Connection> {
    const [first, ...others] = this.#live();
    if (first === undefined) return this.#reconnect(signal);
    return others.reduce((best, other) => (other.load < best.load ? other : best), first);
  }

  /**
   * A connection without a stream; else a new one while more are allowed; else the one with the fewest. The stream is
   * counted here, before anything is waited for: streams begun together must not all take the same one.
   */
  async #reserveForStream(signal: AbortSignal): Promise<Connection> {
    const reserve = (connection: Connection) => {
      connection.streams++;
      return connection;
    };
    const live = this.#live();
    if (live.length === 0) return reserve(await this.#reconnect(signal));
    const free = live.find((connection) => connection.streams === 0);
    if (free !== undefined) return reserve(free);
    if (live.length + this.#opening < this.#most) {
      this.#opening++;
      try {
        return reserve(await this.#open(signal));
      } catch (error) {
        throwIfAborted(signal);
        if (this.#live().length === 0) throw error;
        // The host does not want more of them (MaxStartups, a firewall): go on with those there are.
        this.#most = Math.max(1, this.#live().length + this.#opening - 1);
        this.#ctx.log.debug('ssh: no further connection', { host: this.name, reason: messageOf(error) });
      } finally {
        this.#opening--;
      }
    }
    const [first, ...others] = this.#live();
    if (first === undefined) return reserve(await this.#reconnect(signal));
    return reserve(others.reduce((best, other) => (other.streams < best.streams ? other : best), first));
  }

  async #reconnect(signal: AbortSignal): Promise<Connection> {
    for (;;) {
      this.#reconnecting ??= this.#open(signal).finally(() => {
        this.#reconnecting = null;
      });
      try {
        return await this.#reconnecting;
      } catch (error) {
        // Another caller's interrupt is not ours.
        if (!(error instanceof InterruptedError) || signal.aborted) throw error;
      }
    }
  }

  async #open(signal: AbortSignal): Promise<Connection> {
    this.#assertOpen();
    const dialing = { ...this.#dialing, ctx: { ...this.#ctx, signal } };
    const connection = await inTurn(this.name, signal, () => dial(dialing));
    if (this.#closed) {
      await connection.end();
      this.#assertOpen();
    }
    this.#connections.push(connection);
    this.#facts = connection.facts;
    return connection;
  }

  #assertOpen(): void {
    if (this.#closed) throw new StackferryError('esxi.closed', `The connection to ${this.name} was closed by us.`);
  }
}

function unsure(error: StackferryError, command: string): StackferryError {
  return new StackferryError(error.code, `${error.message} Whether it ran is not known: ${shorten(command)}`, {
    hint: "Look at the host's state; the next run does so before it changes anything.",
    cause: error,
  });
}
