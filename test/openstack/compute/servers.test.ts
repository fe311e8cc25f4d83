import { describe, expect, it } from 'vitest';
import { connected, failure } from '../support/connect.js';

const SERVERS = '/compute/v2.1/servers';
const marker = { run: 'r7', step: 'server' };
const server = (changes: Record<string, unknown> = {}) => ({
  id: 's1',
  name: 'web01',
  status: 'ACTIVE',
  metadata: {},
  addresses: {},
  ...changes,
});
const one = (changes: Record<string, unknown> = {}) => ({ body: { server: server(changes) } });

describe('servers', () => {
  it('are created from all their volumes and ports in order, none of which goes with them', async () => {
    const { cloud, fake, ctx } = await connected({
      [`POST ${SERVERS}`]: { status: 202, body: { server: { id: 's1', links: [], adminPass: 'x' } } },
      [`GET ${SERVERS}/s1`]: one({ status: 'BUILD' }),
    });
    const made = await cloud.servers.create({
      name: 'web01',
      flavorId: 'f1',
      disks: [{ volumeId: 'v0' }, { volumeId: 'v1', diskBus: 'sata' }, { volumeId: 'v2' }],
      portIds: ['p1', 'p2'],
      keyName: 'k',
      configDrive: true,
      availabilityZone: 'az1',
      hostname: 'web01',
      metadata: { vm: 'web01' },
      marker,
    });
    expect(made.status).toBe('BUILD');
    const body = fake.seen.find(({ method, path }) => method === 'POST' && path === SERVERS)?.body;
    const disk = { source_type: 'volume', destination_type: 'volume', delete_on_termination: false };
    expect(body).toEqual({
      server: {
        name: 'web01',
        flavorRef: 'f1',
        block_device_mapping_v2: [
          { ...disk, uuid: 'v0', boot_index: 0 },
          { ...disk, uuid: 'v1', boot_index: -1, disk_bus: 'sata', device_type: 'disk' },
          { ...disk, uuid: 'v2', boot_index: -1 },
        ],
        networks: [{ port: 'p1' }, { port: 'p2' }],
        key_name: 'k',
        config_drive: true,
        availability_zone: 'az1',
        hostname: 'web01',
        metadata: { vm: 'web01', stackferry_run: 'r7', stackferry_step: 'server' },
      },
    });
    expect(ctx.told[0]).toEqual({ kind: 'resource.created', resource: 'server', id: 's1', name: 'web01' });
  });

  it('boot from the disk that is said to, have no network if none is given, and no host name from an older Nova', async () => {
    const { cloud, fake } = await connected({
      'GET /compute/v2.1/': { body: { version: { id: 'v2.1', version: '2.89', min_version: '2.1' } } },
      [`POST ${SERVERS}`]: { status: 202, body: { server: { id: 's1' } } },
      [`GET ${SERVERS}/s1`]: one(),
    });
    const disks = [
      { volumeId: 'v0', bootIndex: -1 },
      { volumeId: 'v1', bootIndex: 0 },
    ];
    await cloud.servers.create({ name: 'x', flavorId: 'f', disks, portIds: [], hostname: 'h', marker });
    expect(fake.seen.find(({ method, path }) => method === 'POST' && path === SERVERS)?.body).toMatchObject({
      server: { networks: 'none', block_device_mapping_v2: [{ boot_index: -1 }, { boot_index: 0 }] },
    });
    expect(JSON.stringify(fake.seen)).not.toContain('hostname');
  });

  it('whose creation got no answer are found by their marker', async () => {
    const { cloud, fake } = await connected({
      [`POST ${SERVERS}`]: { status: 502 },
      [`GET ${SERVERS}/detail`]: {
        body: { servers: [server({ metadata: { stackferry_run: 'r7', stackferry_step: 'server' } })] },
      },
      [`GET ${SERVERS}/s1`]: one(),
    });
    expect((await cloud.servers.create({ name: 'x', flavorId: 'f', disks: [], portIds: [], marker })).id).toBe('s1');
    expect(fake.count(`POST ${SERVERS}`)).toBe(1);
  });

  it('are waited for, and the fault of Nova is told when they fail', async () => {
    const { cloud, ctx } = await connected({
      [`GET ${SERVERS}/s1`]: [one({ status: 'BUILD', 'OS-EXT-STS:task_state': 'spawning' }), one()],
      [`GET ${SERVERS}/s2`]: one({
        status: 'ERROR',
        fault: { code: 500, created: '', message: 'No valid host was found. There are not enough hosts available.' },
      }),
      [`GET ${SERVERS}/s3`]: one({ status: 'ERROR' }),
    });
    expect((await cloud.servers.waitActive('s1', { timeoutMs: 60_000 })).status).toBe('ACTIVE');
    expect(ctx.told[1]).toMatchObject({ kind: 'wait.progress', state: 'BUILD (spawning)' });
    const error = await failure(cloud.servers.waitActive('s2', { timeoutMs: 1 }));
    expect(error.code).toBe('cloud.server_failed');
    expect(error.message).toBe('Server web01 is ERROR: No valid host was found. There are not enough hosts available.');
    expect(error.hint).toContain('flavor');
    expect((await failure(cloud.servers.waitActive('s3', { timeoutMs: 1 }))).message).toContain('gives no reason');
  });

  it('that do not get there in time say what Nova is at', async () => {
    const { cloud } = await connected({
      [`GET ${SERVERS}/s1`]: one({ status: 'BUILD', 'OS-EXT-STS:task_state': 'block_device_mapping' }),
    });
    const error = await failure(cloud.servers.waitActive('s1', { timeoutMs: 4_000, option: '--timeout-server' }));
    expect(error.code).toBe('cloud.server_timeout');
    expect(error.message).toContain('block_device_mapping');
    expect(error.hint).toContain('--timeout-server');
  });

  it('are started and stopped; being there already is no error, being locked is', async () => {
    const conflict = { status: 409, body: { conflictingRequest: { code: 409, message: 'Cannot stop' } } };
    const { cloud } = await connected({
      [`POST ${SERVERS}/s1/action`]: [{ status: 202 }, conflict, conflict],
      [`GET ${SERVERS}/s1`]: [one({ status: 'SHUTOFF' }), one({ status: 'ACTIVE' })],
    });
    await cloud.servers.stop('s1');
    await cloud.servers.stop('s1');
    expect((await failure(cloud.servers.stop('s1'))).code).toBe('cloud.conflict');
  });

  it('are deleted and seen to be gone', async () => {
    const { cloud, ctx } = await connected({
      [`DELETE ${SERVERS}/s1`]: [{ status: 204 }, { status: 404 }],
      [`GET ${SERVERS}/s1`]: [one({ 'OS-EXT-STS:task_state': 'deleting' }), { status: 404 }],
    });
    expect(await cloud.servers.delete('s1')).toBe(true);
    await cloud.servers.waitDeleted('s1', { timeoutMs: 60_000 });
    expect(ctx.told.at(-1)).toMatchObject({ kind: 'resource.deleted', resource: 'server', id: 's1' });
    expect(await cloud.servers.delete('s1')).toBe(false);
  });

  it('show their console, or that there is none to show', async () => {
    const ACTION = `POST ${SERVERS}/s1/action`;
    const { cloud, fake } = await connected({
      [ACTION]: [
        { body: { output: 'web01 login: ' } },
        { body: { output: null } },
        { status: 404 },
        { status: 409 },
        { status: 501 },
      ],
    });
    expect(await cloud.servers.consoleLog('s1', 50)).toBe('web01 login: ');
    expect(fake.seen.at(-1)?.body).toEqual({ 'os-getConsoleOutput': { length: 50 } });
    for (let i = 0; i < 4; i++) expect(await cloud.servers.consoleLog('s1')).toBeNull();
  });

  it('show their volumes and ports, and are found by name exactly', async () => {
    const { cloud } = await connected({
      [`GET ${SERVERS}/s1/os-volume_attachments`]: {
        body: {
          volumeAttachments: [{ volumeId: 'v0', device: '/dev/sda', delete_on_termination: false, serverId: 's1' }],
        },
      },
      [`GET ${SERVERS}/s1/os-interface`]: {
        body: {
          interfaceAttachments: [
            { port_id: 'p1', net_id: 'n1', mac_addr: 'fa:16:3e:00:00:01', port_state: 'ACTIVE', fixed_ips: null },
          ],
        },
      },
      [`GET ${SERVERS}/detail`]: { body: { servers: [server(), server({ id: 's2', name: 'web01-b' })] } },
    });
    expect(await cloud.servers.volumeAttachments('s1')).toEqual([
      { volumeId: 'v0', device: '/dev/sda', delete_on_termination: false },
    ]);
    expect((await cloud.servers.interfaces('s1'))[0]).toMatchObject({ port_id: 'p1', fixed_ips: [] });
    expect((await cloud.servers.list({ name: 'web01' })).map(({ id }) => id)).toEqual(['s1']);
  });
});

describe('flavors and key pairs', () => {
  const flavor = { id: 'f1', name: 'SCS-1V-4', vcpus: 1, ram: 4096, disk: 0 };
  it('come with extra specs, which an older Nova gives one by one', async () => {
    const now = await connected({
      'GET /compute/v2.1/flavors/detail': { body: { flavors: [{ ...flavor, extra_specs: { a: 'b' } }] } },
    });
    expect((await now.cloud.flavors.list())[0]).toMatchObject({
      extra_specs: { a: 'b' },
      'OS-FLV-DISABLED:disabled': false,
    });
    const old = await connected({
      'GET /compute/v2.1/': { body: { version: { id: 'v2.1', version: '2.60', min_version: '2.1' } } },
      'GET /compute/v2.1/flavors/detail': { body: { flavors: [flavor, { ...flavor, id: 'f2' }] } },
      'GET /compute/v2.1/flavors/f1/os-extra_specs': { body: { extra_specs: { c: 'd' } } },
      'GET /compute/v2.1/flavors/f2/os-extra_specs': { status: 403 },
    });
    expect((await old.cloud.flavors.list()).map(({ extra_specs }) => extra_specs)).toEqual([{ c: 'd' }, {}]);
  });

  it('and key pairs by name', async () => {
    const { cloud } = await connected({
      'GET /compute/v2.1/os-keypairs': { body: { keypairs: [{ keypair: { name: 'k', fingerprint: 'aa:bb' } }] } },
    });
    expect(await cloud.keypairs.list()).toEqual([{ name: 'k', fingerprint: 'aa:bb' }]);
  });
});
