import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import ssh2, { type Client } from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { buildTree, startHost, vm, type BuiltTree, type EmbeddedHost, type HostOptions } from './index.js';
import { connect, exec, said } from './test-client.js';

let dir: string;
let tree: BuiltTree;
const hosts: EmbeddedHost[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'stackferry-host-'));
  tree = await buildTree(dir, { vms: [vm({ name: 'one' })] });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const host of hosts.splice(0)) await host.close();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function start(options: Partial<HostOptions> = {}): Promise<EmbeddedHost> {
  const host = await startHost({ tree, ...options });
  hosts.push(host);
  return host;
}
async function login(host: EmbeddedHost, options: Parameters<typeof connect>[1] = {}): Promise<Client> {
  const client = await connect(host, options);
  clients.push(client);
  return client;
}
const closed = (client: Client) => new Promise<void>((resolve) => client.once('close', () => resolve()));

describe('login', () => {
  it('takes keyboard-interactive and no password method', async () => {
    const host = await start();
    await login(host);
    await expect(login(host, { tryKeyboard: false, password: host.password })).rejects.toThrow(
      /authentication methods failed/,
    );
  });

  it('asks further rounds and rounds of no prompts', async () => {
    const host = await start({ extraRounds: [[], ['Token: ']], zeroPromptRound: true });
    expect(await said(await login(host), 'echo in')).toBe('in\n');
  });

  it('locks the account after so many wrong passwords, for so long', async () => {
    const host = await start({ lockAfter: 2, lockSeconds: 1 });
    await expect(login(host, { answer: 'wrong' })).rejects.toThrow();
    await login(host); // a right one starts the count anew
    for (let attempt = 0; attempt < 2; attempt += 1) await expect(login(host, { answer: 'wrong' })).rejects.toThrow();
    await expect(login(host)).rejects.toThrow(/authentication methods failed/);
    expect(host.refusedLogins).toBe(4);
    await sleep(1100);
    await login(host);
  });

  it('takes authorized keys, but no ed25519 ones', async () => {
    const ecdsa = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    const ed25519 = ssh2.utils.generateKeyPairSync('ed25519');
    const other = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    const host = await start({ authorizedKeys: [ecdsa.public, ed25519.public] });
    await login(host, { privateKey: ecdsa.private });
    await expect(login(host, { privateKey: ed25519.private })).rejects.toThrow();
    await expect(login(host, { privateKey: other.private })).rejects.toThrow();
  });

  it('comes back with the same fingerprint, and shows its banner', async () => {
    const first = await start();
    const second = await start({ hostKey: first.hostKey, banner: 'no trespassing' });
    expect(second.fingerprint).toBe(first.fingerprint);
    let banner = '';
    const client = new ssh2.Client();
    client.on('banner', (text) => (banner = text)).on('error', () => undefined);
    client.connect({ host: second.host, port: second.port, username: 'root' });
    await closed(client);
    expect(banner).toContain('no trespassing');
  });

  it('speaks old algorithms only, when asked to', async () => {
    const host = await start({ algorithms: 'old' });
    await expect(login(host)).rejects.toThrow(/no matching/i);
    const client = await login(host, {
      algorithms: {
        kex: ['diffie-hellman-group14-sha1'],
        cipher: ['aes128-cbc'],
        hmac: ['hmac-sha1'],
        serverHostKey: ['ssh-rsa'],
      },
    });
    expect(await said(client, 'echo old')).toBe('old\n');
  });
});

describe('exec', () => {
  it('passes stdin, stdout, stderr, exit status and signals', async () => {
    const host = await start();
    const client = await login(host);
    const result = await exec(client, 'cat; echo bad >&2; exit 7', 'typed');
    expect([result.code, result.stdout.toString(), result.stderr]).toEqual([7, 'typed', 'bad\n']);
    expect((await exec(client, 'kill -9 $$')).code).toBeNull();
    expect(host.commands.map((one) => one.exitCode)).toEqual([7, null]);
  });

  it('carries bytes exactly, and ends what runs when the channel closes', async () => {
    const host = await start();
    const client = await login(host);
    const { stdout } = await exec(client, 'dd if=/dev/zero bs=1048576 count=20 2>/dev/null');
    expect(stdout.length).toBe(20 * 1024 * 1024);
    await new Promise<void>((resolve, reject) => {
      client.exec('echo $$ >/tmp/pid; sleep 100; touch /tmp/survived', (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        setTimeout(() => channel.close(), 300);
        channel.on('close', () => resolve());
        channel.resume();
      });
    });
    await sleep(200);
    const pid = Number(await said(client, 'cat /tmp/pid'));
    expect(pid).toBeGreaterThan(1);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  it('opens no more sessions than it may', async () => {
    const host = await start({ maxSessions: 3 });
    const client = await login(host);
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => exec(client, 'sleep 1')));
    expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(3);
    expect(host.peakSessions).toBe(3);
    expect((await exec(client, 'true')).code).toBe(0); // closed sessions make room
  });
});

describe('faults', () => {
  it('cuts after so many bytes, without an error on the channel', async () => {
    const host = await start();
    const client = await login(host);
    host.faults.dropAfterBytes(100_000);
    const gone = closed(client);
    const { code, stdout } = await exec(client, 'dd if=/dev/zero bs=65536 count=9');
    expect(code).toBeUndefined();
    expect(stdout.length).toBe(100_000);
    await gone;
    expect((await exec(await login(host), 'dd if=/dev/zero bs=65536 count=9')).stdout.length).toBe(9 * 65536);
  });

  it('cuts at the nth exec that fits', async () => {
    const host = await start();
    const client = await login(host);
    host.faults.dropAtExec(2, /^echo/);
    expect(await said(client, 'echo 1')).toBe('1\n');
    expect((await exec(client, 'true')).code).toBe(0);
    expect((await exec(client, 'echo 2').catch(() => ({ code: undefined }))).code).toBeUndefined();
    expect(host.commands.map((one) => one.command)).toEqual(['echo 1', 'true', 'echo 2']);
  });

  it('cuts in the key exchange, refuses connections, and recovers', async () => {
    const host = await start();
    const kept = await login(host);
    host.faults.dropInKex(1);
    await expect(login(host)).rejects.toThrow();
    await login(host);
    await host.faults.refuseConnections(true);
    await expect(login(host)).rejects.toThrow(/ECONNREFUSED/);
    expect(await said(kept, 'echo still')).toBe('still\n');
    await host.faults.clear();
    await login(host);
    const gone = closed(kept);
    host.faults.dropAll();
    await gone;
    expect(host.connectionCount).toBe(4);
  });

  it('stalls until cleared, and keeps to a rate', async () => {
    const host = await start();
    const client = await login(host);
    host.faults.stallAfterBytes(10_000);
    let ended = false;
    const stalled = exec(client, 'dd if=/dev/zero bs=20000 count=1').finally(() => (ended = true));
    await sleep(400);
    expect(ended).toBe(false);
    await host.faults.clear();
    expect((await stalled).stdout.length).toBe(20_000);
    host.faults.bytesPerSecond(100_000);
    const begin = Date.now();
    await exec(client, 'dd if=/dev/zero bs=50000 count=1');
    expect(Date.now() - begin).toBeGreaterThan(400);
    await host.faults.clear();
    host.faults.delayExec(300);
    const again = Date.now();
    await exec(client, 'true');
    expect(Date.now() - again).toBeGreaterThanOrEqual(290);
  });
});
