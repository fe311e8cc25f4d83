import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request as httpsRequest } from 'node:https';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { login, passwordLogin, send, volume, type Client } from './client.js';
import { startCloud } from './index.js';
import type { EmbeddedCloud } from './index.js';

let cloud: EmbeddedCloud;
let directory: string;
let lab: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
  cloud = await startCloud({ directory });
  lab = await login(cloud);
});
afterEach(() => cloud.clearFaults());
afterAll(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

const octets = { 'content-type': 'application/octet-stream' };

describe('faults', () => {
  it('answers for the service at the nth matching request, so many times', async () => {
    cloud.fault({
      match: { service: 'image', method: 'GET', path: '^/v2/images$', nth: 2, times: 2 },
      action: { kind: 'status', status: 503, body: 'busy', headers: { 'retry-after': '1' } },
    });
    const codes: number[] = [];
    for (let n = 0; n < 4; n++) codes.push((await lab.image('GET', '/v2/images')).status);
    expect(codes).toEqual([200, 503, 503, 200]);
    expect((await lab.volume('GET', '/volumes')).status).toBe(200);
    const off = cloud.fault({ match: { times: 0 }, action: { kind: 'status', status: 429 } });
    expect((await lab.image('GET', '/v2/images')).status).toBe(429);
    expect((await lab.compute('GET', '/servers')).body).toContain('429 Too Many Requests');
    off();
    expect((await lab.image('GET', '/v2/images')).status).toBe(200);
  });

  it('resets a connection before a request has an effect, or after', async () => {
    const post = () => lab.volume('POST', '/volumes', { json: { volume: { size: 1 } } });
    cloud.fault({ match: { method: 'POST' }, action: { kind: 'reset' } });
    await expect(post()).rejects.toThrow();
    expect(cloud.inventory('lab').volumes).toHaveLength(0);
    cloud.fault({ match: { method: 'POST' }, action: { kind: 'reset', after: 'effect' } });
    await expect(post()).rejects.toThrow();
    expect(cloud.inventory('lab').volumes).toHaveLength(1);
  });

  it('stalls', async () => {
    cloud.fault({ match: { service: 'image' }, action: { kind: 'stall', ms: 150 } });
    const before = Date.now();
    expect((await lab.image('GET', '/v2/images')).status).toBe(200);
    expect(Date.now() - before).toBeGreaterThanOrEqual(145);
  });

  it('cuts an answer after so many bytes', async () => {
    cloud.fault({ match: { path: '/v2/images' }, action: { kind: 'cut-response', bytes: 7 } });
    const response = await fetch(`${cloud.url}/image/v2/images`, { headers: { 'x-auth-token': lab.token } });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(7);
    let received = 0;
    const read = async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) received += chunk.length;
    };
    await expect(read()).rejects.toThrow();
    expect(received).toBe(7);
  });

  it('answers in the middle of an upload', async () => {
    const { id } = (await lab.image('POST', '/v2/images', { json: { disk_format: 'raw', container_format: 'bare' } }))
      .body;
    cloud.fault({
      match: { path: '/file' },
      action: { kind: 'refuse-upload', bytes: 1000, status: 413, body: 'too large' },
    });
    const body = new Uint8Array(4_000_000);
    // The answer comes while the client still sends: it reads the answer, or sees the connection close.
    const answer = await lab.image('PUT', `/v2/images/${id}/file`, { body, headers: octets }).catch(() => null);
    if (answer) expect([answer.status, answer.body]).toEqual([413, 'too large']);
    const entry = cloud.requests().at(-1);
    expect(entry).toMatchObject({ status: 413, method: 'PUT' });
    expect(entry?.receivedBytes).toBeLessThan(4_000_000);
    expect((await lab.image('GET', `/v2/images/${id}`)).body.status).toBe('queued');
  });

  it('expires tokens at a certain request', async () => {
    const client = await login(cloud);
    cloud.fault({ match: { service: 'image', nth: 2 }, action: { kind: 'expire-tokens' } });
    expect((await client.image('GET', '/v2/images')).status).toBe(200);
    expect((await client.image('GET', '/v2/images')).status).toBe(401);
    lab = await login(cloud);
  });

  it('can be set from outside, with the settings and the quotas', async () => {
    const json = { match: { service: 'compute', times: 0 }, action: { kind: 'status', status: 502 } };
    expect((await send(`${cloud.url}/lab/faults`, 'POST', { json: [json] })).status).toBe(204);
    expect((await lab.compute('GET', '/servers')).status).toBe(502);
    expect((await send(`${cloud.url}/lab/faults`, 'DELETE')).status).toBe(204);
    expect((await lab.compute('GET', '/servers')).status).toBe(200);
    expect((await send(`${cloud.url}/lab/faults`, 'POST', { json: { match: {} } })).status).toBe(400);
    const settings = `${cloud.url}/lab/settings`;
    await send(settings, 'PATCH', { json: { delays: { boot: 5 }, refuseFormatMismatch: true } });
    expect(cloud.settings).toMatchObject({ delays: { boot: 5, server: 30 }, refuseFormatMismatch: true });
    expect((await send(settings, 'PATCH', { json: { nope: 1 } })).status).toBe(400);
    await send(`${cloud.url}/lab/quotas/lab-poor`, 'PATCH', { json: { volumes: 3 } });
    expect(cloud.quotas('lab-poor').volumes).toBe(3);
    const { body } = await send(`${cloud.url}/lab/inventory?project=lab`, 'GET');
    expect(body).toEqual(cloud.inventory('lab'));
  });
});

describe('the log of requests', () => {
  it('holds method, path, status and body, without secrets, and tells what changes from what reads', async () => {
    cloud.clearLog();
    await send(`${cloud.authUrl}/auth/tokens`, 'POST', { json: passwordLogin('lab') });
    await lab.volume('GET', '/volumes?limit=1', { version: '3.50' });
    await lab.compute('POST', '/servers/nope/action', { json: { 'os-getConsoleOutput': {} } });
    expect(cloud.changingRequests()).toEqual([]);
    await lab.volume('POST', '/volumes', { json: { volume: {} } });
    expect(cloud.changingRequests().map((one) => [one.service, one.method, one.status])).toEqual([
      ['block-storage', 'POST', 400],
    ]);
    const log = JSON.stringify(cloud.requests());
    expect(log).not.toContain(lab.token);
    expect(log).toContain('"password":"***"');
    const second = cloud.requests()[1];
    expect(second).toMatchObject({
      path: `/v3/${lab.projectId}/volumes?limit=1`,
      status: 200,
      microversion: '3.50',
      service: 'block-storage',
    });
    expect(second?.requestId).toMatch(/^req-/);
  });
});

describe('the cloud itself', () => {
  it('goes on after a restart with what it kept; what was under way is in error', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
    const first = await startCloud({ directory: folder, persist: true });
    const client = await login(first);
    const kept = await volume(first, client, { name: 'kept' });
    first.settings.delays.volume = 60_000;
    await client.volume('POST', '/volumes', { json: { volume: { size: 1, name: 'torn' } } });
    await first.stop();
    const second = await startCloud({ directory: folder, persist: true });
    const { body } = await (await login(second)).volume('GET', '/volumes/detail');
    expect(Object.fromEntries(body.volumes.map((one) => [one.name, one.status]))).toEqual({
      kept: 'available',
      torn: 'error',
    });
    expect((await stat(second.volumeFile(kept))).size).toBe(1024 ** 3);
    await second.stop();
    const fresh = await startCloud({ directory: folder });
    expect(fresh.inventory().volumes).toEqual([]);
    await fresh.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('serves https with a certificate that only its own file makes trusted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
    const secure = await startCloud({ directory: folder, tls: true });
    const get = (ca?: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        httpsRequest(`${secure.url}/identity/v3`, ca === undefined ? {} : { ca }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(secure.authUrl).toMatch(/^https:/);
    await expect(get()).rejects.toThrow(/self-signed/);
    expect(await get(await readFile(secure.caFile ?? '', 'utf8'))).toBe(200);
    expect(secure.environment()['OS_CACERT']).toBe(secure.caFile);
    await secure.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs as a process that says where it is and ends on SIGTERM', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
    const child = execa('node', ['--import', 'tsx', 'test/lab/cloud/main.ts', folder], { stdin: 'ignore' });
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      child.catch(reject);
    });
    const said = JSON.parse(line) as { auth_url: string; environment: Record<string, string> };
    expect(said.environment['OS_AUTH_URL']).toBe(said.auth_url);
    const answer = await send(`${said.auth_url}/auth/tokens`, 'POST', { json: passwordLogin('lab') });
    expect(answer.status).toBe(201);
    child.kill('SIGTERM');
    expect((await child).exitCode).toBe(0);
    await rm(folder, { recursive: true, force: true });
  });
});
