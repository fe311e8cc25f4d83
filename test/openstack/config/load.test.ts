import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { loadCloudConfig, type CloudConfig, type LoadCloudConfig } from '../../../src/openstack/index.js';
import { failure } from '../support/connect.js';

/** Loads from files that are only here: path to text, or to text and mode. */
function load(
  files: Record<string, string | { text: string; mode: number }>,
  options: Partial<LoadCloudConfig> = {},
): Promise<CloudConfig> {
  return loadCloudConfig({
    env: {},
    cwd: '/here',
    home: '/home/eve',
    readFile: (path) => {
      const file = files[path];
      return Promise.resolve(typeof file === 'string' ? { text: file, mode: 0o600 } : file);
    },
    ...options,
  });
}

const ONE = `
clouds:
  scs:
    region_name: RegionTwo
    auth:
      auth_url: https://keystone.example.com:5000/v3
      username: eve
      password: 0123
      project_name: acme
      user_domain_name: Staff
      project_domain_name: Customers
`;

describe('where a cloud is found', () => {
  it('takes the first clouds.yaml of ., the home folder and /etc, in front of them the one the environment names', async () => {
    const at = (name: string) => `clouds: {c: {auth: {auth_url: 'http://${name}', username: u, password: p}}}`;
    const files: Record<string, string> = {
      '/etc/openstack/clouds.yml': at('etc'),
      '/home/eve/.config/openstack/clouds.yaml': at('home'),
      '/here/clouds.yaml': at('here'),
      '/elsewhere/my.yaml': at('named'),
    };
    const url = async (env = {}) => (await load(files, { env })).authUrl;
    expect(await url({ OS_CLIENT_CONFIG_FILE: '/elsewhere/my.yaml' })).toBe('http://named');
    expect(await url()).toBe('http://here');
    delete files['/here/clouds.yaml'];
    expect(await url({ OS_CLIENT_CONFIG_FILE: '/not/there.yaml' })).toBe('http://home');
    delete files['/home/eve/.config/openstack/clouds.yaml'];
    expect(await url()).toBe('http://etc');
  });

  it('lays secure.yaml over clouds.yaml, and clouds.yaml over the profile it names', async () => {
    const config = await load({
      '/here/clouds.yaml': 'clouds:\n  mine:\n    profile: big\n    auth: {username: eve, project_name: acme}\n',
      '/etc/openstack/secure.yaml': 'clouds: {mine: {auth: {password: hush}}}',
      '/here/clouds-public.yaml':
        'public-clouds:\n  big:\n    region-name: north\n    auth: {auth_url: "https://big/v3", username: nobody}\n',
    });
    expect(config).toMatchObject({ authUrl: 'https://big/v3', region: 'north', auth: { user: { name: 'eve' } } });
    expect(config.auth.type === 'password' && config.auth.password.reveal()).toBe('hush');
    expect(config.sources).toEqual(['/here/clouds.yaml', '/etc/openstack/secure.yaml', '/here/clouds-public.yaml']);
  });

  it('takes a single cloud without being told, and lists the names where there are several', async () => {
    expect((await load({ '/here/clouds.yaml': ONE })).name).toBe('scs');
    const two = { '/here/clouds.yaml': 'clouds: {b: {}, a: {}}' };
    const error = await failure(load(two));
    expect(error).toMatchObject({ code: 'usage', exitCode: 2, message: expect.stringContaining('a, b') as string });
  });

  it('names the clouds that are there when one is not, and the file that the environment names in vain', async () => {
    const error = await failure(
      load({ '/here/clouds.yaml': ONE }, { cloud: 'nope', env: { OS_CLIENT_CONFIG_FILE: '/gone.yaml' } }),
    );
    expect(error).toMatchObject({ code: 'config.unknown_cloud', exitCode: 2, hint: 'It has: scs.' });
    expect(error.message).toContain('/gone.yaml');
  });

  it('says where to put a file when nothing is configured', async () => {
    const error = await failure(load({}));
    expect(error).toMatchObject({ code: 'config.no_cloud', exitCode: 2 });
    expect(error.hint).toContain('~/.config/openstack');
  });

  it('refuses a file that is not YAML, or no map of clouds', async () => {
    expect((await failure(load({ '/here/clouds.yaml': 'clouds: [' }))).code).toBe('config.invalid');
    expect((await failure(load({ '/here/clouds.yaml': '- a' }))).code).toBe('config.invalid');
    expect((await failure(load({ '/here/clouds.yaml': 'clouds: [a]' }))).code).toBe('config.invalid');
  });
});

describe('what wins', () => {
  const files = { '/here/clouds.yaml': ONE };

  it('lets an option win over a variable and a variable over the file, and says so', async () => {
    const config = await load(files, {
      cloud: 'scs',
      env: { OS_PROJECT_NAME: 'other', OS_REGION_NAME: 'RegionThree' },
      overrides: { region_name: 'RegionFour' },
    });
    expect(config.region).toBe('RegionFour');
    expect(config.scope).toEqual({ type: 'project', project: { name: 'other', domain: { name: 'Customers' } } });
    expect(config.warnings).toEqual([
      expect.objectContaining({
        code: 'config.env_overrides',
        message: expect.stringContaining('OS_PROJECT_NAME, OS_REGION_NAME') as string,
      }),
    ]);
  });

  it('takes OS_CLOUD, and --os-cloud before it', async () => {
    const two = {
      '/here/clouds.yaml':
        'clouds: {a: {auth: {auth_url: "http://a", username: u, password: p}}, b: {auth: {auth_url: "http://b", username: u, password: p}}}',
    };
    expect((await load(two, { env: { OS_CLOUD: 'a' } })).authUrl).toBe('http://a');
    expect((await load(two, { env: { OS_CLOUD: 'a' }, cloud: 'b' })).authUrl).toBe('http://b');
  });

  it('takes OS_* variables alone as a cloud, also beside a file', async () => {
    const env = {
      OS_AUTH_URL: 'http://env:5000',
      OS_USERNAME: 'u',
      OS_PASSWORD: 'p',
      OS_TENANT_NAME: 't',
      OS_CACERT: '',
    };
    for (const given of [{}, files]) {
      const config = await load(given, { env });
      expect(config).toMatchObject({ name: null, authUrl: 'http://env:5000', cacert: null, region: null });
      expect(config.scope).toEqual({ type: 'project', project: { name: 't', domain: { id: 'default' } } });
    }
  });
});

describe('how values are read', () => {
  it('keeps a password as it was typed, never as a number or boolean', async () => {
    const passwords = fc.oneof(
      fc.constantFrom('0123', '1e3', 'true', 'no', '0x1F', '1_000', '12:30', '.5', '007'),
      fc.stringMatching(/^[0-9a-z.]{1,12}$/),
    );
    await fc.assert(
      fc.asyncProperty(passwords, async (password) => {
        fc.pre(!/^null$/.test(password));
        const text = `clouds: {c: {auth: {auth_url: 'http://k', username: 42, password: ${password}}}}`;
        const { auth } = await load({ '/here/clouds.yaml': text });
        expect(auth.type === 'password' && auth.password.reveal()).toBe(password);
        expect(auth.type === 'password' && auth.user.name).toBe('42');
      }),
      { numRuns: 60 },
    );
  });

  it('knows merge keys, dashes in keys, nulls and the spellings of booleans', async () => {
    const text = `
x-common: &common
  auth: &auth {auth_url: 'http://k', username: u, password: p}
  region-name: ~
  endpoint-type: internalURL
clouds:
  c:
    <<: *common
    verify: 'False'
`;
    const config = await load({ '/here/clouds.yaml': text });
    expect(config).toMatchObject({ region: null, interface: 'internal', verify: false, authUrl: 'http://k' });
    expect(config.warnings.map(({ code }) => code)).toEqual(['config.tls_unverified']);
  });

  it('resolves PEM paths against the home and the working folder', async () => {
    const config = await load(
      { '/here/clouds.yaml': ONE },
      { overrides: { cacert: '~/ca.pem', cert: 'c.pem', key: '/k.pem' } },
    );
    expect(config).toMatchObject({ cacert: '/home/eve/ca.pem', cert: '/here/c.pem', key: '/k.pem' });
  });

  it('takes the first of several regions, the values of the one chosen, and refuses one that is not there', async () => {
    const text = `
clouds:
  c:
    auth: {auth_url: 'http://k', username: u, password: p}
    regions:
    - east
    - name: west
      values: {interface: internal}
`;
    expect(await load({ '/here/clouds.yaml': text })).toMatchObject({ region: 'east', interface: 'public' });
    const west = text.replace('auth:', 'region_name: west\n    auth:');
    expect(await load({ '/here/clouds.yaml': west })).toMatchObject({ region: 'west', interface: 'internal' });
    const error = await failure(load({ '/here/clouds.yaml': text }, { overrides: { region_name: 'south' } }));
    expect(error.message).toContain('east, west');
  });

  it('reads endpoint overrides by every name of a service, and microversion limits', async () => {
    const config = await load(
      { '/here/clouds.yaml': ONE },
      {
        overrides: {
          volumev3_endpoint_override: 'https://v/v3',
          compute_api_version: '2.79',
          volume_default_microversion: '3.59',
          image_api_version: '2',
          network_api_version: '2.0',
        },
      },
    );
    expect(config.endpointOverrides).toEqual({ 'block-storage': 'https://v/v3' });
    expect(config.maxMicroversions).toEqual({ compute: '2.79', 'block-storage': '3.59' });
    // These name the API, as openstackclient's defaults do.
    const plain = await load(
      { '/here/clouds.yaml': ONE },
      { overrides: { compute_api_version: '2.1', volume_api_version: '3' } },
    );
    expect(plain.maxMicroversions).toEqual({});
  });

  it('reads proxy variables, the lower case first', async () => {
    const { proxy } = await load(
      { '/here/clouds.yaml': ONE },
      {
        env: {
          HTTPS_PROXY: 'http://no:1',
          https_proxy: 'proxy.example.com:3128',
          NO_PROXY: 'localhost, .Corp.example',
        },
      },
    );
    expect(proxy).toEqual({ http: null, https: 'http://proxy.example.com:3128', no: ['localhost', '.corp.example'] });
  });

  it('warns of a secret that everyone can read, and of nothing where there is none', async () => {
    const open = await load({ '/here/clouds.yaml': { text: ONE, mode: 0o644 } });
    expect(open.warnings).toEqual([
      {
        code: 'config.world_readable',
        message: expect.stringContaining('/here/clouds.yaml') as string,
        hint: 'chmod 600 /here/clouds.yaml',
      },
    ]);
    const split = await load({
      '/here/clouds.yaml': { text: ONE.replace(/ +password.*\n/, ''), mode: 0o644 },
      '/here/secure.yaml': { text: 'clouds: {scs: {auth: {password: x}}}', mode: 0o600 },
    });
    expect(split.warnings).toEqual([]);
  });
});

describe('how to log in', () => {
  const withAuth = (auth: string, more = '') => ({
    '/here/clouds.yaml': `clouds: {c: {auth: {auth_url: 'http://k/v3', ${auth}}${more}}}`,
  });

  it('takes a password with user and project by name or id', async () => {
    const config = await load(withAuth('user_id: u1, password: p, project_id: p1'));
    expect(config.auth).toMatchObject({ type: 'password', user: { id: 'u1' } });
    expect(config.scope).toEqual({ type: 'project', project: { id: 'p1' } });
    const named = await load(withAuth('username: u, password: p, project_name: n, domain_name: Both'));
    expect(named.auth).toMatchObject({ user: { name: 'u', domain: { name: 'Both' } } });
    expect(named.scope).toEqual({ type: 'project', project: { name: 'n', domain: { name: 'Both' } } });
  });

  it('takes an application credential by id, or by name with its user; its scope is its own', async () => {
    const byId = await load(
      withAuth('application_credential_id: i, application_credential_secret: s, project_name: x'),
    );
    expect(byId).toMatchObject({ auth: { type: 'application_credential', id: 'i' }, scope: { type: 'own' } });
    const byName = await load(
      withAuth(
        'application_credential_name: n, application_credential_secret: s, username: u',
        ', auth_type: v3applicationcredential',
      ),
    );
    expect(byName.auth).toMatchObject({
      type: 'application_credential',
      name: 'n',
      user: { name: 'u', domain: { id: 'default' } },
    });
  });

  it('takes a token and a trust', async () => {
    expect(await load(withAuth('token: t, project_id: p'))).toMatchObject({ auth: { type: 'token' } });
    expect((await load(withAuth('username: u, password: p, trust_id: t'))).scope).toEqual({ type: 'trust', id: 't' });
  });

  it.each([
    ['username: u, password: p, system_scope: all', 'config.unsupported', 'system scope'],
    ['username: u, password: p, domain_id: d', 'config.unsupported', 'domain scope'],
    ['username: u', 'config.incomplete', 'password is missing'],
    ['password: p', 'config.incomplete', 'username is missing'],
    ['application_credential_secret: s', 'config.incomplete', 'application_credential_id is missing'],
  ])('refuses {%s} with a reason', async (auth, code, words) => {
    const error = await failure(load(withAuth(auth)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.hint).toBeTruthy();
  });

  it.each([
    [', auth_type: v3oidcpassword', 'config.unsupported', 'v3oidcpassword'],
    [', identity_api_version: "2.0"', 'config.unsupported', 'Identity API v3'],
    [', volume_api_version: 2', 'config.unsupported', 'Block Storage API v3'],
    [', interface: outside', 'config.invalid', 'outside'],
    [', compute_endpoint_override: nowhere', 'config.invalid', 'nowhere'],
    [', profile: https://vendor.example/', 'config.unsupported', 'https://vendor.example/'],
  ])('refuses %s with a reason', async (more, code, words) => {
    const error = await failure(load(withAuth('username: u, password: p', more)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.hint).toBeTruthy();
  });

  it('refuses an address that is none, or that is of Identity v2', async () => {
    const at = (url: string) => ({
      '/here/clouds.yaml': `clouds: {c: {auth: {auth_url: '${url}', username: u, password: p}}}`,
    });
    expect((await failure(load(at('keystone:5000')))).code).toBe('config.invalid');
    expect((await failure(load(at('http://k:5000/v2.0/')))).code).toBe('config.unsupported');
    expect((await failure(load({ '/here/clouds.yaml': 'clouds: {c: {auth: {username: u}}}' }))).message).toContain(
      'auth_url',
    );
  });

  it('shows no secret, however the configuration is printed', async () => {
    const config = await load(withAuth('username: u, password: hunter22'));
    expect(JSON.stringify(config)).not.toContain('hunter22');
  });
});
