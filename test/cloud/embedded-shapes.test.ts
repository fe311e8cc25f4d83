import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startCloud, type EmbeddedCloud } from '../lab/cloud/index.js';
import { CLOUDS_FILE } from '../support/real-cloud.js';

// The embedded cloud is only worth something where it answers as a real one does. Two judges: the field's own client,
// which scripts/lab installs, and the real cloud itself, asked the same questions.

/** openstackclient, from the distribution; scripts/lab installs it. */
const CLIENT = '/usr/bin/openstack';

let directory: string;
let cloud: EmbeddedCloud;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shapes-'));
  cloud = await startCloud({ directory });
});
afterAll(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

async function openstack(args: string[], account: 'lab' | 'lab-poor' | 'lab-appcred' = 'lab') {
  const ended = await execa(CLIENT, args, {
    env: { OS_CLIENT_CONFIG_FILE: cloud.cloudsYaml, OS_CLOUD: account },
    stdin: 'ignore',
    reject: false,
  });
  return { code: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr };
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await openstack([...args, '-f', 'json']);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('openstackclient, against the embedded cloud', () => {
  test('makes image, volumes, port and server, sees them, and takes them away again', async () => {
    const before = cloud.inventory();
    const disk = join(directory, 'disk.qcow2');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '64M']);
    const properties = ['--property', 'hw_disk_bus=scsi', '--property', 'hw_scsi_model=virtio-scsi'];
    await json('image', 'create', '--file', disk, '--disk-format', 'qcow2', ...properties, '--tag', 'run=r1', 'img');
    expect(await json('image', 'show', 'img')).toMatchObject({
      status: 'active',
      virtual_size: 64 * 1024 ** 2,
      tags: ['run=r1'],
      properties: { hw_disk_bus: 'scsi', hw_scsi_model: 'virtio-scsi', os_hash_algo: 'sha512' },
    });
    await json('volume', 'create', '--image', 'img', '--size', '1', '--type', 'lab-fast', '--property', 'a=b', 'boot');
    await json('volume', 'create', '--size', '1', 'data');
    await cloud.settled();
    expect(await json('volume', 'show', 'boot')).toMatchObject({
      status: 'available',
      bootable: 'true',
      properties: { a: 'b' },
      type: 'lab-fast',
      volume_image_metadata: { hw_disk_bus: 'scsi', image_name: 'img' },
    });
    const port = ['port', 'create', '--network', 'lab-net', '--mac-address', '00:0c:29:aa:bb:cc'];
    await json(...port, '--fixed-ip', 'ip-address=10.177.0.10', '--security-group', 'web_ssh', 'nic');
    const { id: data } = await json('volume', 'show', 'data');
    const mapping = `uuid=${String(data)},source_type=volume,destination_type=volume,boot_index=-1`;
    const from = ['--flavor', 'lab.tiny', '--volume', 'boot', '--block-device', mapping, '--nic', 'port-id=nic'];
    const server = await json('server', 'create', ...from, '--key-name', 'lab-key', '--wait', 'web01');
    expect(server).toMatchObject({
      status: 'ACTIVE',
      addresses: { 'lab-net': ['10.177.0.10'] },
      image: 'N/A (booted from volume)',
    });
    expect(JSON.stringify(await json('server', 'volume', 'list', 'web01'))).toContain(String(data));
    expect((await openstack(['console', 'log', 'show', 'web01'])).stdout).toContain('No bootable device.');
    expect((await openstack(['volume', 'delete', 'boot'])).stderr).toContain(
      'Volume status must be available or error',
    );
    expect((await openstack(['server', 'delete', '--wait', 'web01'])).code).toBe(0);
    for (const args of [
      ['port', 'delete', 'nic'],
      ['volume', 'delete', 'boot', 'data'],
      ['image', 'delete', 'img'],
    ]) {
      expect((await openstack(args)).code).toBe(0);
    }
    await cloud.settled();
    expect(cloud.inventory()).toEqual(before);
  });

  test('shows what there is, to each kind of account', async () => {
    expect((await openstack(['server', 'list'], 'lab-appcred')).code).toBe(0);
    for (const args of [
      ['flavor', 'list', '--long'],
      ['volume', 'type', 'list', '--long'],
      ['availability', 'zone', 'list'],
      ['limits', 'show', '--absolute'],
      ['quota', 'show'],
    ]) {
      const { code, stdout, stderr } = await openstack([...args, '-f', 'json']);
      expect({ args, code, stderr }).toMatchObject({ args, code: 0 });
      expect(stdout.length).toBeGreaterThan(10);
    }
    const refused = await openstack(['volume', 'create', '--size', '2', 'big'], 'lab-poor');
    expect(refused.stderr).toContain('VolumeSizeExceedsAvailableQuota');
  });
});

interface Side {
  get(service: string, path: string, version?: string): Promise<{ status: number; body: unknown }>;
  project: string;
}

/** Logs in with a password and asks by the catalog, as any client. */
async function side(cloudsFile: string): Promise<Side> {
  const { clouds } = parse(await readFile(cloudsFile, 'utf8')) as {
    clouds: Record<string, { auth: Record<string, string> }>;
  };
  const auth = clouds['lab']?.auth ?? {};
  const domain = { id: 'default' };
  const user = { name: auth['username'], domain, password: auth['password'] };
  const answer = await fetch(`${(auth['auth_url'] ?? '').replace(/\/v3\/?$/, '')}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: auth['project_name'], domain } },
      },
    }),
  });
  const { token } = (await answer.json()) as {
    token: { project: { id: string }; catalog: { type: string; endpoints: { interface: string; url: string }[] }[] };
  };
  const subject = answer.headers.get('x-subject-token') ?? '';
  return {
    project: token.project.id,
    get: async (service, path, version) => {
      const endpoints = token.catalog.find((one) => one.type === service)?.endpoints ?? [];
      const base = endpoints.find((one) => one.interface === 'public')?.url.replace(/\/$/, '') ?? '';
      const key = service === 'compute' ? 'compute' : 'volume';
      const response = await fetch(base + path, {
        headers: {
          'x-auth-token': subject,
          ...(version === undefined ? {} : { 'openstack-api-version': `${key} ${version}` }),
        },
      });
      const text = await response.text();
      try {
        return { status: response.status, body: JSON.parse(text) as unknown };
      } catch {
        return { status: response.status, body: 'text' };
      }
    },
  };
}

/** Every key there is, with the kind of its value; null fits all kinds, and lists are as their entries together. */
function shape(value: unknown, path = '', found = new Map<string, Set<string>>()): Map<string, Set<string>> {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
  found.set(path, (found.get(path) ?? new Set()).add(kind));
  if (Array.isArray(value)) for (const entry of value) shape(entry, `${path}[]`, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, entry] of Object.entries(value)) shape(entry, `${path}.${key}`, found);
  }
  return found;
}

/** What of this cloud's answer the real one does not have, or has as another kind. More in the real one is no fault. */
function invented(real: unknown, ours: unknown): string[] {
  const known = shape(real);
  return [...shape(ours)]
    .filter(([path, kinds]) => {
      const there = known.get(path);
      if (!there) return true;
      return ![...kinds].every((kind) => kind === 'null' || there.has(kind) || there.has('null'));
    })
    .map(([path]) => path);
}

const UNKNOWN = '7a0b1c2d-0000-4000-8000-00000000dead';

describe('the embedded cloud beside the real one', () => {
  let real: Side;
  let ours: Side;
  beforeAll(async () => {
    real = await side(CLOUDS_FILE);
    ours = await side(cloud.cloudsYaml);
  });

  test('the comparison itself sees what is invented, and what is of another kind', () => {
    expect(invented({ a: 1, b: [{ c: 'x' }], d: null }, { a: 2, b: [{ c: 'y' }], d: 'z' })).toEqual([]);
    expect(invented({ a: 1, b: [{ c: 'x' }] }, { a: '1', b: [{ c: 'y', e: true }] })).toEqual(['.a', '.b[].e']);
  });

  test.each<[service: string, path: string, version?: string]>([
    ['identity', '/v3/auth/projects'],
    ['identity', '/v3/projects'],
    ['image', '/v2/images/nope'],
    ['image', '/v2/images?marker=nope'],
    ['block-storage', '/types'],
    ['block-storage', '/limits'],
    ['block-storage', '/os-quota-sets/PROJECT?usage=true'],
    ['block-storage', '/os-availability-zone'],
    ['block-storage', '/volumes/nope'],
    ['block-storage', '/volumes?nope=1', '3.70'],
    ['block-storage', '/volumes', '3.99'],
    ['block-storage', '/attachments'],
    ['compute', '/flavors/detail', '2.93'],
    ['compute', '/flavors', '2.1'],
    ['compute', '/limits', '2.93'],
    ['compute', '/os-quota-sets/PROJECT', '2.93'],
    ['compute', '/os-availability-zone'],
    ['compute', '/os-availability-zone/detail'],
    ['compute', '/servers/nope'],
    ['compute', '/servers/detail?all_tenants=1'],
    ['compute', '/servers', '2.99'],
    ['network', '/v2.0/networks?name=lab-net'],
    ['network', '/v2.0/subnets?name=lab-subnet'],
    ['network', '/v2.0/subnets?name=lab-subnet6'],
    ['network', '/v2.0/security-groups?name=web_ssh'],
    ['network', '/v2.0/quotas/PROJECT/details.json'],
    ['network', '/v2.0/extensions/standard-attr-tag'],
    ['network', `/v2.0/ports/${UNKNOWN}`],
    ['network', '/v2.0/ports?nope=1'],
  ])('%s %s', async (service, path, version) => {
    const ask = (one: Side) => one.get(service, path.replace('PROJECT', one.project), version);
    const [theirs, mine] = await Promise.all([ask(real), ask(ours)]);
    expect(mine.status).toBe(theirs.status);
    // Messages of errors name ids only where the caller gave them: they are the same, word for word.
    if (mine.status >= 400) expect(mine.body).toEqual(theirs.body);
    else expect(invented(theirs.body, mine.body)).toEqual([]);
  });
});
