import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../src/core/index.js';
import { connected, failure } from './support/connect.js';

const SERVERS = 'GET /compute/v2.1/servers/detail';
const server = (id: string) => ({ id, name: id, status: 'ACTIVE' });
const VOLUMES = 'POST /volume/v3/p1/volumes';
const input = { name: 'v', sizeGib: 1, marker: { run: 'r1', step: 'volume:0' } };

describe('every request', () => {
  it('carries the token and the negotiated microversion, which is asked for once', async () => {
    const { cloud, fake } = await connected({ [SERVERS]: { body: { servers: [] } } });
    await cloud.servers.list();
    await cloud.servers.list();
    expect(fake.count('GET /compute/v2.1/')).toBe(1);
    expect(fake.seen.at(-1)?.headers).toMatchObject({
      'x-auth-token': 'token-1',
      'openstack-api-version': 'compute 2.93',
      'x-openstack-nova-api-version': '2.93',
    });
  });

  it('goes without a microversion where the service has no version document', async () => {
    const { cloud, fake } = await connected({
      [SERVERS]: { body: { servers: [] } },
      'GET /compute/v2.1/': { status: 404, body: '<html>' },
    });
    await cloud.servers.list();
    expect(fake.seen.at(-1)?.headers['openstack-api-version']).toBeUndefined();
  });

  it('that changes something is shown to the observer, who may refuse it', async () => {
    const seen: string[] = [];
    const { cloud, fake } = await connected(
      { [SERVERS]: { body: { servers: [] } } },
      {
        connect: {
          onChange: ({ service, method, path, body }) => {
            seen.push(`${service} ${method} ${path} ${JSON.stringify(body)}`);
            throw new Error('not now');
          },
        },
      },
    );
    await cloud.servers.list();
    await expect(cloud.volumes.create(input)).rejects.toThrow('not now');
    expect(seen).toEqual([
      'block-storage POST /volume/v3/p1/volumes {"volume":{"name":"v","size":1,"metadata":{"stackferry_run":"r1","stackferry_step":"volume:0"}}}',
    ]);
    expect(fake.count(VOLUMES)).toBe(0);
  });
});

describe('a token that ends in the middle', () => {
  it('is renewed once for all who found it refused, and each request is sent again', async () => {
    const { cloud, fake } = await connected({
      [SERVERS]: ({ headers }) =>
        headers['x-auth-token'] === 'token-1'
          ? { status: 401, body: { error: { message: 'expired' } } }
          : { body: { servers: [server('a')] } },
    });
    const lists = await Promise.all([cloud.servers.list(), cloud.servers.list(), cloud.servers.list()]);
    expect(lists.map((list) => list.length)).toEqual([1, 1, 1]);
    expect(fake.count('POST /identity/v3/auth/tokens')).toBe(2);
  });

  it('also for a POST, which was not heard then', async () => {
    const { cloud, fake } = await connected({
      [VOLUMES]: ({ headers }) =>
        headers['x-auth-token'] === 'token-1'
          ? { status: 401 }
          : { status: 202, body: { volume: { id: 'v1', status: 'creating', size: 1 } } },
    });
    expect((await cloud.volumes.create(input)).id).toBe('v1');
    expect(fake.count(VOLUMES)).toBe(2);
  });

  it('is an error when the new one is refused as well', async () => {
    const { cloud, fake } = await connected({ [SERVERS]: { status: 401, body: { error: { message: 'no' } } } });
    expect((await failure(cloud.servers.list())).code).toBe('cloud.unauthorized');
    expect(fake.count(SERVERS)).toBe(2);
  });
});

describe('trying again', () => {
  it('a read on 503, 502, 429 and a lost connection, waiting as long as the service asks', async () => {
    const { cloud, ctx, fake } = await connected({
      [SERVERS]: [
        { status: 503, headers: { 'retry-after': '7' } },
        { status: 502 },
        { status: 429, headers: { 'retry-after': '3' } },
        { cut: true },
        { body: { servers: [] } },
      ],
    });
    expect(await cloud.servers.list()).toEqual([]);
    expect(fake.count(SERVERS)).toBe(5);
    expect(ctx.slept[0]).toBe(7000);
    expect(ctx.slept[2]).toBe(3000);
    expect(ctx.told.filter(({ kind }) => kind === 'retry')).toHaveLength(4);
  });

  it('gives up after five, with the last answer', async () => {
    const { cloud, fake } = await connected({ [SERVERS]: { status: 504, body: 'gateway' } });
    expect(await failure(cloud.servers.list())).toMatchObject({ code: 'cloud.server_error', details: { status: 504 } });
    expect(fake.count(SERVERS)).toBe(5);
  });

  it('not a refusal', async () => {
    const { cloud, fake } = await connected({ [SERVERS]: { status: 403, body: { forbidden: { message: 'no' } } } });
    expect((await failure(cloud.servers.list())).code).toBe('cloud.forbidden');
    expect(fake.count(SERVERS)).toBe(1);
  });

  it.each([
    ['a gateway error', { status: 504 }],
    ['a lost connection', { cut: true }],
    ['an answer that is no JSON', { status: 202, body: 'ok' }],
  ])('never a POST after %s: what it made is looked up by its marker', async (_name, lost) => {
    const made = {
      id: 'v1',
      status: 'creating',
      size: 1,
      metadata: { stackferry_run: 'r1', stackferry_step: 'volume:0' },
    };
    const { cloud, fake } = await connected({
      [VOLUMES]: lost,
      'GET /volume/v3/p1/volumes/detail': [{ body: { volumes: [] } }, { body: { volumes: [made] } }],
    });
    expect((await cloud.volumes.create(input)).id).toBe('v1');
    expect(fake.count(VOLUMES)).toBe(1);
  });

  it('never a POST: where nothing was made the error stands', async () => {
    const { cloud, fake } = await connected({
      [VOLUMES]: { status: 500, body: { computeFault: { message: 'Unexpected API Error.' } } },
      'GET /volume/v3/p1/volumes/detail': { body: { volumes: [] } },
    });
    const error = await failure(cloud.volumes.create(input));
    expect(error.code).toBe('cloud.server_error');
    expect(error.message).toContain('Unexpected API Error.');
    expect(fake.count(VOLUMES)).toBe(1);
  });

  it('a POST that a rate limit turned away', async () => {
    const { cloud, fake } = await connected({
      [VOLUMES]: [
        { status: 429, headers: { 'retry-after': '1' } },
        { status: 202, body: { volume: { id: 'v1', status: 'creating', size: 1 } } },
      ],
    });
    expect((await cloud.volumes.create(input)).id).toBe('v1');
    expect(fake.count(VOLUMES)).toBe(2);
  });

  it('stops when the run is stopped', async () => {
    const { cloud, ctx, fake } = await connected({ [SERVERS]: () => (ctx.abort(), { status: 503 }) });
    expect((await failure(cloud.servers.list())).code).toBe('interrupted');
    expect(fake.count(SERVERS)).toBe(1);
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);
  it.each([
    ['5', 5000],
    ['0', 0],
    ['99999', 120_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2020 00:00:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('%s', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});

describe('lists', () => {
  it('follow the links from page to page, by their query alone', async () => {
    const { cloud, fake } = await connected({
      [SERVERS]: [
        {
          body: {
            servers: [server('a')],
            servers_links: [{ rel: 'next', href: 'http://10.0.0.1:8774/v2.1/servers/detail?marker=a' }],
          },
        },
        { body: { servers: [server('b')], servers_links: [{ rel: 'next', href: '/v2.1/servers/detail?marker=b' }] } },
        { body: { servers: [server('c')] } },
      ],
      'GET /image/v2/images': [
        { body: { images: [{ id: 'i1', status: 'active' }], next: '/v2/images?marker=i1&limit=100' } },
        { body: { images: [{ id: 'i2', status: 'queued' }] } },
      ],
    });
    expect((await cloud.servers.list()).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect((await cloud.images.list({ name: 'x' })).map(({ id }) => id)).toEqual(['i1', 'i2']);
    expect(fake.seen.at(-1)?.query).toEqual({ limit: '100', marker: 'i1', name: 'x' });
  });

  it('end where a service links a page to itself', async () => {
    const page = { servers: [server('a')], servers_links: [{ rel: 'next', href: 'http://x/?marker=a' }] };
    const { cloud, fake } = await connected({ [SERVERS]: { body: page } });
    await cloud.servers.list();
    expect(fake.count(SERVERS)).toBe(2);
  });

  it('say what was not understood in an answer', async () => {
    const { cloud } = await connected({ [SERVERS]: { body: { servers: [{ id: 7 }] } } });
    const error = await failure(cloud.servers.list());
    expect(error.code).toBe('cloud.bad_answer');
    expect(error.message).toContain('servers.0.id');
  });
});

it('speaks through another context without a second login', async () => {
  const first = await connected({ [SERVERS]: [{ status: 503 }, { body: { servers: [] } }] });
  const { testContext } = await import('./support/context.js');
  const other = testContext();
  await first.cloud.withContext(other).servers.list();
  expect(other.told.map(({ kind }) => kind)).toEqual(['retry']);
  expect(first.ctx.told).toEqual([]);
  expect(first.fake.count('POST /identity/v3/auth/tokens')).toBe(1);
});

it('shows each service with its version, or why it cannot be used', async () => {
  const { cloud } = await connected({
    'GET /image/v2/images': { body: { images: [] } },
    'GET /compute/v2.1/limits': { body: { limits: {} } },
    'GET /volume/v3/p1/limits': { status: 500, body: { computeFault: { message: 'broken' } } },
    'GET /network/v2.0/networks': { body: { networks: [] } },
  });
  const services = await cloud.services();
  expect(services.map(({ type, microversion }) => [type, microversion])).toEqual([
    ['identity', null],
    ['image', null],
    ['block-storage', null],
    ['compute', '2.93'],
    ['network', null],
  ]);
  expect(services[2]?.error).toContain('broken');
  expect(services[3]?.error).toBeNull();
});
