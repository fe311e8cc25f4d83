import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { VM, cloudBench } from './bench.js';

/** `check` against the real cloud: what it says is what Neutron, Cinder and Nova then do. Names of our own, all removed. */

const bench = cloudBench();
const NAME = `check-${process.pid}`;
const MAC = '00:50:56:00:c4:ec';
const ids = { network: '', subnet: '', port: '', group: '' };

const oneSchema = z.record(z.string(), z.object({ id: z.string() }));
async function make(path: string, key: string, body: object): Promise<string> {
  const answer = await bench.cloud.request('network', 'POST', `/v2.0/${path}`, { [key]: body });
  return oneSchema.parse(answer)[key]?.id ?? '';
}

beforeAll(async () => {
  ids.network = await make('networks', 'network', { name: NAME });
  ids.subnet = await make('subnets', 'subnet', {
    name: NAME,
    network_id: ids.network,
    ip_version: 4,
    cidr: '10.181.7.0/24',
    allocation_pools: [{ start: '10.181.7.100', end: '10.181.7.199' }],
  });
  const fixed_ips = [{ subnet_id: ids.subnet, ip_address: '10.181.7.50' }];
  ids.port = await make('ports', 'port', { name: NAME, network_id: ids.network, mac_address: MAC, fixed_ips });
  // A new group lets all out and nothing in.
  ids.group = await make('security-groups', 'security_group', { name: NAME });
});

afterAll(async () => {
  const paths = [
    ['ports', ids.port],
    ['security-groups', ids.group],
    ['subnets', ids.subnet],
    ['networks', ids.network],
  ] as const;
  for (const [path, id] of paths) if (id !== '') await bench.cloud.request('network', 'DELETE', `/v2.0/${path}/${id}`);
});

const finding = z.object({ code: z.string(), severity: z.string(), subject: z.string(), message: z.string() });
const side = z.object({ state: z.string(), findings: z.array(finding) });
const resultSchema = z.object({
  state: z.string(),
  vms: z.array(side),
  cloud: side.extend({
    quota: z.array(z.object({ quota: z.string(), needed: z.number(), limit: z.number().nullable() })),
  }),
  converter: side,
});

async function check(code: number, args: string[], cloud = 'lab') {
  const ended = await bench.run(['check', '--vm', VM, ...args, '-f', 'json'], { OS_CLOUD: cloud });
  expect(ended.code, `${ended.stderr}\n${ended.stdout}`).toBe(code);
  const result = resultSchema.parse(JSON.parse(ended.stdout));
  const brief = (findings: z.infer<typeof finding>[]) =>
    findings.filter(({ severity }) => severity !== 'info').map((one) => `${one.code} ${one.severity} ${one.subject}`);
  return { ...result, ofVm: brief(result.vms[0]?.findings ?? []), ofCloud: brief(result.cloud.findings) };
}

const nic = (text: string) => ['--nic', `ethernet0=${text}`, '--security-group', 'web_ssh'];

/** The status with which Neutron answers to the port that the plan would ask for; one that it makes is deleted. */
async function askFor(port: object): Promise<number> {
  try {
    const id = await make('ports', 'port', { name: NAME, ...port });
    await bench.cloud.request('network', 'DELETE', `/v2.0/ports/${id}`);
    return 201;
  } catch (error) {
    return Number(/: (\d{3}) /.exec(String(error))?.[1]);
  }
}

test('a VM that is ready; the quota is what the cloud says', async () => {
  const { ofVm, ofCloud, cloud, converter } = await check(0, nic(`${NAME},ip=10.181.7.51`));
  expect(ofVm).toEqual([]);
  expect(ofCloud).toEqual([]);
  expect(converter.state).toBe('ready');
  expect(cloud.quota).toContainEqual({ quota: 'volumes', needed: 2, limit: expect.any(Number) as number });
  expect(await askFor({ network_id: ids.network, fixed_ips: [{ ip_address: '10.181.7.51' }] })).toBe(201);
  expect(await bench.runs()).toEqual(new Set());
});

test('a project that is too small', async () => {
  const { ofCloud, cloud } = await check(3, ['--network', 'VM Network=lab-provider'], 'lab-poor');
  expect(ofCloud).toEqual(['cloud.quota blocker cloud']);
  expect(cloud.findings[0]?.message).toContain('volumes: 2 needed, 1 of 1 left');
});

test('an address and a MAC in use: Neutron refuses them, too', async () => {
  expect((await check(3, nic(`${NAME},ip=10.181.7.50`))).ofVm).toEqual(['cloud.ip_taken blocker ethernet0']);
  expect(await askFor({ network_id: ids.network, fixed_ips: [{ ip_address: '10.181.7.50' }] })).toBe(409);
  expect((await check(3, nic(`${NAME},mac=${MAC}`))).ofVm).toEqual(['cloud.mac_taken blocker ethernet0']);
  expect(await askFor({ network_id: ids.network, mac_address: MAC })).toBe(409);
  expect((await check(3, nic(`${NAME},ip=10.181.7.255`))).ofVm).toEqual(['cloud.ip_outside blocker ethernet0']);
  expect(await askFor({ network_id: ids.network, fixed_ips: [{ ip_address: '10.181.7.255' }] })).toBe(400);
});

test('a network of another project: MACs and addresses are not ours to choose', async () => {
  expect((await check(0, nic('lab-provider'))).ofVm).toEqual(['cloud.port_policy warning ethernet0']);
  expect((await check(3, nic('lab-provider,mac=00:50:56:00:c4:ed'))).ofVm).toEqual([
    'cloud.port_policy blocker ethernet0',
  ]);
  const networks = z
    .object({ networks: z.array(z.object({ id: z.string() })) })
    .parse(await bench.cloud.request('network', 'GET', '/v2.0/networks?name=lab-provider'));
  expect(await askFor({ network_id: networks.networks[0]?.id, mac_address: '00:50:56:00:c4:ed' })).toBe(403);
});

test('groups that let nothing in', async () => {
  const to = ['--network', `VM Network=${NAME}`];
  expect((await check(0, [...to, '--security-group', NAME])).ofVm).toEqual([
    'cloud.empty_security_group warning ethernet0',
  ]);
  expect((await check(0, to)).ofVm).toEqual(['cloud.default_security_group warning vm']);
});

test('volume types and zones', async () => {
  const to = ['--network', `VM Network=${NAME}`, '--security-group', 'web_ssh'];
  const encrypted = await check(0, [...to, '--volume-type', 'lab-encrypted']);
  expect(encrypted.ofVm).toEqual(['cloud.volume_type warning scsi0:0', 'cloud.volume_type warning scsi0:1']);
  const unknown = await check(3, [...to, '--volume-type', 'gold', '--volume-zone', 'moon', '--zone', 'moon']);
  expect(unknown.ofVm).toEqual([
    'cloud.zone_mismatch blocker scsi0:0',
    'cloud.volume_type blocker scsi0:0',
    'cloud.zone_mismatch blocker scsi0:1',
    'cloud.volume_type blocker scsi0:1',
    'cloud.zone_mismatch blocker vm',
  ]);
  expect((await check(0, [...to, '--volume-zone', 'nova', '--zone', 'nova'])).ofVm).toEqual([]);
});
