import type { AuthContext } from 'ssh2';
import { join } from 'node:path';
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { openShell, type SshShell, type SshTarget } from '../../../src/esxi/ssh/index.js';
import { openShell as openWithTimes } from '../../../src/esxi/ssh/pool.js';
import {
  freePort,
  keygen,
  recorder,
  rejection,
  secretOnce,
  startFakeHost,
  targetFor,
  tempDir,
  type FakeHost,
  type FakeHostOptions,
} from './harness.js';

let dir = '';
const hosts: FakeHost[] = [];
const shells: SshShell[] = [];

beforeEach(() => {
  dir = tempDir();
});
afterEach(async () => {
  await Promise.all(shells.splice(0).map((shell) => shell.close()));
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
  rmSync(dir, { recursive: true, force: true });
});

async function host(options: FakeHostOptions = {}): Promise<FakeHost> {
  const started = await startFakeHost(options);
  hosts.push(started);
  return started;
}

async function enter(port: number, more: Partial<SshTarget> = {}, who = recorder()): Promise<SshShell> {
  const shell = await openShell(targetFor(dir, port, { insecure: true, user: 'root', ...more }), who.ctx);
  shells.push(shell);
  return shell;
}

/** A login as stock ESXi offers it: keyboard-interactive alone, with these rounds of prompts and right answers. */
function interactive(rounds: { prompts: { prompt: string; echo: boolean }[]; answers: string[] }[]) {
  const seen: string[][] = [];
  const login = (auth: AuthContext) => {
    if (auth.method !== 'keyboard-interactive') {
      auth.reject(['keyboard-interactive']);
      return;
    }
    const keyboard = auth;
    const ask = (index: number): void => {
      const round = rounds[index];
      if (round === undefined) {
        keyboard.accept();
        return;
      }
      keyboard.prompt(round.prompts, 'title', 'instructions', (answers) => {
        seen.push(answers);
        if (answers.join('\n') === round.answers.join('\n')) ask(index + 1);
        else keyboard.reject(['keyboard-interactive']);
      });
    };
    ask(0);
  };
  return { login, seen };
}

const PASSWORD = { prompts: [{ prompt: 'Password: ', echo: false }], answers: ['S3cr$t ü'] };

describe('keyboard-interactive', () => {
  it('answers the one prompt of stock ESXi, and asks for the password once', async () => {
    const { login } = interactive([PASSWORD]);
    const esx = await host({ login, banner: 'Authorised users only\n' });
    const password = secretOnce('S3cr$t ü');
    const shell = await enter(esx.port, { password: password.get, maxConnections: 2 });
    expect(shell.facts).toMatchObject({
      loginMethod: 'keyboard-interactive',
      hostKeyFingerprint: esx.fingerprint,
      hostKeyTrust: 'insecure',
    });
    expect(shell.facts.banner?.trim()).toBe('Authorised users only');
    expect((await shell.run('ls')).stdout.toString()).toBe('ran ls\n');
    expect(esx.attempts).toEqual(['none', 'keyboard-interactive']);
    expect(password.calls()).toBe(1);
  });

  it('goes through several rounds: a notice without prompts, the password, another notice', async () => {
    const notice = { prompts: [], answers: [] };
    const { login, seen } = interactive([notice, PASSWORD, notice]);
    const esx = await host({ login });
    await enter(esx.port, { password: secretOnce('S3cr$t ü').get });
    expect(seen).toEqual([[], ['S3cr$t ü'], []]);
  });

  it('comes in where nothing is asked at all', async () => {
    const { login } = interactive([{ prompts: [], answers: [] }]);
    const esx = await host({ login });
    const shell = await enter(esx.port, { password: secretOnce('unused').get });
    expect(shell.facts.loginMethod).toBe('keyboard-interactive');
  });

  it('answers a round with several prompts, the user name among them', async () => {
    const prompts = [
      { prompt: 'Username:', echo: true },
      { prompt: 'Passwort für root@code.example:', echo: false },
    ];
    const { login } = interactive([{ prompts, answers: ['root', 'pw'] }]);
    const esx = await host({ login });
    await enter(esx.port, { password: secretOnce('pw').get });
  });

  it('never sends the password as a one-time code: the person is asked', async () => {
    const code = { prompts: [{ prompt: 'Verification code: ', echo: false }], answers: ['123456'] };
    const { login } = interactive([code, PASSWORD]);
    const esx = await host({ login });
    const who = recorder(() => '123456');
    await enter(esx.port, { password: secretOnce('S3cr$t ü').get }, who);
    expect(who.questions).toMatchObject([{ type: 'secret', code: 'esxi.login_prompt' }]);
    expect(who.questions[0]?.message).toContain('Verification code:');

    const other = await host({ login });
    const error = await rejection(enter(other.port, { password: secretOnce('S3cr$t ü').get }));
    expect(error).toMatchObject({ code: 'esxi.login_prompt' });
  });

  it('does not answer a demand for a new password', async () => {
    const expired = { prompts: [{ prompt: 'New password: ', echo: false }], answers: ['never'] };
    const { login, seen } = interactive([PASSWORD, expired]);
    const esx = await host({ login });
    const error = await rejection(enter(esx.port, { password: secretOnce('S3cr$t ü').get }));
    expect(error).toMatchObject({ code: 'esxi.password_expired' });
    expect(seen).toHaveLength(1);
  });

  it('gives up on a host that asks without end', async () => {
    const { login } = interactive(
      Array.from({ length: 30 }, () => ({ prompts: [{ prompt: 'Name again:', echo: true }], answers: ['root'] })),
    );
    const esx = await host({ login });
    expect(await rejection(enter(esx.port, { password: secretOnce('pw').get }))).toMatchObject({
      code: 'esxi.login_prompt',
    });
  });
});

describe('several methods in a row', () => {
  it('a key and then a password, as the host demands both', async () => {
    const file = join(dir, 'key');
    keygen('-t', 'ed25519', '-N', '', '-f', file);
    const { login, seen } = interactive([PASSWORD]);
    const esx = await host({
      login: (auth) => {
        if (auth.method === 'none') auth.reject(['publickey']);
        else if (auth.method === 'publickey') {
          const signed = auth.signature !== undefined;
          if (signed) auth.reject(['keyboard-interactive'], true);
          else auth.accept();
        } else login(auth);
      },
    });
    const shell = await enter(esx.port, { keyFile: file, password: secretOnce('S3cr$t ü').get });
    expect(shell.facts.loginMethod).toBe('keyboard-interactive');
    expect(seen).toEqual([['S3cr$t ü']]);
  });

  it('a key and then a code that only a person knows, without any password', async () => {
    const file = join(dir, 'key');
    keygen('-t', 'ed25519', '-N', '', '-f', file);
    const { login } = interactive([{ prompts: [{ prompt: 'Token: ', echo: false }], answers: ['42'] }]);
    const esx = await host({
      login: (auth) => {
        if (auth.method === 'none') auth.reject(['publickey']);
        else if (auth.method === 'publickey') {
          if (auth.signature !== undefined) auth.reject(['keyboard-interactive'], true);
          else auth.accept();
        } else login(auth);
      },
    });
    const who = recorder(() => '42');
    await enter(esx.port, { keyFile: file }, who);
    expect(who.questions).toHaveLength(1);
  });

  it('a key that does not fit, and then the password', async () => {
    const file = join(dir, 'key');
    keygen('-t', 'rsa', '-b', '2048', '-N', '', '-f', file);
    const { login } = interactive([PASSWORD]);
    const esx = await host({
      login: (auth) => {
        if (auth.method === 'keyboard-interactive') login(auth);
        else auth.reject(['publickey', 'keyboard-interactive']);
      },
    });
    const shell = await enter(esx.port, { keyFile: file, password: secretOnce('S3cr$t ü').get });
    expect(shell.facts.loginMethod).toBe('keyboard-interactive');
    expect(esx.attempts).toEqual(['none', 'publickey', 'keyboard-interactive']);
  });
});

describe('a refused login', () => {
  const refuseAll = (methods: ('password' | 'keyboard-interactive' | 'publickey')[]) => (auth: AuthContext) => {
    if (auth.method === 'keyboard-interactive') {
      auth.prompt([{ prompt: 'Password: ', echo: false }], () => {
        auth.reject(methods);
      });
    } else {
      auth.reject(methods);
    }
  };

  it('is one wrong password, not two, where the host offers both ways', async () => {
    const esx = await host({ login: refuseAll(['keyboard-interactive', 'password']) });
    const error = await rejection(enter(esx.port, { password: secretOnce('wrong').get }));
    expect(error).toMatchObject({ code: 'esxi.login_refused', exitCode: 1 });
    expect((error as StackferryError).hint).toMatch(/15 minutes/);
    expect(JSON.stringify([(error as Error).message, error])).not.toContain('wrong"');
    expect(esx.attempts).toEqual(['none', 'keyboard-interactive']);
  });

  it('is never sent again in this process, by another shell neither; another password is', async () => {
    const esx = await host({ login: refuseAll(['password']) });
    const both = await Promise.all([1, 2].map(() => rejection(enter(esx.port, { password: secretOnce('wrong').get }))));
    expect(both).toMatchObject([{ code: 'esxi.login_refused' }, { code: 'esxi.login_refused' }]);
    expect(esx.attempts.filter((method) => method === 'password')).toHaveLength(1);
    await rejection(enter(esx.port, { password: secretOnce('other').get }));
    expect(esx.attempts.filter((method) => method === 'password')).toHaveLength(2);
  });

  it('without any credentials says what to give', async () => {
    const esx = await host({ login: refuseAll(['keyboard-interactive']) });
    const error = await rejection(enter(esx.port));
    expect(error).toMatchObject({ code: 'esxi.login_refused' });
    expect((error as StackferryError).hint).toContain('STACKFERRY_ESXI_PASSWORD');
    expect(esx.attempts).toEqual(['none']);
  });

  it('passes on why there was no password', async () => {
    const esx = await host({ login: refuseAll(['password']) });
    const password = () => Promise.reject(new StackferryError('usage', 'No terminal to ask on.', { exitCode: 2 }));
    expect(await rejection(enter(esx.port, { password }))).toMatchObject({ code: 'usage', exitCode: 2 });
    expect(esx.attempts).toEqual(['none']);
  });
});

describe('a password', () => {
  const right = (auth: AuthContext) => {
    if (auth.method === 'password' && auth.password === 'pw') auth.accept();
    else auth.reject(['password']);
  };

  it('is sent by the method of that name where the host has no other', async () => {
    const esx = await host({ login: right });
    expect((await enter(esx.port, { password: secretOnce('pw').get })).facts.loginMethod).toBe('password');
  });

  it('is asked for outside the time limits, and taken along when the host has hung up meanwhile', async () => {
    const esx = await host({ login: right });
    let calls = 0;
    const password = async () => {
      calls++;
      await delay(900);
      for (const client of esx.clients) client.end();
      await delay(900);
      return secretOnce('pw').get();
    };
    const target = targetFor(dir, esx.port, { insecure: true, password });
    const shell = await openWithTimes(target, recorder().ctx, { phaseMs: 1500, keepaliveMs: 15_000 });
    shells.push(shell);
    expect(calls).toBe(1);
    expect(esx.connections).toBe(2);
  });

  it('serves later connections by the way that worked, one login after another', async () => {
    let atOnce = 0;
    let most = 0;
    const login = (auth: AuthContext) => {
      if (auth.method === 'none') {
        auth.reject(['publickey', 'password']);
        return;
      }
      most = Math.max(most, ++atOnce);
      setTimeout(() => {
        atOnce--;
        right(auth);
      }, 30);
    };
    const esx = await host({
      login,
      exec: (_command, channel) => {
        setTimeout(() => {
          channel.exit(0);
          channel.end();
        }, 200);
      },
    });
    const password = secretOnce('pw');
    const shell = await enter(esx.port, { password: password.get, maxConnections: 4 });
    const running = await Promise.all([1, 2, 3, 4].map(() => shell.stream('x')));
    for (const one of running) one.stdout.resume();
    await Promise.all(running.map((one) => one.finished));
    expect(esx.connections).toBe(4);
    expect(most).toBe(1);
    expect(password.calls()).toBe(1);
  });
});

describe('algorithms', () => {
  const old = {
    kex: ['diffie-hellman-group14-sha1'],
    cipher: ['aes128-cbc', '3des-cbc'],
    hmac: ['hmac-sha1'],
    serverHostKey: ['ssh-rsa'],
  } as const;

  it('of old hosts are refused by default, and the error names the option', async () => {
    const esx = await host({ algorithms: { ...old } as never, hostKeyType: 'rsa' });
    const error = await rejection(enter(esx.port));
    expect(error).toMatchObject({ code: 'esxi.legacy_algorithms' });
    expect((error as StackferryError).hint).toContain('--esxi-legacy-ssh');
    const shell = await enter(esx.port, { legacy: true });
    expect(shell.facts).toMatchObject({ cipher: 'aes128-cbc', keyExchange: 'diffie-hellman-group14-sha1' });
  });

  it.each([
    ['kex', ['diffie-hellman-group1-sha1'], /key exchange/],
    ['cipher', ['3des-cbc'], /cipher/],
    ['hmac', ['hmac-sha1'], /MAC/],
    ['serverHostKey', ['ssh-rsa'], /host key/],
  ] as const)('each kind alone: %s', async (kind, names, what) => {
    // A MAC only counts with a cipher that has none of its own.
    const cipher = kind === 'hmac' ? { cipher: ['aes128-ctr'] } : {};
    const esx = await host({ algorithms: { ...cipher, [kind]: [...names] } as never, hostKeyType: 'rsa' });
    const error = await rejection(enter(esx.port));
    expect(error).toMatchObject({ code: 'esxi.legacy_algorithms' });
    expect((error as Error).message).toMatch(what);
    await enter(esx.port, { legacy: true });
  });

  it('says so when even the old ones do not fit', async () => {
    const esx = await host({ algorithms: { cipher: ['blowfish-cbc', 'arcfour'] } as never }).catch(() => null);
    // Where OpenSSL no longer has such ciphers, ssh2 cannot even serve them.
    const kex = esx ?? (await host({ algorithms: { hmac: ['hmac-md5'], cipher: ['aes128-ctr'] } as never }));
    const error = await rejection(enter(kex.port, { legacy: true }));
    expect(error).toMatchObject({ code: 'esxi.legacy_algorithms' });
    expect((error as StackferryError).hint).not.toContain('--esxi-legacy-ssh');
  });
});

describe('odd endings of commands', () => {
  it('no exit status is not success', async () => {
    const esx = await host({
      exec: (_command, channel) => {
        channel.write('looks fine');
        channel.end();
      },
    });
    const shell = await enter(esx.port);
    expect(await rejection(shell.run('x'))).toMatchObject({ code: 'esxi.no_exit_status' });
    const running = await shell.stream('x');
    running.stdout.resume();
    expect(await running.finished).toMatchObject({ exitCode: null, signal: null });
  });

  it('a connection cut in the middle of the bytes is told by the missing status alone', async () => {
    const esx = await host({
      exec: (_command, channel, client) => {
        channel.write(Buffer.alloc(100_000, 1), () => {
          setTimeout(() => client.end(), 20);
        });
      },
    });
    const shell = await enter(esx.port);
    const running = await shell.stream('x');
    let got = 0;
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) got += chunk.length;
    expect(got).toBe(100_000);
    expect(await running.finished).toMatchObject({ exitCode: null });
  });

  it('a cut is told to a reader that was not reading at the time', async () => {
    const size = 1_500_000;
    const esx = await host({
      exec: (_command, channel, client) => {
        channel.write(Buffer.alloc(size, 1), () => {
          setTimeout(() => client.end(), 50);
        });
      },
    });
    const shell = await enter(esx.port);
    const running = await shell.stream('x');
    await delay(400);
    let got = 0;
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) got += chunk.length;
    expect(got).toBeLessThanOrEqual(size);
    expect(await running.finished).toMatchObject({ exitCode: null });
    running.kill();
  });

  it.each(['session', 'exec'] as const)('a host that starts no commands says so (%s refused)', async (refuse) => {
    const shell = await enter((await host({ refuse })).port);
    expect(await rejection(shell.run('x'))).toMatchObject({ code: 'esxi.exec_refused' });
    expect(await rejection(shell.stream('x'))).toMatchObject({ code: 'esxi.exec_refused' });
  });

  it('a flood on standard error keeps its end', async () => {
    const esx = await host({
      exec: (_command, channel) => {
        channel.stderr.write('x'.repeat(300_000));
        channel.stderr.write('the end ü');
        channel.exit(3);
        channel.end();
      },
    });
    const shell = await enter(esx.port);
    const result = await shell.run('x');
    expect(result.exitCode).toBe(3);
    expect(result.stderr.length).toBeLessThanOrEqual(64 * 1024);
    expect(result.stderr.endsWith('the end ü')).toBe(true);
  });

  it('a host that reboots while idle is come back to, within the policy', async () => {
    const esx = await host();
    const who = recorder();
    const shell = await enter(esx.port, {}, who);
    for (const client of esx.clients) client.end();
    await delay(50);
    expect((await shell.run('again')).stdout.toString()).toBe('ran again\n');
    await esx.stop();
    await delay(50);
    who.events.length = 0;
    expect(await rejection(shell.run('gone'))).toMatchObject({ code: 'host.no_ssh' });
    expect(who.events.filter((event) => event.kind === 'retry')).toHaveLength(2);
  });
});

describe('what is not there', () => {
  it('a closed port is host.no_ssh, with how to open it', async () => {
    const error = await rejection(enter(await freePort()));
    expect(error).toMatchObject({ code: 'host.no_ssh' });
    expect((error as StackferryError).hint).toMatch(/Host > Actions > Services/);
  });

  it('an unknown name', async () => {
    expect(await rejection(enter(22, { host: 'no-such-host.invalid' }))).toMatchObject({ code: 'esxi.name_unknown' });
  });

  it('a port that speaks something else, or nothing', async () => {
    const http = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
    }).listen(0, '127.0.0.1');
    const dumb = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    const slam = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    for (const server of [http, dumb, slam]) if (!server.listening) await once(server, 'listening');
    const port = (server: typeof http) => (server.address() as AddressInfo).port;
    try {
      const spoke = await rejection(enter(port(http)));
      expect(spoke).toMatchObject({ code: 'host.no_ssh' });
      expect((spoke as Error).message).toContain('HTTP/1.1 400');
      const target = targetFor(dir, port(dumb), { insecure: true });
      const silent = await rejection(openWithTimes(target, recorder().ctx, { phaseMs: 200, keepaliveMs: 1000 }));
      expect(silent).toMatchObject({ code: 'esxi.unreachable' });
      expect((silent as Error).message).toContain('no answer in 0.2 s');
      expect(await rejection(enter(port(slam)))).toMatchObject({ code: 'esxi.unreachable' });
    } finally {
      for (const server of [http, dumb, slam]) server.close();
    }
  });

  it('an interrupt ends the waiting at once', async () => {
    const dumb = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(dumb, 'listening');
    const who = recorder();
    setTimeout(() => {
      who.abort.abort();
    }, 50);
    const error = await rejection(enter((dumb.address() as AddressInfo).port, {}, who));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    dumb.close();
  });
});

describe('another host key on a later connection', () => {
  it('is refused, even where any key was taken at first', async () => {
    const esx = await host();
    const shell = await enter(esx.port);
    await esx.stop();
    await delay(50);
    const impostor = await host({ port: esx.port, login: (auth) => auth.reject(['password']) });
    const error = await rejection(shell.run('x'));
    expect(error).toMatchObject({ code: 'esxi.host_key_changed' });
    expect((error as Error).message).toContain(impostor.fingerprint);
    expect(impostor.attempts).toEqual([]);
  });
});

describe('keepalive', () => {
  it('finds a host that has fallen silent', async () => {
    const esx = await host({ exec: () => undefined });
    const target = targetFor(dir, esx.port, { insecure: true });
    const shell = await openWithTimes(target, recorder().ctx, { phaseMs: 5000, keepaliveMs: 60 });
    shells.push(shell);
    const command = shell.run('x', { once: true });
    await delay(100);
    // The server's side stops reading and writing: its socket stays open, as with a host that has crashed.
    for (const client of esx.clients) (client as unknown as { _sock: { pause(): void } })._sock.pause();
    const error = await rejection(command);
    expect(error).toMatchObject({ code: 'esxi.connection_lost' });
    expect((error as Error).message).toContain('no longer answers');
  });
});
