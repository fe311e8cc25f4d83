import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import fc from 'fast-check';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { buildTree, startHost, vm, type BuiltTree, type EmbeddedHost } from './index.js';
import { connect, said } from './test-client.js';

/** Clients that do not keep to SSH. An unhandled error here fails the whole run of the tests, and would end the demo. */

let dir: string;
let tree: BuiltTree;
let host: EmbeddedHost;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'stackferry-rude-'));
  tree = await buildTree(dir, { vms: [vm({ name: 'one' })] });
  host = await startHost({ tree });
});
afterEach(async () => {
  await until(() => host.openConnections === 0);
  const client = await connect(host);
  expect(await said(client, 'echo in')).toBe('in\n');
  client.destroy();
  await until(() => host.openConnections === 0);
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

async function until(done: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!done()) {
    if (Date.now() > end) throw new Error('it did not come to that');
    await sleep(10);
  }
}

/** A bare connection; what the host says to it is dropped. */
function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = dial(host.port, host.host, () => {
      resolve(socket);
    });
    socket.once('error', reject);
    socket.on('error', () => undefined).resume();
  });
}

/** Ends one way or the other: with FIN, or with RST, after which the host no longer knows the peer's port. */
const leave = { end: (socket: Socket) => socket.end(), reset: (socket: Socket) => socket.resetAndDestroy() };

const IDENT = 'SSH-2.0-nobody\r\n';
const SAID = {
  nothing: '',
  'half a line': 'SSH-2.0-',
  'a line': IDENT,
  'version 1': 'SSH-1.5-old\r\n',
  'no SSH': 'GET / HTTP/1.1\r\nHost: esx1\r\n\r\n',
  TLS: Buffer.from('16030100c6010000c20303', 'hex'),
  'a line and half a packet': `${IDENT}\0\0\u0001`,
  'a line and a packet that is too long': Buffer.concat([Buffer.from(IDENT), Buffer.alloc(64, 0xff)]),
  'a line and noise': Buffer.concat([Buffer.from(IDENT), Buffer.from('0000000c0a15000000000000000000000000', 'hex')]),
};

for (const [what, bytes] of Object.entries(SAID)) {
  for (const [how, go] of Object.entries(leave)) {
    it(`lives through ${what}, then ${how}`, async () => {
      for (const pause of [0, 30]) {
        const socket = await open();
        socket.write(bytes);
        if (pause > 0) await sleep(pause);
        go(socket);
      }
    });
  }
}

it('lives through many port scans at once', async () => {
  const scans = Array.from({ length: 100 }, async (_, index) => {
    const socket = await open();
    if (index % 3 === 0) socket.write(IDENT);
    if (index % 2 === 0) socket.resetAndDestroy();
    else socket.end();
  });
  await Promise.all(scans);
});

it('lives through ssh-keyscan, which asks for keys that the host has not', async () => {
  const { stdout } = await new Promise<{ stdout: string }>((resolve) =>
    execFile('ssh-keyscan', ['-T', '5', '-p', String(host.port), host.host], (_error, out) => resolve({ stdout: out })),
  );
  expect(stdout).toContain('ecdsa-sha2-nistp256');
});

it('lives through a client that knows none of its algorithms', async () => {
  const client = new ssh2.Client();
  await new Promise<void>((resolve) => {
    client.on('error', () => undefined).once('close', () => resolve());
    client.connect({
      host: host.host,
      port: host.port,
      username: 'root',
      algorithms: { serverHostKey: ['ssh-ed25519'] },
    });
  });
});

it('lives through clients that vanish while a command runs', async () => {
  for (const command of ['sleep 5', 'cat /dev/zero', 'echo short']) {
    const client = await connect(host);
    client.exec(command, () => undefined);
    await sleep(20);
    client.destroy();
  }
});

it('lives through any bytes at all', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.boolean(), async (bytes, named, reset) => {
      const socket = await open();
      if (named) socket.write(IDENT);
      socket.write(bytes);
      await sleep(1);
      (reset ? leave.reset : leave.end)(socket);
      await new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));
    }),
    { numRuns: 100 },
  );
});
