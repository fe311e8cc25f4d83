import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';
import type { Answer, Context, Question, StackferryEvent } from '../../../src/core/index.js';
import { Secret } from '../../../src/core/index.js';
import type { SshTarget } from '../../../src/esxi/ssh/index.js';

/** A folder of this test's own; the caller removes it. */
export function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'stackferry-ssh-'));
}

export interface Recorder {
  ctx: Context;
  events: StackferryEvent[];
  questions: Question[];
  abort: AbortController;
}

/** A context that records what it is told; questions are answered by `answer`, and without it nobody is there. */
export function recorder(answer?: (question: Question) => boolean | string | Promise<string>): Recorder {
  const events: StackferryEvent[] = [];
  const questions: Question[] = [];
  const abort = new AbortController();
  const ctx: Context = {
    events: {
      emit: (event) => events.push(event),
      ask: async <Q extends Question>(question: Q): Promise<Answer<Q>> => {
        questions.push(question);
        if (answer === undefined) throw new Error(`nobody is there: use ${question.option}`);
        return (await answer(question)) as Answer<Q>;
      },
    },
    signal: abort.signal,
    // Retries are quick here; their number and order are what the tests look at.
    clock: {
      now: () => Date.now(),
      sleep: (ms, signal) => delay(Math.min(ms, 50), undefined, signal ? { signal } : {}),
    },
    log: { debug: () => undefined },
  };
  return { ctx, events, questions, abort };
}

export function secretOnce(text: string): { get: () => Promise<Secret>; calls: () => number } {
  let calls = 0;
  return {
    get: () => {
      calls++;
      return Promise.resolve(new Secret(text));
    },
    calls: () => calls,
  };
}

export function targetFor(dir: string, port: number, more: Partial<SshTarget> = {}): SshTarget {
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    knownHostsFiles: [],
    rememberIn: join(dir, 'state', 'known_hosts'),
    insecure: false,
    legacy: false,
    maxConnections: 1,
    ...more,
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function keygen(...args: string[]): string {
  return execFileSync('ssh-keygen', ['-q', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export interface Sshd {
  port: number;
  dir: string;
  /** The private key that may log in. */
  key: string;
  hostKey(type: 'ed25519' | 'ecdsa' | 'rsa'): { file: string; line: string; fingerprint: string };
  /** Kills the processes that serve connections; new ones may come. */
  dropConnections(): void;
  log(): string;
  stop(): Promise<void>;
}

/** Debian's sshd, as a throw-away instance with its own keys on a free port. `lines` go into its configuration. */
export async function startSshd(lines: string[] = [], hostKeys = ['ed25519', 'ecdsa', 'rsa']): Promise<Sshd> {
  const dir = tempDir();
  const port = await freePort();
  // sshd started by root insists on this folder, which the service would make.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const type of hostKeys)
    keygen('-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []), '-N', '', '-f', join(dir, `host_${type}`));
  const key = join(dir, 'user_key');
  keygen('-t', 'ed25519', '-N', '', '-C', 'user@test', '-f', key);
  writeFileSync(join(dir, 'authorized_keys'), readFileSync(`${key}.pub`));
  const config = join(dir, 'sshd_config');
  writeFileSync(
    config,
    [
      `ListenAddress 127.0.0.1:${port}`,
      ...hostKeys.map((type) => `HostKey ${join(dir, `host_${type}`)}`),
      `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
      `PidFile ${join(dir, 'pid')}`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'LogLevel VERBOSE',
      ...lines,
      '',
    ].join('\n'),
  );
  let log = '';
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await answers(port, () => log);
  return {
    port,
    dir,
    key,
    hostKey: (type) => {
      const file = join(dir, `host_${type}.pub`);
      const fingerprint = keygen('-l', '-f', file).split(' ')[1] ?? '';
      return { file, line: readFileSync(file, 'utf8').trim(), fingerprint };
    },
    dropConnections: () => {
      killChildren(child.pid ?? -1);
    },
    log: () => log,
    stop: async () => {
      killChildren(child.pid ?? -1);
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Ends what a process has started; one of them may have ended by itself meanwhile. */
function killChildren(pid: number): void {
  for (const child of childrenOf(pid)) {
    try {
      process.kill(child, 'SIGKILL');
    } catch {
      // gone
    }
  }
}

/** Direct children of a process, by Linux' own list. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

async function answers(port: number, log: () => string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(25);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`sshd does not answer: ${log()}`);
}

export interface FakeHost {
  port: number;
  fingerprint: string;
  /** How often a client has come, and every authentication request in order. */
  connections: number;
  attempts: string[];
  clients: Connection[];
  stop(): Promise<void>;
}

export interface FakeHostOptions {
  /** Decides about a login; without it everybody comes in. */
  login?: (auth: AuthContext, client: number) => void;
  exec?: (command: string, channel: ServerChannel, client: Connection) => void;
  algorithms?: ssh2.ServerConfig['algorithms'];
  hostKeyType?: 'ed25519' | 'rsa';
  banner?: string;
  /** A port to take, for a host that comes back; any free one otherwise. */
  port?: number;
  /** What happens to a request to run a command: by default it runs. */
  refuse?: 'session' | 'exec';
}

/** ssh2's own server in this process, for what a real sshd needs PAM for, or never does. */
export async function startFakeHost(options: FakeHostOptions = {}): Promise<FakeHost> {
  const dir = tempDir();
  const file = join(dir, 'host');
  // Not ssh2's own generator: one in some hundred of its keys is malformed.
  keygen(
    '-t',
    options.hostKeyType ?? 'ed25519',
    ...(options.hostKeyType === 'rsa' ? ['-b', '2048'] : []),
    '-N',
    '',
    '-f',
    file,
  );
  const privateKey = readFileSync(file);
  const fingerprint = keygen('-l', '-f', `${file}.pub`).split(' ')[1] ?? '';
  rmSync(dir, { recursive: true });
  const host: FakeHost = {
    port: 0,
    fingerprint,
    connections: 0,
    attempts: [],
    clients: [],
    stop: () => Promise.resolve(),
  };
  const server = new ssh2.Server(
    {
      hostKeys: [privateKey],
      ...(options.algorithms ? { algorithms: options.algorithms } : {}),
      ...(options.banner === undefined ? {} : { banner: options.banner }),
    },
    (client) => {
      const number = ++host.connections;
      host.clients.push(client);
      client.on('error', () => undefined);
      client.on('authentication', (auth) => {
        host.attempts.push(auth.method);
        if (options.login === undefined) auth.accept();
        else options.login(auth, number);
      });
      client.on('session', (accept, reject) => {
        if (options.refuse === 'session') {
          reject();
          return;
        }
        accept().on('exec', (acceptExec, rejectExec, info) => {
          if (options.refuse === 'exec') {
            rejectExec();
            return;
          }
          // Everything said in one go reaches the client in one piece, as from a quick host.
          const { _sock: socket } = client as unknown as { _sock: Socket };
          socket.cork();
          process.nextTick(() => socket.uncork());
          const channel = acceptExec();
          channel.on('error', () => undefined);
          if (options.exec) options.exec(info.command, channel, client);
          else {
            channel.write(`ran ${info.command}\n`);
            channel.exit(0);
            channel.end();
          }
        });
      });
    },
  );
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  host.port = (server.address() as AddressInfo).port;
  host.stop = async () => {
    for (const client of host.clients) client.end();
    server.close();
    await Promise.resolve();
  };
  return host;
}

/** The error a promise rejects with; fails the test if it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}
