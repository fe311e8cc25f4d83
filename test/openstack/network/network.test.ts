import { describe, expect, it } from 'vitest';
import { connected, failure } from '../support/connect.js';
import { tokenBody } from '../support/fake-cloud.js';

const PORTS = '/network/v2.0/ports';
const marker = { run: 'r7', step: 'port:ethernet0' };
const port = (changes: Record<string, unknown> = {}) => ({
  id: 'p1',
  name: 'web01-ethernet0',
  network_id: 'n1',
  mac_address: '00:50:56:AA:BB:CC',
  fixed_ips: [{ subnet_id: 's1', ip_address: '10.0.0.5' }],
  status: 'DOWN',
  ...changes,
});
const neutronError = (status: number, type: string, message = 'no') => ({
  status,
  body: { NeutronError: { type, message, detail: '' } },
});

describe('ports', () => {
  it('are created with MAC, addresses, groups and the marker in one request, then tagged', async () => {
    const { cloud, fake } = await connected({
      [`POST ${PORTS}`]: { status: 201, body: { port: port() } },
      [`PUT ${PORTS}/p1/tags`]: { body: { tags: [] } },
    });
    const made = await cloud.ports.create({
      name: 'web01-ethernet0',
      networkId: 'n1',
      macAddress: '00:50:56:AA:BB:CC',
      fixedIps: [{ ipAddress: '10.0.0.5' }, { subnetId: 's6' }, { subnetId: 's7', ipAddress: 'fd00::5' }],
      securityGroupIds: ['g1'],
      allowedAddressPairs: [{ ipAddress: '10.0.0.9' }, { ipAddress: '10.0.0.10', macAddress: '00:00:00:00:00:01' }],
      portSecurity: true,
      marker,
    });
    expect(made).toMatchObject({
      mac_address: '00:50:56:aa:bb:cc',
      tags: ['stackferry_run=r7', 'stackferry_step=port:ethernet0'],
    });
    expect(fake.seen.at(-2)?.body).toEqual({
      port: {
        network_id: 'n1',
        name: 'web01-ethernet0',
        description: 'stackferry_run=r7 stackferry_step=port:ethernet0',
        mac_address: '00:50:56:aa:bb:cc',
        fixed_ips: [{ ip_address: '10.0.0.5' }, { subnet_id: 's6' }, { subnet_id: 's7', ip_address: 'fd00::5' }],
        security_groups: ['g1'],
        allowed_address_pairs: [
          { ip_address: '10.0.0.9' },
          { ip_address: '10.0.0.10', mac_address: '00:00:00:00:00:01' },
        ],
        port_security_enabled: true,
      },
    });
    expect(fake.seen.at(-1)?.body).toEqual({ tags: ['stackferry_run=r7', 'stackferry_step=port:ethernet0'] });
  });

  it('without a wish leave the choice to Neutron, and do without tags where there are none', async () => {
    const { cloud, fake } = await connected({ [`POST ${PORTS}`]: { status: 201, body: { port: port() } } });
    expect((await cloud.ports.create({ name: 'x', networkId: 'n1', marker })).tags).toEqual([]);
    expect(Object.keys((fake.seen.at(-2)?.body as { port: object }).port).sort()).toEqual([
      'description',
      'name',
      'network_id',
    ]);
  });

  it.each([
    [neutronError(409, 'MacAddressInUse'), 'cloud.mac_taken'],
    [neutronError(409, 'IpAddressInUse'), 'cloud.ip_taken'],
    [neutronError(409, 'IpAddressAlreadyAllocated'), 'cloud.ip_taken'],
    [neutronError(409, 'IpAddressGenerationFailure'), 'cloud.no_address'],
    [neutronError(409, 'OverQuota', "Quota exceeded for resources: ['port']."), 'cloud.quota'],
    [
      neutronError(403, 'PolicyNotAuthorized', 'rule:create_port:mac_address is disallowed by policy'),
      'cloud.port_policy',
    ],
    [neutronError(400, 'InvalidIpForNetwork', 'IP address 10.9.0.1 is not a valid IP'), 'cloud.bad_request'],
  ])('%o is %s', async (answer, code) => {
    const { cloud } = await connected({ [`POST ${PORTS}`]: answer });
    const error = await failure(
      cloud.ports.create({ name: 'x', networkId: 'n1', macAddress: '00:50:56:00:00:01', marker }),
    );
    expect(error.code).toBe(code);
    expect(error.hint).toBeTruthy();
    expect(error.details['request_id']).toMatch(/^req-/);
  });

  it('that are not allowed at all are forbidden, not a matter of MACs', async () => {
    const { cloud } = await connected({ [`POST ${PORTS}`]: neutronError(403, 'PolicyNotAuthorized') });
    expect((await failure(cloud.ports.create({ name: 'x', networkId: 'n1', marker }))).code).toBe('cloud.forbidden');
  });

  it('are found by marker, tagged or not, and never those of a run with a longer name', async () => {
    const text = (run: string, step: string) => `stackferry_run=${run} stackferry_step=${step}`;
    const { cloud } = await connected({
      [`GET ${PORTS}`]: {
        body: {
          ports: [
            port({ description: text('r7', 'port:ethernet0') }),
            port({ id: 'p2', description: text('r7', 'port:ethernet1') }),
            port({ id: 'p3', description: text('r77', 'port:ethernet0') }),
            port({ id: 'p4', description: 'mine' }),
          ],
        },
      },
    });
    expect((await cloud.ports.findByMarker({ run: 'r7' })).map(({ id }) => id)).toEqual(['p1', 'p2']);
    expect((await cloud.ports.findByMarker(marker)).map(({ id }) => id)).toEqual(['p1']);
  });

  it('are listed by what they carry, and deleted', async () => {
    const { cloud, fake } = await connected({
      [`GET ${PORTS}`]: { body: { ports: [] } },
      [`DELETE ${PORTS}/p1`]: [{ status: 204 }, { status: 404 }],
    });
    await cloud.ports.list({
      macAddress: 'AA:BB:CC:00:00:01',
      ipAddress: '10.0.0.5',
      deviceId: 'd',
      networkId: 'n',
      name: 'x',
    });
    expect(fake.seen.at(-1)?.query).toEqual({
      mac_address: 'aa:bb:cc:00:00:01',
      fixed_ips: 'ip_address=10.0.0.5',
      device_id: 'd',
      network_id: 'n',
      name: 'x',
    });
    expect(await cloud.ports.delete('p1')).toBe(true);
    expect(await cloud.ports.delete('p1')).toBe(false);
  });
});

describe('networks and security groups', () => {
  const routes = {
    'GET /network/v2.0/networks': {
      body: {
        networks: [
          { id: 'n1', name: 'mine', project_id: 'p1', subnets: ['s1'] },
          { id: 'n2', name: 'shared', project_id: 'other', shared: true },
          { id: 'n3', name: 'out', project_id: 'other', 'router:external': true },
          { id: 'n4', name: 'theirs', project_id: 'other' },
        ],
      },
    },
    'GET /network/v2.0/subnets': {
      body: {
        subnets: [
          { id: 's1', name: 'v4', network_id: 'n1', ip_version: 4, cidr: '10.0.0.0/24', gateway_ip: '10.0.0.1' },
          { id: 's4', name: '', network_id: 'n4', ip_version: 6, cidr: 'fd00::/64' },
        ],
      },
    },
    'GET /network/v2.0/security-groups': {
      body: {
        security_groups: [
          { id: 'g1', name: 'default', project_id: 'p1' },
          { id: 'g2', name: 'default', project_id: 'other' },
        ],
      },
    },
  };

  it('are all that Neutron shows to a member', async () => {
    const { cloud } = await connected(routes);
    expect((await cloud.networks.list()).map(({ name }) => name)).toEqual(['mine', 'shared', 'out', 'theirs']);
    expect((await cloud.networks.subnets()).map(({ id }) => id)).toEqual(['s1', 's4']);
    expect(await cloud.securityGroups.list()).toHaveLength(2);
  });

  it('and to an administrator without those of other projects', async () => {
    const { cloud } = await connected({
      ...routes,
      'POST /identity/v3/auth/tokens': (_seen, { req }) => ({
        status: 201,
        headers: { 'x-subject-token': 't' },
        body: tokenBody(`http://${req.headers.host ?? ''}`, { roles: [{ name: 'admin' }] }),
      }),
    });
    expect((await cloud.networks.list()).map(({ name }) => name)).toEqual(['mine', 'shared', 'out']);
    expect((await cloud.networks.subnets()).map(({ id }) => id)).toEqual(['s1']);
    expect((await cloud.securityGroups.list()).map(({ id }) => id)).toEqual(['g1']);
  });
});
