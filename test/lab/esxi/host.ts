import type { BuiltTree } from './tree/build.js';

export interface HostOptions {
  tree: BuiltTree | string;
  /** Default 0: any free one. */
  port?: number;
  /** Default `root`. */
  user?: string;
  password?: string;
  /** Public keys (OpenSSH lines) that may log in. Ed25519 ones are refused as ESXi's FIPS mode does. */
  authorizedKeys?: string[];
  /** Keyboard-interactive rounds before the password's: each a list of prompts, an empty list is a round of none. */
  extraRounds?: string[][];
  /** A round with zero prompts after the password, as seen on real hosts. */
  zeroPromptRound?: boolean;
  /** Wrong logins before the account is locked; default 5. */
  lockAfter?: number;
  /** Seconds the lock lasts; default 900. */
  lockSeconds?: number;
  /** Sessions one connection may have open; default 10. */
  maxSessions?: number;
  /** `esxi8` (default) or `old`: SHA-1 and CBC only, as ESXi 5. */
  algorithms?: 'esxi8' | 'old';
  banner?: string;
  /** Private host key (PEM or OpenSSH); default a new one. Give it to come back with the same fingerprint. */
  hostKey?: string;
}

/** Faults, settable at any time; `clear()` ends them all. Counts start when the fault is set. */
export interface HostFaults {
  /** Destroys the connection once so many more bytes of stdout were sent on it; so many times. */
  dropAfterBytes(bytes: number, times?: number): void;
  /** Destroys the connection instead of starting the nth exec from now (1 is the next) whose text fits. */
  dropAtExec(n: number, match?: RegExp): void;
  /** Destroys the next n connections in the middle of the key exchange. */
  dropInKex(times?: number): void;
  /** Closes the listening port: new connections are refused, present ones live on. */
  refuseConnections(refuse: boolean): Promise<void>;
  /** Destroys all present connections now. */
  dropAll(): void;
  /** Stops sending stdout after so many more bytes, on every channel, until clear(). The connection stays up. */
  stallAfterBytes(bytes: number): void;
  /** Limits stdout of each channel; null ends it. */
  bytesPerSecond(rate: number | null): void;
  /** Waits so long before each exec. */
  delayExec(ms: number): void;
  clear(): void;
}

export interface LoggedCommand {
  connection: number;
  command: string;
  exitCode: number | null;
  stdoutBytes: number;
}

export interface EmbeddedHost {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** `SHA256:…` as ssh-keygen prints it. */
  readonly fingerprint: string;
  /** The private host key, to start again with the same fingerprint. */
  readonly hostKey: string;
  readonly faults: HostFaults;
  /** Every exec request so far, in order. */
  readonly commands: LoggedCommand[];
  /** Connections accepted so far, and login attempts refused. */
  readonly connectionCount: number;
  readonly refusedLogins: number;
  /** Connections open now, and the most sessions that one of them ever had open at once. */
  readonly openConnections: number;
  readonly peakSessions: number;
  /** Forgets the log and the counts. */
  resetLog(): void;
  close(): Promise<void>;
}

/** Starts the ssh2 server on 127.0.0.1 in front of a tree. */
export function startHost(_options: HostOptions): Promise<EmbeddedHost> {
  return Promise.reject(new Error('the embedded host is being built'));
}
