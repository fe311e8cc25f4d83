import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { RealCloud, cloudEntry } from '../support/real-cloud.js';
import { cloudBench, expectDone } from './bench.js';

const bench = cloudBench();

interface Check {
  area: string;
  what: string;
  state: string;
  seen: string;
  hint: string | null;
}

/** What `doctor` sees; exit code 0. */
async function doctor(
  changes: Record<string, string | undefined>,
  ...args: string[]
): Promise<{ checks: Check[]; stderr: string }> {
  const ended = await bench.run(['doctor', '-f', 'json', ...args], changes);
  expectDone(ended);
  const { checks, ok } = JSON.parse(ended.stdout) as { checks: Check[]; ok: boolean };
  expect(ok).toBe(true);
  return { checks, stderr: ended.stderr };
}

const loginOf = (checks: Check[]) => checks.find(({ area, what }) => area === 'cloud' && what === 'login')?.seen;

/** No cloud of clouds.yaml, none of its variables: what counts is what a test sets. */
const BARE = { OS_CLOUD: undefined, OS_CLIENT_CONFIG_FILE: undefined };
const SERVICES = ['identity', 'image', 'block-storage', 'compute', 'network'];

describe('doctor, against both', () => {
  test('finds all in order, changes nothing, and says what it cannot see', async () => {
    const before = await bench.listing();
    const { checks } = await doctor({});
    const state = (area: string) =>
      Object.fromEntries(checks.filter((check) => check.area === area).map((check) => [check.what, check.state]));
    expect(state('converter')).toEqual({ node: 'ok', 'qemu-img': 'ok', space: 'ok' });
    expect(state('host')).toEqual({
      ssh: 'ok',
      api: 'warning',
      'https datastore': 'unknown',
      'nfc lease': 'unknown',
      version: 'ok',
      license: 'ok',
      'shell time-out': 'ok',
      'read rate': 'ok',
    });
    expect(state('cloud')).toEqual({
      login: 'ok',
      ...Object.fromEntries(SERVICES.map((service) => [service, 'ok'])),
      'quota left': 'ok',
      'storage backend': 'unknown',
    });
    const seen = (what: string) => checks.find((check) => check.what === what)?.seen;
    expect(seen('version')).toMatch(/^VMware ESXi \d+\.\d+\.\d+ build \d+$/);
    expect(seen('read rate')).toMatch(/MiB\/s on one connection/);
    expect(seen('compute')).toMatch(/up to 2\.\d+$/);
    expect(seen('quota left')).toMatch(/^\d+ servers, \d+ cores, \d+ GiB of volumes$/);
    expect(await bench.listing()).toEqual(before);
  });

  test('says what does not work, and goes on with the rest', async () => {
    const ended = await bench.run(['doctor', '-f', 'json'], {
      STACKFERRY_ESXI_SSH_PORT: '1',
      OS_CLOUD: 'lab-wrong-project',
    });
    expect(ended.code).toBe(1);
    const { checks } = JSON.parse(ended.stdout) as { checks: Check[] };
    const bad = checks.filter(({ state }) => state === 'bad');
    expect(bad.map(({ area, what }) => `${area} ${what}`)).toEqual(['host ssh', 'host api', 'cloud login']);
    for (const { hint } of bad) expect(hint).not.toBeNull();
  });
});

describe('ways to log in to the cloud', () => {
  test('clouds.yaml by OS_CLIENT_CONFIG_FILE, the cloud by OS_CLOUD or --os-cloud', async () => {
    expect(loginOf((await doctor({ OS_CLOUD: 'lab' })).checks)).toBe('lab, project lab as lab');
    const { checks } = await doctor({ OS_CLOUD: undefined }, '--os-cloud', 'lab-other');
    expect(loginOf(checks)).toBe('lab-other, project lab-other as lab-other');
    const over = await doctor({ OS_CLOUD: 'lab-other' }, '--os-cloud', 'lab');
    expect(loginOf(over.checks)).toBe('lab, project lab as lab');
  });

  test('secure.yaml beside it holds the password', async () => {
    const { auth, region_name } = await cloudEntry('lab');
    const { password, ...open } = auth;
    const clouds = bench.path('clouds.yaml');
    await writeFile(clouds, JSON.stringify({ clouds: { mine: { region_name, auth: open } } }));
    await writeFile(bench.path('secure.yaml'), JSON.stringify({ clouds: { mine: { auth: { password } } } }), {
      mode: 0o600,
    });
    const { checks } = await doctor({
      OS_CLOUD: 'mine',
      OS_CLIENT_CONFIG_FILE: clouds,
      OS_CLIENT_SECURE_FILE: bench.path('secure.yaml'),
    });
    expect(loginOf(checks)).toBe('mine, project lab as lab');
  });

  test('a password by OS_* alone', async () => {
    const { auth, region_name } = await cloudEntry('lab');
    const { checks } = await doctor({
      ...BARE,
      OS_AUTH_URL: auth.auth_url,
      OS_USERNAME: auth.username,
      OS_PASSWORD: auth.password,
      OS_PROJECT_NAME: auth.project_name,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: region_name,
    });
    expect(loginOf(checks)).toContain('project lab as lab');
  });

  test('an application credential, by clouds.yaml and by OS_*', async () => {
    expect(loginOf((await doctor({ OS_CLOUD: 'lab-appcred' })).checks)).toBe('lab-appcred, project lab as lab');
    const { auth } = await cloudEntry('lab-appcred');
    const { checks } = await doctor({
      ...BARE,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_AUTH_URL: auth.auth_url,
      OS_APPLICATION_CREDENTIAL_ID: auth.application_credential_id,
      OS_APPLICATION_CREDENTIAL_SECRET: auth.application_credential_secret,
    });
    expect(loginOf(checks)).toContain('project lab as lab');
  });

  test('a token that was issued before, for its own project and for the one that is named', async () => {
    const { auth } = await cloudEntry('lab');
    const { token } = await RealCloud.connect('lab');
    const common = { ...BARE, OS_AUTH_TYPE: 'v3token', OS_AUTH_URL: auth.auth_url, OS_TOKEN: token };
    expect(loginOf((await doctor(common)).checks)).toContain('project lab as lab');
    const named = await doctor({ ...common, OS_PROJECT_NAME: 'lab-poor', OS_PROJECT_DOMAIN_NAME: 'Default' });
    expect(loginOf(named.checks)).toContain('project lab-poor as lab');
  });

  test('a token that is none is refused, and not shown', async () => {
    const { auth } = await cloudEntry('lab');
    const changes = { ...BARE, OS_AUTH_TYPE: 'v3token', OS_AUTH_URL: auth.auth_url, OS_TOKEN: 'gAAAAAB-not-a-token' };
    const ended = await bench.run(['doctor', '-f', 'json'], changes);
    expect(ended.code).toBe(1);
    const { checks } = JSON.parse(ended.stdout) as { checks: Check[] };
    expect(checks.find(({ what }) => what === 'login')).toMatchObject({ area: 'cloud', state: 'bad' });
    expect(ended.stdout + ended.stderr).not.toContain('not-a-token');
  });

  test('a domain or the system as scope is refused with a reason', async () => {
    const { auth } = await cloudEntry('lab');
    const user = { OS_AUTH_URL: auth.auth_url, OS_USERNAME: auth.username, OS_PASSWORD: auth.password };
    for (const scope of [{ OS_DOMAIN_NAME: 'Default' }, { OS_SYSTEM_SCOPE: 'all' }]) {
      const ended = await bench.run(['doctor', '-f', 'json'], { ...BARE, ...user, ...scope });
      expect(ended.code).toBe(1);
      expect(ended.stdout).toContain('volumes and images belong to projects');
    }
  });
});
