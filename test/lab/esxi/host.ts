import { createServer, type AddressInfo, type Socket } from 'node:net';

import ssh2, { type Connection } from 'ssh2';

import { ALGORITHMS } from './ssh/algorithms.js';
import { serveExec, type LoggedCommand } from './ssh/channel.js';
import { findEntrance } from './ssh/enter.js';
import { FaultDesk, type HostFaults } from './ssh/faults.js';
import { hostKey, newHostKey } from './ssh/keys.js';
import { LoginDesk } from './ssh/login.js';
import type { BuiltTree } from './tree/build.js';

export interface HostOptions {
  /** A built tree, or its directory. */
  tree: BuiltTree | string;
  /** Default 0: any free one. */
  port?: number;
  /** Default `root`. */
  user?: string;
  /** Default `lab-password`. */
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
  /** Shown before the login. */
  banner?: string;
  /** Private host key (PEM or OpenSSH); default a new one. Give it to come back with the same fingerprint. */
  hostKey?: string;
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
  /** Every exec request so far, in order; those that a fault cut included. */
  readonly commands: LoggedCommand[];
  /** Connections accepted so far (cut ones included), and login attempts refused. */
  readonly connectionCount: number;
  readonly refusedLogins: number;
  /** Connections open now, and the most sessions that one of them ever had open at once. */
  readonly openConnections: number;
  readonly peakSessions: number;
  /** Forgets the log and the counts. */
  resetLog(): void;
  /** Ends all connections and the commands that they started. */
  close(): Promise<void>;
}

/** Starts the ssh2 server on 127.0.0.1 in front of a tree. */
export async function startHost(options: HostOptions): Promise<EmbeddedHost> {
  const host = new Host(options);
  await host.listen(options.port ?? 0);
  return host;
}

class Host implements EmbeddedHost {
  readonly host = '127.0.0.1';
  readonly user: string;
  readonly password: string;
  readonly fingerprint: string;
  readonly hostKey: string;
  readonly faults: FaultDesk;
  readonly commands: LoggedCommand[] = [];
  connectionCount = 0;
  peakSessions = 0;
  port = 0;
  readonly #options: HostOptions;
  readonly #tree: string;
  readonly #login: LoginDesk;
  readonly #entrance: ReturnType<typeof findEntrance>;
  readonly #ssh: ssh2.Server;
  readonly #sockets = new Set<Socket>();
  readonly #jobs = new Set<Promise<void>>();
  #listener = createServer();
  #number = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#tree = typeof options.tree === 'string' ? options.tree : options.tree.dir;
    this.user = options.user ?? 'root';
    this.password = options.password ?? 'lab-password';
    const old = options.algorithms === 'old';
    const key = options.hostKey === undefined ? newHostKey(old ? 'rsa' : 'ecdsa') : hostKey(options.hostKey);
    this.fingerprint = key.fingerprint;
    this.hostKey = key.privateKey;
    this.#entrance = findEntrance(this.#tree);
    this.#login = new LoginDesk({
      user: this.user,
      password: this.password,
      authorizedKeys: options.authorizedKeys ?? [],
      extraRounds: options.extraRounds ?? [],
      zeroPromptRound: options.zeroPromptRound ?? false,
      lockAfter: options.lockAfter ?? 5,
      lockSeconds: options.lockSeconds ?? 900,
    });
    this.faults = new FaultDesk({
      dropAll: () => this.#sockets.forEach((socket) => socket.destroy()),
      refuseConnections: (refuse) => (refuse ? this.#stopListening() : this.listen(this.port)),
    });
    this.#ssh = new ssh2.Server({
      hostKeys: [key.privateKey],
      algorithms: ALGORITHMS[options.algorithms ?? 'esxi8'],
      ident: old ? 'OpenSSH_5.6' : 'OpenSSH_9.8',
      ...(options.banner === undefined ? {} : { banner: options.banner }),
    });
    this.#ssh.on('connection', (connection, { port }) => this.#serve(connection, port));
  }

  get refusedLogins(): number {
    return this.#login.refused;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  resetLog(): void {
    this.commands.length = 0;
    this.connectionCount = 0;
    this.peakSessions = 0;
    this.#login.refused = 0;
  }

  async listen(port: number): Promise<void> {
    if (this.#listener.listening) return;
    this.#listener = createServer((socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen(port, this.host, resolve);
    });
    this.port = (this.#listener.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    await this.#stopListening();
    await Promise.all(this.#jobs);
  }

  async #stopListening(): Promise<void> {
    // Not close()'s callback: it comes only when the last connection has gone.
    if (this.#listener.listening) this.#listener.close();
    await Promise.resolve();
  }

  #accept(socket: Socket): void {
    this.connectionCount += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    if (this.faults.takeKexDrop()) {
      socket.write('SSH-2.0-OpenSSH_9.8\r\n');
      socket.once('data', () => socket.destroy());
      return;
    }
    const { remotePort } = socket;
    if (remotePort === undefined) {
      socket.destroy(); // its peer has gone already
      return;
    }
    this.#awaited.set(remotePort, socket);
    socket.on('close', () => this.#awaited.get(remotePort) === socket && this.#awaited.delete(remotePort));
    this.#ssh.injectSocket(socket);
  }

  // A connection is announced when its first line has come, and without its socket: several may come in at once.
  readonly #awaited = new Map<number, Socket>();

  #serve(connection: Connection, port: number): void {
    // First of all: a peer that is gone already (its port is then unknown) must not bring the host down.
    connection.on('error', () => undefined);
    const socket = this.#awaited.get(port);
    this.#awaited.delete(port);
    if (socket === undefined) {
      connection.end();
      return;
    }
    const number = (this.#number += 1);
    let open = 0;
    connection.on('authentication', (context) => this.#login.handle(context));
    connection.on('session', (accept, reject) => {
      if (open >= (this.#options.maxSessions ?? 10)) {
        reject();
        return;
      }
      open += 1;
      this.peakSessions = Math.max(this.peakSessions, open);
      const session = accept();
      session.on('close', () => (open -= 1));
      let pass: (signal: NodeJS.Signals) => void = () => undefined;
      session.on('signal', (_accept, _reject, info) => pass(`SIG${info.name.replace(/^SIG/, '')}` as NodeJS.Signals));
      session.on('exec', (acceptExec, _reject, { command }) => {
        const entry: LoggedCommand = { connection: number, command, exitCode: null, stdoutBytes: 0 };
        this.commands.push(entry);
        if (this.faults.takeExecDrop(command)) {
          socket.destroy();
          return;
        }
        const job = serveExec({
          tree: this.#tree,
          entrance: this.#entrance,
          channel: acceptExec(),
          entry,
          faults: this.faults,
          drop: () => socket.destroySoon(),
          onSignal: (send) => (pass = send),
        }).finally(() => this.#jobs.delete(job));
        this.#jobs.add(job);
      });
    });
  }
}
