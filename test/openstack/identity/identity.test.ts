import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/index.js';
import { endpointOf } from '../../../src/openstack/identity/catalog.js';
import {
  chooseMicroversion,
  compare,
  microversionsIn,
  versionedUrl,
} from '../../../src/openstack/identity/versions.js';
import { connected, failure } from '../support/connect.js';
import { PROJECT, tokenBody } from '../support/fake-cloud.js';

const LOGIN = 'POST /identity/v3/auth/tokens';

describe('logging in', () => {
  it('asks for the project and shows who one is', async () => {
    const { cloud, fake } = await connected({});
    expect(cloud).toMatchObject({
      name: 'fake',
      project: { id: PROJECT, name: 'acme' },
      user: { id: 'u1', name: 'demo' },
      roles: ['member'],
    });
    expect(fake.seen[0]?.body).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'demo', domain: { id: 'default' }, password: 's3cret-pw' } },
        },
        scope: { project: { name: 'acme', domain: { id: 'default' } } },
      },
    });
    // No service is asked before it is used.
    expect(fake.seen).toHaveLength(1);
  });

  it('sends an application credential without a scope, a token and a trust with theirs', async () => {
    const app = await connected(
      {},
      {
        config: { auth: { type: 'application_credential', id: 'i', secret: new Secret('s') }, scope: { type: 'own' } },
      },
    );
    expect(app.fake.seen[0]?.body).toEqual({
      auth: { identity: { methods: ['application_credential'], application_credential: { id: 'i', secret: 's' } } },
    });
    const token = await connected(
      {},
      { config: { auth: { type: 'token', token: new Secret('t') }, scope: { type: 'trust', id: 'tr' } } },
    );
    expect(token.fake.seen[0]?.body).toEqual({
      auth: { identity: { methods: ['token'], token: { id: 't' } }, scope: { 'OS-TRUST:trust': { id: 'tr' } } },
    });
  });

  it('names user, project and URL when Keystone refuses, tries once, and shows no password', async () => {
    const body = { error: { code: 401, message: 'The request you have made requires authentication.' } };
    let tries = 0;
    const error = await failure(connected({ [LOGIN]: () => (tries++, { status: 401, body }) }));
    expect(error.code).toBe('cloud.unauthorized');
    expect(error.message).toMatch(
      /http:\/\/127\.0\.0\.1:\d+\/identity\/v3 .*user demo in project acme.*requires authentication.*req-1/,
    );
    expect(error.hint).toContain('project');
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('s3cret-pw');
    expect(tries).toBe(1);
  });

  it('tries again when Keystone is not ready', async () => {
    const { ctx, cloud } = await connected({
      [LOGIN]: [
        { status: 503, body: 'busy' },
        (_seen, { req }) => ({
          status: 201,
          headers: { 'x-subject-token': 't' },
          body: tokenBody(`http://${req.headers.host ?? ''}`),
        }),
      ],
    });
    expect(cloud.user.name).toBe('demo');
    expect(ctx.told.filter(({ kind }) => kind === 'retry')).toHaveLength(1);
  });

  it('says so when the user has no project, and when no Keystone is there', async () => {
    const none = await failure(
      connected({
        [LOGIN]: {
          status: 201,
          headers: { 'x-subject-token': 't' },
          body: tokenBody('http://x', { project: undefined }),
        },
      }),
    );
    expect(none.code).toBe('cloud.scope');
    const page = await failure(connected({ [LOGIN]: { status: 404, body: '<html>Horizon</html>' } }));
    expect(page.code).toBe('cloud.not_keystone');
    const other = await failure(connected({ [LOGIN]: { status: 200, body: { hello: 'world' } } }));
    expect(other.code).toBe('cloud.not_keystone');
  });
});

describe('the catalog', () => {
  const endpoint = (kind: string, region: string, url: string) => ({ interface: kind, region, region_id: region, url });
  const catalog = [
    { type: 'volumev2', name: 'old', endpoints: [endpoint('public', 'R1', 'http://v/v2/p1')] },
    {
      type: 'volumev3',
      name: 'cinder',
      endpoints: [endpoint('public', 'R1', 'http://v/v3/p1'), endpoint('internal', 'R1', 'http://i/v3/p1/')],
    },
    {
      type: 'compute',
      name: 'nova',
      endpoints: [endpoint('public', 'R1', 'http://c1'), endpoint('public', 'R2', 'http://c2')],
    },
  ];
  const config = { endpointOverrides: {}, region: 'R1', interface: 'public' } as const;

  it('finds a service by its official type or the best of its aliases, by region and interface', () => {
    expect(endpointOf(catalog, 'block-storage', config)).toBe('http://v/v3/p1');
    expect(endpointOf(catalog, 'block-storage', { ...config, interface: 'internal' })).toBe('http://i/v3/p1');
    expect(endpointOf(catalog, 'compute', { ...config, region: 'R2' })).toBe('http://c2');
    expect(endpointOf(catalog, 'compute', { ...config, region: null })).toBe('http://c1');
    expect(endpointOf(catalog, 'image', { ...config, endpointOverrides: { image: 'http://mine/' } })).toBe(
      'http://mine',
    );
  });

  it('says what there is instead', () => {
    const thrown = (act: () => unknown) => {
      try {
        act();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(thrown(() => endpointOf(catalog, 'image', config))).toMatchObject({
      code: 'cloud.no_service',
      hint: expect.stringContaining('compute, volumev2, volumev3') as string,
    });
    expect(thrown(() => endpointOf(catalog, 'compute', { ...config, region: 'R9' }))).toMatchObject({
      hint: expect.stringContaining('R1, R2') as string,
    });
    expect(thrown(() => endpointOf(catalog, 'compute', { ...config, interface: 'admin' }))).toMatchObject({
      hint: expect.stringContaining('public') as string,
    });
  });
});

describe('versions', () => {
  it.each([
    ['compute', 'http://n:8774', 'http://n:8774/v2.1', 'http://n:8774/v2.1/'],
    ['compute', 'http://n:8774/v2.1/', 'http://n:8774/v2.1', 'http://n:8774/v2.1/'],
    ['compute', 'http://n/compute/v2/p1', 'http://n/compute/v2.1/p1', 'http://n/compute/v2.1/'],
    ['block-storage', 'http://n/volume', 'http://n/volume/v3/p1', 'http://n/volume/v3/'],
    ['block-storage', 'http://n:8776/v2/p1', 'http://n:8776/v3/p1', 'http://n:8776/v3/'],
    ['block-storage', 'http://n:8776/v3/AUTH_p1', 'http://n:8776/v3/p1', 'http://n:8776/v3/'],
    ['image', 'http://n:9292', 'http://n:9292/v2', 'http://n:9292/v2/'],
    ['image', 'http://n:9292/v1', 'http://n:9292/v2', 'http://n:9292/v2/'],
    ['network', 'http://n:9696/v2.0/', 'http://n:9696/v2.0', 'http://n:9696/v2.0/'],
    ['network', 'http://n/networking', 'http://n/networking/v2.0', 'http://n/networking/v2.0/'],
  ] as const)('%s at %s is %s', (type, url, base, document) => {
    expect(versionedUrl(type, url, 'p1')).toEqual({ base, document });
  });

  it('compares by number, not by text', () => {
    expect(compare('2.9', '2.10')).toBeLessThan(0);
    expect(compare('3.0', '2.99')).toBeGreaterThan(0);
    expect(compare('2.1', '2.1')).toBe(0);
  });

  it('reads version documents of either shape', () => {
    expect(microversionsIn('compute', { version: { id: 'v2.1', version: '2.93', min_version: '2.1' } })).toEqual({
      min: '2.1',
      max: '2.93',
    });
    const both = {
      versions: [
        { id: 'v2.0', version: '', min_version: '' },
        { id: 'v3.0', version: '3.59', min_version: '3.0' },
      ],
    };
    expect(microversionsIn('block-storage', both)).toEqual({ min: '3.0', max: '3.59' });
    expect(microversionsIn('compute', { versions: [{ id: 'v2.0', version: '', min_version: '' }] })).toBeNull();
    expect(microversionsIn('compute', undefined)).toBeNull();
  });

  it('speaks the highest that the service, we and the user know', () => {
    expect(chooseMicroversion('compute', { min: '2.1', max: '2.96' }, undefined)).toBe('2.93');
    expect(chooseMicroversion('compute', { min: '2.1', max: '2.60' }, undefined)).toBe('2.60');
    expect(chooseMicroversion('compute', { min: '2.1', max: '2.96' }, '2.79')).toBe('2.79');
    expect(chooseMicroversion('compute', { min: '2.94', max: '2.99' }, undefined)).toBeNull();
    expect(chooseMicroversion('image', null, undefined)).toBeNull();
  });
});
