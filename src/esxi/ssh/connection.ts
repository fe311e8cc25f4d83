import type { ClientChannel } from 'ssh2';
import { StackferryError, throwIfAborted, whenAborted } from '../../core/index.js';
import { connectionLost, interruption } from './failures.js';
import type { SshFacts } from './target.js';

/** What this file needs of ssh2's client. */
export interface ExecClient {
  exec(command: string, callback: (error: Error | undefined, channel: ClientChannel) => void): unknown;
  end(): unknown;
  destroy(): unknown;
}

/** OpenSSH's MaxSessions, unless the host is told otherwise. */
const MAX_SESSIONS = 10;
const EXEC_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2_000;

/** One authenticated connection: hands out at most ten sessions at once, the rest wait in line. */
export class Connection {
  readonly name: string;
  readonly facts: SshFacts;
  /** Streams under way; the pool spreads them. */
  streams = 0;
  readonly #client: ExecClient;
  #limit = MAX_SESSIONS;
  #active = 0;
  #alive = true;
  #reason = 'the host closed it';
  readonly #line: (() => void)[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(name: string, client: ExecClient, facts: SshFacts) {
    this.name = name;
    this.facts = facts;
    this.#client = client;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Sessions in use or waited for. */
  get load(): number {
    return this.#active + this.#line.length;
  }

  /** Notes why the connection is about to go. */
  failed(reason: string): void {
    this.#reason = reason;
  }

  /** To be called when the client has closed. */
  gone(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const wake of this.#line.splice(0)) wake();
    for (const watcher of [...this.#watchers]) watcher();
    this.#watchers.clear();
  }

  /** Calls `watcher` once the connection is gone (at once if it is); returns how to stop watching. */
  whenGone(watcher: () => void): () => void {
    if (!this.#alive) watcher();
    else this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  lost(): StackferryError {
    return connectionLost(this, this.#reason);
  }

  /**
   * Starts a command when a session is free. `sent` is called right before the host may begin to run it, `adopt` as
   * soon as it does: it must listen to the channel there and then, for the exit status of a quick command comes with
   * the same packet, before any promise could tell. Rejects with
   * `esxi.connection_lost` if the connection goes first, `esxi.exec_refused` if the host runs no commands.
   */
  async exec<T>(
    command: string,
    signal: AbortSignal,
    sent: () => void,
    adopt: (channel: ClientChannel) => T,
  ): Promise<T> {
    for (;;) {
      await this.#enter(signal);
      let released = false;
      const release = () => {
        if (released) return;
        released = true;
        this.#leave();
      };
      try {
        sent();
        return await this.#open(command, signal, (channel) => {
          channel.once('close', release);
          return adopt(channel);
        });
      } catch (error) {
        const others = this.#active - 1;
        release();
        // The host allows fewer sessions than we thought (MaxSessions): nothing ran, so wait for one of ours to end.
        if (error instanceof ChannelRefused && others > 0) {
          this.#limit = Math.max(1, Math.min(this.#limit, others));
          continue;
        }
        if (error instanceof ChannelRefused) throw refusedExec(this.name, error.message, error);
        throw error;
      }
    }
  }

  /** Says goodbye, and waits until the socket has closed. */
  async end(): Promise<void> {
    if (!this.#alive) return;
    this.#reason = 'it was closed by us';
    this.#client.end();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#client.destroy();
        resolve();
      }, CLOSE_TIMEOUT_MS);
    });
    let unwatch: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => {
      unwatch = this.whenGone(resolve);
    });
    await Promise.race([closed, patience]);
    clearTimeout(timer);
    unwatch();
    this.gone();
  }

  async #enter(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    while (this.#alive && this.#active >= this.#limit) {
      await new Promise<void>((resolve) => {
        let unwatch: () => void = () => undefined;
        const wake = () => {
          unwatch();
          const place = this.#line.indexOf(wake);
          if (place >= 0) this.#line.splice(place, 1);
          resolve();
        };
        this.#line.push(wake);
        unwatch = whenAborted(signal, wake);
      });
      if (signal.aborted) {
        // The place we were woken for is somebody else's.
        if (this.#active < this.#limit) this.#line[0]?.();
        throwIfAborted(signal);
      }
    }
    if (!this.#alive) throw this.lost();
    this.#active++;
  }

  #leave(): void {
    this.#active--;
    this.#line[0]?.();
  }

  /** ssh2 does not always call back when the connection drops, so its close is raced with everything. */
  #open<T>(command: string, signal: AbortSignal, adopt: (channel: ClientChannel) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (act: () => void) => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        for (const stop of watches) stop();
        act();
      };
      const watches: (() => void)[] = [];
      const timer = setTimeout(() => {
        settle(() => {
          // A host that does not answer such a request in time has gone: nothing on this connection can go on.
          this.failed(`no answer in ${EXEC_TIMEOUT_MS / 1000} s`);
          this.#client.destroy();
          reject(this.lost());
        });
      }, EXEC_TIMEOUT_MS);
      watches.push(
        whenAborted(signal, () => {
          settle(() => {
            reject(interruption(signal));
          });
        }),
        this.whenGone(() => {
          settle(() => {
            reject(this.lost());
          });
        }),
      );
      try {
        this.#client.exec(command, (error, channel) => {
          if (settled) {
            // Nobody waits any more: what was started must not stay behind.
            if (error === undefined) closeQuietly(channel);
            return;
          }
          settle(() => {
            if (error === undefined) resolve(adopt(channel));
            else if ('reason' in error && error.reason !== undefined) reject(new ChannelRefused(error.message));
            else if (/unable to exec/i.test(error.message))
              reject(refusedExec(this.name, 'it runs no commands', error));
            else reject(connectionLost(this, error.message, error));
          });
        });
      } catch (error) {
        // "Not connected": the socket ended before its close was told.
        settle(() => {
          reject(connectionLost(this, 'it had ended', error));
        });
      }
    });
  }
}

/** Closes a channel on a connection that may be gone, where ssh2 throws. */
export function closeQuietly(channel: ClientChannel): void {
  try {
    channel.on('error', () => undefined);
    channel.resume();
    channel.stderr.resume();
    channel.close();
  } catch {
    // The connection went first, and the channel with it.
  }
}

class ChannelRefused extends Error {}

function refusedExec(name: string, why: string, cause: unknown): StackferryError {
  return new StackferryError('esxi.exec_refused', `${name} lets us in but starts no command: ${why}.`, {
    hint: 'The user needs the ESXi shell (a host in lockdown mode, or a user without shell access, refuses it).',
    cause,
  });
}
