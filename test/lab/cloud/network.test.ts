import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { login, type Answer, type Client } from './client.js';
import { startCloud } from './index.js';
import type { EmbeddedCloud } from './index.js';

let cloud: EmbeddedCloud;
let directory: string;
let lab: Client;
let own: string;
let shared: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
  cloud = await startCloud({ directory });
  lab = await login(cloud);
  const id = async (name: string) => (await lab.network('GET', `/networks?name=${name}`)).body.networks[0].id;
  own = await id('lab-net');
  shared = await id('lab-provider');
});
afterAll(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

const create = (fields: object) => lab.network('POST', '/ports', { json: { port: { network_id: own, ...fields } } });
const type = (answer: Answer) => answer.body.NeutronError.type;

describe('Neutron', () => {
  it('gives a port an address of each family, the default group and a MAC of its own', async () => {
    const { status, body } = await create({});
    expect(status).toBe(201);
    const ips = (body.port.fixed_ips as { ip_address: string }[]).map((one) => one.ip_address);
    expect(ips[0]).toMatch(/^10\.177\.0\.1\d\d$/);
    expect(ips[1]).toMatch(/^fd00:177::/);
    expect(body.port.mac_address).toMatch(/^fa:16:3e:/);
    expect(body.port.security_groups).toHaveLength(1);
    expect(body.port).toMatchObject({ status: 'DOWN', device_id: '', 'binding:vnic_type': 'normal' });
    expect(body.port['binding:vif_type']).toBeUndefined();
  });

  it('keeps MAC and addresses as they were written, and refuses them twice', async () => {
    const fixed_ips = [
      { ip_address: '10.177.0.50' },
      { ip_address: '10.177.0.51' },
      { ip_address: 'fd00:177:0:0:0::50' },
    ];
    const { body } = await create({ mac_address: '00:0C:29:AA:BB:01', fixed_ips });
    expect(body.port.mac_address).toBe('00:0C:29:AA:BB:01');
    expect((body.port.fixed_ips as { ip_address: string }[]).map((one) => one.ip_address)).toEqual([
      '10.177.0.50',
      '10.177.0.51',
      'fd00:177::50',
    ]);
    const mac = await create({ mac_address: '00:0c:29:aa:bb:01' });
    expect([mac.status, type(mac)]).toEqual([409, 'MacAddressInUse']);
    const ip = await create({ fixed_ips: [{ ip_address: 'fd00:177::0050' }] });
    expect([ip.status, type(ip)]).toEqual([409, 'IpAddressAlreadyAllocated']);
  });

  it.each([
    [{ fixed_ips: [{ ip_address: '10.99.0.1' }] }, 400, 'InvalidIpForNetwork'],
    [{ fixed_ips: [{ ip_address: '10.177.0.255' }] }, 400, 'InvalidIpForNetwork'],
    [{ fixed_ips: [{ ip_address: 'nope' }] }, 400, 'HTTPBadRequest'],
    [{ fixed_ips: [{ subnet_id: '7a0b1c2d-0000-4000-8000-000000000001' }] }, 404, 'SubnetNotFound'],
    [{ mac_address: 'nope' }, 400, 'HTTPBadRequest'],
    [{ security_groups: ['7a0b1c2d-0000-4000-8000-000000000001'] }, 404, 'SecurityGroupNotFound'],
    [{ network_id: '7a0b1c2d-0000-4000-8000-000000000001' }, 404, 'NetworkNotFound'],
    [{ foo: 1 }, 400, 'HTTPBadRequest'],
  ])('refuses %j', async (fields, status, error) => {
    const answer = await create(fields);
    expect([answer.status, type(answer)]).toEqual([status, error]);
  });

  it('lets a member choose neither MAC nor address on a shared network', async () => {
    for (const fields of [{ mac_address: '00:0c:29:aa:bb:09' }, { fixed_ips: [{ ip_address: '10.178.0.150' }] }]) {
      const refused = await create({ network_id: shared, ...fields });
      expect([refused.status, type(refused)]).toEqual([403, 'PolicyNotAuthorized']);
    }
    const port = await create({ network_id: shared });
    expect(port.status).toBe(201);
    const change = { port: { mac_address: '00:0c:29:aa:bb:09' } };
    expect((await lab.network('PUT', `/ports/${port.body.port.id}`, { json: change })).status).toBe(403);
    const named = await lab.network('PUT', `/ports/${port.body.port.id}`, { json: { port: { name: 'n' } } });
    expect(named.body.port.name).toBe('n');
    const admin = await login(cloud, 'admin', 'admin');
    const json = { port: { network_id: shared, mac_address: '00:0c:29:aa:bb:09' } };
    expect((await admin.network('POST', '/ports', { json })).status).toBe(201);
  });

  it('tags ports and finds them by tag, MAC, address and description', async () => {
    const fields = { mac_address: '00:0c:29:aa:bb:02', fixed_ips: [{ ip_address: '10.177.0.60' }], description: 'r1' };
    const { id } = (await create(fields)).body.port;
    const set = await lab.network('PUT', `/ports/${id}/tags`, { json: { tags: ['stackferry_run=r1', 'b'] } });
    expect(set.body).toEqual({ tags: ['stackferry_run=r1', 'b'] });
    expect((await lab.network('PUT', `/ports/${id}/tags/c`)).status).toBe(201);
    expect((await lab.network('DELETE', `/ports/${id}/tags/nope`)).status).toBe(404);
    for (const query of [
      'tags=stackferry_run%3Dr1,b',
      'mac_address=00:0C:29:AA:BB:02',
      'fixed_ips=ip_address%3D10.177.0.60',
      'description=r1',
    ]) {
      const { body } = await lab.network('GET', `/ports?${query}`);
      expect(body.ports.map((one) => one.id)).toEqual([id]);
    }
    expect((await lab.network('GET', '/ports?tags=nope')).body.ports).toEqual([]);
    expect((await lab.network('GET', '/ports?foo=1')).status).toBe(400);
    expect((await create({ tags: ['lost'] })).body.port.tags).toEqual([]);
    const page = await lab.network('GET', '/ports?limit=1');
    const rest = await lab.network(
      'GET',
      `/ports${new URL(page.body.ports_links[0].href).search.replace('limit=1&', '')}`,
    );
    expect(rest.body.ports).toHaveLength(cloud.inventory('lab').ports.length - 1);
    expect(Object.keys((await lab.network('GET', `/ports/${id}?fields=id`)).body.port as object)).toEqual(['id']);
  });

  it('shows what is its own and what is shared, no more', async () => {
    const names = (answer: Answer) => answer.body.networks.map((one) => one.name);
    expect(names(await lab.network('GET', '/networks'))).toEqual(['lab-net', 'lab-provider']);
    const { id } = (await create({})).body.port;
    const poor = await login(cloud, 'lab-poor');
    expect((await poor.network('GET', `/ports/${id}`)).status).toBe(404);
    expect((await poor.network('GET', `/networks/${own}`)).status).toBe(404);
  });

  it('holds the quota of ports', async () => {
    const poor = await login(cloud, 'lab-poor');
    // The DHCP agent's port on the project's own network counts too.
    cloud.quotas('lab-poor').ports = 3;
    const add = () => poor.network('POST', '/ports', { json: { port: { network_id: shared } } });
    expect([(await add()).status, (await add()).status]).toEqual([201, 201]);
    const third = await add();
    expect([third.status, third.body.NeutronError.message]).toEqual([409, "Quota exceeded for resources: ['port']."]);
    const details = await poor.network('GET', `/quotas/${poor.projectId}/details.json`);
    expect(details.body.quota.port).toEqual({ limit: 3, used: 3, reserved: 0 });
  });

  it('opens web_ssh to 22, 80, 443 and ping, for both families', async () => {
    const { body } = await lab.network('GET', '/security-groups?name=web_ssh');
    const rules = body.security_groups[0].security_group_rules as {
      direction: string;
      port_range_min: number | null;
    }[];
    const ingress = rules.filter((one) => one.direction === 'ingress');
    expect(ingress.map((one) => one.port_range_min).sort()).toEqual([22, 22, 443, 443, 80, 80, null, null].sort());
    expect((await lab.network('DELETE', `/security-groups/${body.security_groups[0].id}`)).status).toBe(204);
  });
});
