import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/index.js';
import { openShell, sh, type SshShell, type SshTarget } from '../../../src/esxi/ssh/index.js';
import { keygen, recorder, rejection, startSshd, targetFor, tempDir, type Sshd } from './harness.js';

let sshd: Sshd;
let dir = '';
const open: SshShell[] = [];

async function shellTo(more: Partial<SshTarget> = {}, who = recorder(() => true)): Promise<SshShell> {
  const shell = await openShell(targetFor(dir, sshd.port, { keyFile: sshd.key, ...more }), who.ctx);
  open.push(shell);
  return shell;
}

beforeAll(async () => {
  // A small rekey limit, so that every larger transfer changes keys in the middle.
  sshd = await startSshd(['RekeyLimit 2M', 'MaxSessions 10']);
});
afterAll(async () => {
  await sshd.stop();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((shell) => shell.close()));
  if (dir !== '') rmSync(dir, { recursive: true, force: true });
  dir = '';
});
function fresh(): void {
  dir = tempDir();
}

describe('a real sshd', () => {
  it('runs commands: output, exit status, standard error and input are told apart', async () => {
    fresh();
    const shell = await shellTo();
    const result = await shell.run('cat; echo oh >&2; exit 7', { input: 'für die 🚢\n' });
    expect(result.stdout.toString()).toBe('für die 🚢\n');
    expect(result.stderr).toBe('oh\n');
    expect(result.exitCode).toBe(7);
    // Without input its stdin is at the end, so nothing waits for it.
    expect((await shell.run('cat')).stdout).toHaveLength(0);
    expect(shell.roundTrips).toBe(2);
    expect(shell.facts.loginMethod).toBe('key');
    expect(shell.facts.serverIdent).toMatch(/^SSH-2\.0-OpenSSH_/);
    expect(shell.facts.cipher).toBe('aes128-gcm@openssh.com');
    expect(shell.facts.hostKeyFingerprint).toBe(sshd.hostKey('ed25519').fingerprint);
  });

  it('asks about a new host key once, remembers it privately, and then knows it', async () => {
    fresh();
    const who = recorder(() => true);
    await shellTo({}, who);
    const fingerprint = sshd.hostKey('ed25519').fingerprint;
    expect(who.questions).toEqual([
      {
        type: 'confirm',
        code: 'esxi.host_key',
        message: `Host key ${fingerprint} of 127.0.0.1 is new. Trust it?`,
        default: false,
        option: '--esxi-fingerprint',
      },
    ]);
    const file = join(dir, 'state', 'known_hosts');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700);
    expect(keygen('-F', `[127.0.0.1]:${sshd.port}`, '-f', file)).toContain('ssh-ed25519');
    const again = recorder();
    const shell = await shellTo({}, again);
    expect(again.questions).toEqual([]);
    expect(shell.facts.hostKeyTrust).toBe('known');
  });

  it('says how to go on where nobody can be asked, and remembers nothing', async () => {
    fresh();
    const error = await rejection(shellTo({}, recorder()));
    expect(error).toMatchObject({ code: 'esxi.host_key_unknown' });
    expect((error as { hint: string }).hint).toContain(`--esxi-fingerprint ${sshd.hostKey('ed25519').fingerprint}`);
    expect(
      await rejection(
        shellTo(
          {},
          recorder(() => false),
        ),
      ),
    ).toMatchObject({ code: 'esxi.host_key_unknown' });
    expect(existsSync(join(dir, 'state', 'known_hosts'))).toBe(false);
  });

  it.each(['ed25519', 'ecdsa', 'rsa'] as const)(
    'accepts a pinned %s key, whichever the host shows first',
    async (type) => {
      fresh();
      const who = recorder();
      const shell = await shellTo({ fingerprint: sshd.hostKey(type).fingerprint }, who);
      expect(shell.facts).toMatchObject({ hostKeyTrust: 'pinned', hostKeyFingerprint: sshd.hostKey(type).fingerprint });
      expect(who.questions).toEqual([]);
    },
  );

  it('refuses a pin that fits none of the keys, insecure or not', async () => {
    fresh();
    const fingerprint = `SHA256:${'A'.repeat(43)}`;
    for (const insecure of [false, true]) {
      expect(await rejection(shellTo({ fingerprint, insecure }))).toMatchObject({ code: 'esxi.host_key_changed' });
    }
    expect(await rejection(shellTo({ fingerprint: 'AB:CD:EF' }))).toMatchObject({ code: 'usage', exitCode: 2 });
  });

  it.each(['ecdsa', 'rsa'] as const)('asks the host for the type of key that known_hosts holds: %s', async (type) => {
    fresh();
    const file = join(dir, 'known');
    writeFileSync(file, `[127.0.0.1]:${sshd.port} ${sshd.hostKey(type).line}\n`);
    keygen('-H', '-f', file);
    const who = recorder();
    const shell = await shellTo({ knownHostsFiles: [join(dir, 'none'), file] }, who);
    expect(shell.facts).toMatchObject({ hostKeyTrust: 'known', hostKeyFingerprint: sshd.hostKey(type).fingerprint });
    expect(who.questions).toEqual([]);
  });

  it('refuses a changed and a revoked key without asking', async () => {
    fresh();
    const file = join(dir, 'known');
    keygen('-t', 'ed25519', '-N', '', '-f', join(dir, 'other'));
    const other = readFileSync(join(dir, 'other.pub'), 'utf8');
    writeFileSync(file, `[127.0.0.1]:${sshd.port} ${other}`);
    const who = recorder(() => true);
    const changed = await rejection(shellTo({ knownHostsFiles: [file] }, who));
    expect(changed).toMatchObject({ code: 'esxi.host_key_changed' });
    expect((changed as { hint: string }).hint).toContain(`ssh-keygen -R '[127.0.0.1]:${sshd.port}'`);
    writeFileSync(file, `@revoked * ${sshd.hostKey('ed25519').line}\n`);
    expect(await rejection(shellTo({ knownHostsFiles: [file] }, who))).toMatchObject({ code: 'esxi.host_key_revoked' });
    expect(who.questions).toEqual([]);
  });

  it('with insecure takes any key, and says once what that gives up', async () => {
    fresh();
    const who = recorder();
    const shell = await shellTo({ insecure: true, maxConnections: 2 }, who);
    const running = [await shell.stream('sleep 0.2'), await shell.stream('sleep 0.2')];
    for (const one of running) one.stdout.resume();
    await Promise.all(running.map((one) => one.finished));
    const warnings = who.events.filter((event) => event.kind === 'warning');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ code: 'esxi.host_key_unverified' });
    expect(existsSync(join(dir, 'state', 'known_hosts'))).toBe(false);
  });
});

describe('keys and agents, against a real sshd', () => {
  it('opens an encrypted key with the given passphrase, or asks for it', async () => {
    fresh();
    const file = join(dir, 'locked');
    keygen('-t', 'rsa', '-b', '2048', '-N', 'open sesame', '-f', file);
    const authorized = join(sshd.dir, 'authorized_keys');
    const before = readFileSync(authorized, 'utf8');
    writeFileSync(authorized, before + readFileSync(`${file}.pub`, 'utf8'));
    try {
      const given = await shellTo({ keyFile: file, keyPassphrase: new Secret('open sesame'), insecure: true });
      expect(given.facts.loginMethod).toBe('key');
      let tries = 0;
      const who = recorder((question) => (question.type === 'secret' && tries++ > 0 ? 'open sesame' : 'wrong'));
      await shellTo({ keyFile: file, insecure: true }, who);
      expect(who.questions.map((question) => question.code)).toEqual(['esxi.key_passphrase', 'esxi.key_passphrase']);
      const wrong = shellTo({ keyFile: file, keyPassphrase: new Secret('wrong'), insecure: true });
      expect(await rejection(wrong)).toMatchObject({ code: 'esxi.key_passphrase' });
      const nobody = shellTo({ keyFile: file, insecure: true }, recorder());
      expect(await rejection(nobody)).toMatchObject({ code: 'esxi.key_passphrase' });
    } finally {
      writeFileSync(authorized, before);
    }
  });

  it('says what is wrong with a key file', async () => {
    fresh();
    writeFileSync(join(dir, 'junk'), 'not a key\n');
    expect(await rejection(shellTo({ keyFile: join(dir, 'none') }))).toMatchObject({
      code: 'esxi.key_unreadable',
      message: `Cannot read the key file ${join(dir, 'none')}: it does not exist.`,
    });
    expect(await rejection(shellTo({ keyFile: join(dir, 'junk') }))).toMatchObject({ code: 'esxi.key_unreadable' });
    const publicHalf = await rejection(shellTo({ keyFile: `${sshd.key}.pub` }));
    expect((publicHalf as Error).message).toMatch(/public key; the private one/);
  });

  it('is refused with a key the host does not know, and does not come again with it', async () => {
    fresh();
    const file = join(dir, 'stranger');
    keygen('-t', 'ed25519', '-N', '', '-f', file);
    const first = await rejection(shellTo({ keyFile: file, insecure: true }));
    expect(first).toMatchObject({ code: 'esxi.login_refused' });
    const connections = () => sshd.log().split('Connection from').length;
    const before = connections();
    const second = await rejection(shellTo({ keyFile: file, insecure: true }));
    expect((second as Error).message).toMatch(/before/);
    expect(connections()).toBe(before);
  });

  it('is told when the host hangs up for too many tries', async () => {
    fresh();
    const strict = await startSshd(['MaxAuthTries 1']);
    try {
      const file = join(dir, 'stranger2');
      keygen('-t', 'ed25519', '-N', '', '-f', file);
      const password = () => Promise.resolve(new Secret('never sent'));
      const target = targetFor(dir, strict.port, { keyFile: file, insecure: true, password });
      expect(await rejection(openShell(target, recorder().ctx))).toMatchObject({ code: 'esxi.login_refused' });
    } finally {
      await strict.stop();
    }
  });

  describe('with an agent', () => {
    let agent: ChildProcess;
    let socket = '';
    let agentDir = '';
    const add = (file: string) =>
      execFileSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    beforeAll(async () => {
      agentDir = tempDir();
      socket = join(agentDir, 'agent');
      agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
      while (!existsSync(socket)) await delay(20);
    });
    afterAll(async () => {
      agent.kill();
      await once(agent, 'exit');
      rmSync(agentDir, { recursive: true });
    });

    it('logs in with a key it holds, without a key file', async () => {
      fresh();
      add(sshd.key);
      const who = recorder();
      const shell = await openShell(targetFor(dir, sshd.port, { agentSocket: socket, insecure: true }), who.ctx);
      open.push(shell);
      expect(shell.facts.loginMethod).toBe('agent');
      expect((await shell.run('echo in')).stdout.toString()).toBe('in\n');
    });

    it('uses the copy of an encrypted key file instead of asking for the passphrase', async () => {
      fresh();
      const file = join(dir, 'twin');
      writeFileSync(file, readFileSync(sshd.key), { mode: 0o600 });
      writeFileSync(`${file}.pub`, readFileSync(`${sshd.key}.pub`));
      keygen('-p', '-P', '', '-N', 'secret', '-f', file);
      const who = recorder();
      const shell = await shellTo({ keyFile: file, agentSocket: socket, insecure: true }, who);
      expect(shell.facts.loginMethod).toBe('agent');
      expect(who.questions).toEqual([]);
    });

    it('offers no more than two of many keys', async () => {
      fresh();
      execFileSync('ssh-add', ['-q', '-D'], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      for (let index = 0; index < 5; index++) {
        keygen('-t', index === 0 ? 'rsa' : 'ed25519', '-N', '', '-f', join(dir, `k${index}`));
        add(join(dir, `k${index}`));
      }
      const before = sshd.log().length;
      const error = await rejection(
        openShell(targetFor(dir, sshd.port, { agentSocket: socket, insecure: true }), recorder().ctx),
      );
      expect(error).toMatchObject({ code: 'esxi.login_refused' });
      await delay(100);
      expect(
        sshd
          .log()
          .slice(before)
          .match(/Failed publickey/g),
      ).toHaveLength(2);
    });

    it('goes on without an agent that is not there', async () => {
      fresh();
      const error = await rejection(
        openShell(targetFor(dir, sshd.port, { agentSocket: join(dir, 'nothing'), insecure: true }), recorder().ctx),
      );
      expect(error).toMatchObject({ code: 'esxi.login_refused' });
      expect((error as { hint: string }).hint).toContain('--esxi-key');
    });
  });
});

describe('streams from a real sshd', () => {
  it('deliver every byte over several rekeys', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    const size = 24 * 1024 ** 2;
    const running = await shell.stream(sh`head -c ${size} /dev/zero`);
    let got = 0;
    await pipeline(
      running.stdout,
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          got += chunk.length;
          done();
        },
      }),
    );
    expect(got).toBe(size);
    expect(await running.finished).toEqual({ exitCode: 0, signal: null, stderr: '' });
  });

  it('wait for a slow reader: the host is held back, memory stays bounded', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    const marker = join(dir, 'written');
    // dd tells on stderr how far it came when it is asked by signal; here its own count of blocks in a file serves.
    const running = await shell.stream(
      sh`i=0; while [ $i -lt 64 ]; do head -c 1048576 /dev/zero || exit 1; i=$((i+1)); echo $i > ${marker}; done`,
    );
    await once(running.stdout, 'readable');
    await delay(700);
    const held = Number(readFileSync(marker, 'utf8'));
    // The channel window (2 MiB), what is read ahead, and the buffers of sshd and the kernel.
    expect(held).toBeLessThan(24);
    let got = 0;
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) got += chunk.length;
    expect(got).toBe(64 * 1024 ** 2);
    expect((await running.finished).exitCode).toBe(0);
  });

  it('end with no exit status when the connection is cut, and the next command reconnects', async () => {
    fresh();
    const who = recorder();
    const shell = await shellTo({ insecure: true }, who);
    const running = await shell.stream('cat /dev/zero');
    let got = 0;
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) {
      if (got === 0) sshd.dropConnections();
      got += chunk.length;
    }
    expect(got).toBeGreaterThan(0);
    expect(await running.finished).toMatchObject({ exitCode: null });
    expect((await shell.run('echo back')).stdout.toString()).toBe('back\n');
  });

  it('are killed for good: nothing is left on the host', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    const mark = `stackferry-kill-${process.pid}`;
    const running = await shell.stream(sh`exec -a ${mark} cat /dev/zero`);
    await once(running.stdout, 'readable');
    const left = () =>
      execFileSync('sh', ['-c', `ps -eo args | grep -c '^[s]tackferry-kill-${process.pid}' || true`])
        .toString()
        .trim();
    expect(left()).toBe('1');
    running.kill();
    running.kill();
    expect(await running.finished).toMatchObject({ exitCode: null });
    expect(running.stdout.destroyed).toBe(true);
    for (let tries = 0; tries < 40 && left() !== '0'; tries++) await delay(50);
    expect(left()).toBe('0');
    expect((await shell.run('echo alive')).exitCode).toBe(0);
  });

  it('are closed when their reader goes away', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    for (let index = 0; index < 11; index++) {
      const running = await shell.stream('cat /dev/zero');
      for await (const chunk of running.stdout as AsyncIterable<Buffer>) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      await running.finished;
    }
    // Eleven of ten possible sessions: each was given back.
    expect((await shell.run('echo free')).exitCode).toBe(0);
  });

  it('stop on an interrupt, and leave with it', async () => {
    fresh();
    const who = recorder();
    const shell = await shellTo({ insecure: true }, who);
    const running = await shell.stream('cat /dev/zero');
    const reading = (async () => {
      for await (const chunk of running.stdout as AsyncIterable<Buffer>) expect(chunk.length).toBeGreaterThan(0);
    })();
    const command = shell.run('sleep 30');
    setTimeout(() => {
      who.abort.abort();
    }, 100);
    expect(await rejection(reading)).toMatchObject({ code: 'interrupted', exitCode: 130 });
    expect(await rejection(command)).toMatchObject({ code: 'interrupted' });
    expect(await rejection(shell.run('echo no'))).toMatchObject({ code: 'interrupted' });
    // Cleaning up afterwards has a signal of its own.
    const after = await shell.run('echo yes', { signal: new AbortController().signal });
    expect(after.stdout.toString()).toBe('yes\n');
  });
});

describe('sessions and connections, on a real sshd', () => {
  it('runs two dozen commands at once over ten sessions', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, index) => shell.run(sh`sleep 0.05; echo ${index}`)),
    );
    expect(results.map((result) => Number(result.stdout.toString()))).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it('opens connections for streams as they are needed, and no more than allowed', async () => {
    fresh();
    const accepted = () => sshd.log().split('Accepted publickey').length - 1;
    const before = accepted();
    const shell = await shellTo({ insecure: true, maxConnections: 3 });
    expect(accepted() - before).toBe(1);
    const running = await Promise.all(Array.from({ length: 5 }, () => shell.stream('sleep 0.5; echo x')));
    for (const one of running) one.stdout.resume();
    await Promise.all(running.map((one) => one.finished));
    expect(accepted() - before).toBe(3);
    await shell.run('true');
    expect(accepted() - before).toBe(3);
  });

  it('gets by with fewer sessions than it hoped for', async () => {
    fresh();
    const small = await startSshd(['MaxSessions 2']);
    try {
      const shell = await openShell(targetFor(dir, small.port, { keyFile: small.key, insecure: true }), recorder().ctx);
      open.push(shell);
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, index) => shell.run(sh`sleep 0.1; echo ${index}`)),
      );
      expect(results.map((result) => Number(result.stdout.toString()))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      await shell.close();
    } finally {
      await small.stop();
    }
  });

  it('gives a command up after its time, and one that prints too much', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    expect(await rejection(shell.run('sleep 20', { timeoutMs: 200 }))).toMatchObject({ code: 'esxi.command_timeout' });
    expect(await rejection(shell.run('cat /dev/zero', { maxBytes: 100_000 }))).toMatchObject({
      code: 'esxi.output_too_large',
    });
    expect(await rejection(shell.run('kill -KILL $$'))).toMatchObject({ code: 'esxi.command_killed' });
    expect((await shell.run('echo fine')).stdout.toString()).toBe('fine\n');
  });

  it('tries a reading command again after a cut, and a changing one never', async () => {
    fresh();
    const who = recorder();
    const shell = await shellTo({ insecure: true }, who);
    const count = join(dir, 'count');
    const cutOnce = sh`echo x >> ${count}; [ $(wc -l < ${count}) -gt 1 ] || sleep 20; echo done`;
    const reading = shell.run(cutOnce);
    while (!existsSync(count)) await delay(20);
    sshd.dropConnections();
    expect((await reading).stdout.toString()).toBe('done\n');
    expect(readFileSync(count, 'utf8')).toBe('x\nx\n');
    expect(who.events.filter((event) => event.kind === 'retry')).toHaveLength(1);

    rmSync(count);
    const changing = shell.run(cutOnce, { once: true });
    while (!existsSync(count)) await delay(20);
    sshd.dropConnections();
    const error = await rejection(changing);
    expect(error).toMatchObject({ code: 'esxi.connection_lost' });
    expect((error as Error).message).toMatch(/Whether it ran is not known/);
    expect(readFileSync(count, 'utf8')).toBe('x\n');
    // On a connection that is known to be gone nothing was sent, so a changing command may go over a new one.
    expect((await shell.run('echo new', { once: true })).stdout.toString()).toBe('new\n');
  });

  it('does nothing more once closed', async () => {
    fresh();
    const shell = await shellTo({ insecure: true });
    const running = shell.run('sleep 20');
    await delay(100);
    await shell.close();
    expect(await rejection(running)).toMatchObject({ code: 'esxi.connection_lost' });
    expect(await rejection(shell.run('echo'))).toMatchObject({ code: 'esxi.closed' });
  });
});
