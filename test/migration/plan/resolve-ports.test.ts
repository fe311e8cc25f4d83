import { describe, expect, it } from 'vitest';
import { defaultMapping, type MappingOptions } from '../../../src/migration/plan/options.js';
import { isWithin, resolvePorts, type NetworkFacts } from '../../../src/migration/plan/resolve-ports.js';
import type { Network, Subnet } from '../../../src/openstack/index.js';
import { nic } from '../sample-vm.js';

function network(id: string, name: string, given: Partial<Network> = {}): Network {
  return { id, name, shared: false, 'router:external': false, subnets: [], availability_zones: [], ...given };
}

function subnet(id: string, network_id: string, cidr: string, name = ''): Subnet {
  return {
    id,
    name,
    network_id,
    cidr,
    ip_version: cidr.includes(':') ? 6 : 4,
    enable_dhcp: true,
    dns_nameservers: [],
    allocation_pools: [],
  };
}

const facts: NetworkFacts = {
  networks: [
    network('n-prod', 'prod'),
    network('n-dmz', 'dmz'),
    network('n-vm', 'VM Network'),
    network('n-pub', 'public', { 'router:external': true }),
    network('n-a', 'twin'),
    network('n-b', 'twin'),
  ],
  subnets: [
    subnet('s-prod4', 'n-prod', '10.0.0.0/24', 'prod-v4'),
    subnet('s-prod6', 'n-prod', '2001:db8::/64', 'prod-v6'),
    subnet('s-dmz', 'n-dmz', '192.168.7.0/24', 'dmz-v4'),
    subnet('s-a', 'n-a', '172.16.0.0/24', 'pair'),
    subnet('s-b', 'n-b', '172.17.0.0/24', 'pair'),
  ],
  securityGroups: [
    { id: 'g-web', name: 'web', security_group_rules: [] },
    { id: 'g-1', name: 'same', security_group_rules: [] },
    { id: 'g-2', name: 'same', security_group_rules: [] },
  ],
};

function resolve(given: Partial<MappingOptions>, nics = [nic()]) {
  return resolvePorts({ name: 'web01', nics }, { ...defaultMapping, ...given }, facts);
}

function one(given: Partial<MappingOptions>, nics = [nic()]) {
  const [port] = resolve(given, nics);
  if (!port) throw new Error('no port');
  return port;
}

const map = (source: string, target: string) => ({ networks: [{ source, target }] });
const put = (target: string, ips: string[] = [], mac: string | null = null) => ({
  nics: [{ label: 'ethernet0', target, ips, mac }],
});

describe('the network of a NIC', () => {
  it('is the one of the port group’s own name where nothing is said', () => {
    expect(one({})).toEqual({
      name: 'web01-ethernet0',
      label: 'ethernet0',
      network_id: 'n-vm',
      network_name: 'VM Network',
      reason: "a network has the port group's name, VM Network",
      mac: '00:0c:29:4f:11:22',
      mac_required: false,
      fixed_ips: null,
      security_group_ids: null,
    });
  });

  it('is what --network says: by name, by id, by the name or id of a subnet', () => {
    expect(one(map('VM Network', 'prod')).network_id).toBe('n-prod');
    expect(one(map('VM Network', 'n-prod')).network_name).toBe('prod');
    expect(one(map('VM Network', 'prod-v6'))).toMatchObject({
      network_id: 'n-prod',
      fixed_ips: [{ subnet_id: 's-prod6' }],
    });
    expect(one(map('VM Network', 's-dmz'))).toMatchObject({ network_id: 'n-dmz', fixed_ips: [{ subnet_id: 's-dmz' }] });
    expect(one(map('VM Network', 'prod')).reason).toBe('--network VM Network=prod');
  });

  it('is found by a glob, the first one, but an exact name wins', () => {
    expect(one(map('VM *', 'prod')).network_id).toBe('n-prod');
    const networks = [
      { source: '*', target: 'dmz' },
      { source: 'VM *', target: 'n-a' },
      { source: 'VM Network', target: 'prod' },
    ];
    expect(one({ networks }).network_id).toBe('n-prod');
    expect(one({ networks: networks.slice(0, 2) }).network_id).toBe('n-dmz');
  });

  it('may be of a port group with "=" in its name', () => {
    expect(one(map('a=b', 'prod'), [nic({ network: 'a=b' })]).network_id).toBe('n-prod');
  });

  it('is what --nic says, before --network', () => {
    expect(one({ ...map('VM Network', 'dmz'), ...put('prod') })).toMatchObject({
      network_id: 'n-prod',
      reason: '--nic ethernet0=prod',
    });
  });

  it('is of each NIC on its own, in the guest’s order', () => {
    const nics = [nic(), nic({ label: 'ethernet1', network: 'DMZ' })];
    const ports = resolve({ networks: [{ source: 'DMZ', target: 'dmz' }] }, nics);
    expect(ports.map((port) => [port.label, port.network_id])).toEqual([
      ['ethernet0', 'n-vm'],
      ['ethernet1', 'n-dmz'],
    ]);
    expect(resolve({}, [])).toEqual([]);
  });

  it.each([
    ['no network of its name', nic({ network: 'DMZ' }), "--network 'DMZ=NETWORK'"],
    ['an external network of its name', nic({ network: 'public' }), "--network 'public=NETWORK'"],
    ['two networks of its name', nic({ network: 'twin' }), "--network 'twin=NETWORK'"],
    ['a quote in its name', nic({ network: "o'hara" }), "--network 'o'\\''hara=NETWORK'"],
    ['no port group at all', nic({ network: null }), '--nic ethernet0=NETWORK'],
  ])('is asked for where it is not said: %s', (_, own, option) => {
    expect(() => resolve({}, [own])).toThrow(
      expect.objectContaining({ code: 'nic.unmapped', exitCode: 3, hint: expect.stringContaining(option) as string }),
    );
  });

  it.each([
    ['nothing of that name', 'nowhere', /no network or subnet "nowhere"/],
    ['several networks', 'twin', /name of several: n-a, n-b/],
    ['several subnets', 'pair', /name of several: s-a, s-b/],
  ])('must be one: %s', (_, target, message) => {
    expect(() => one(map('VM Network', target))).toThrow(message);
    expect(() => one(map('VM Network', target))).toThrow(
      expect.objectContaining({ code: 'cloud.no_network', exitCode: 3 }),
    );
  });

  it('cannot be given to a NIC that is not there', () => {
    const nics = [{ label: 'ethernet5', target: 'prod', ips: [], mac: null }];
    expect(() => one({ nics })).toThrow(
      expect.objectContaining({
        code: 'nic.unmapped',
        exitCode: 2,
        hint: expect.stringContaining('It has: ethernet0') as string,
      }),
    );
  });
});

describe('the MAC of a port', () => {
  it('is kept, given up, or as asked for', () => {
    expect(one({}).mac).toBe('00:0c:29:4f:11:22');
    expect(one({ keepMac: false }).mac).toBeNull();
    expect(one(put('prod', [], '00:50:56:00:00:01'))).toMatchObject({ mac: '00:50:56:00:00:01', mac_required: true });
    expect(one({ keepMac: false, ...put('prod') })).toMatchObject({ mac: null, mac_required: false });
    expect(one({}, [nic({ mac: null })]).mac).toBeNull();
  });
});

describe('the addresses of a port', () => {
  const both = nic({ ip_addresses: ['10.0.0.5', 'fe80::20c:29ff:fe4f:1122', '2001:db8::5', '169.254.1.1'] });

  it('are kept in both families, link-local ones left out', () => {
    expect(one({ keepIp: true, ...map('VM Network', 'prod') }, [both]).fixed_ips).toEqual([
      { subnet_id: 's-prod4', ip_address: '10.0.0.5' },
      { subnet_id: 's-prod6', ip_address: '2001:db8::5' },
    ]);
  });

  it('are the network’s to choose without --keep-ip', () => {
    expect(one(map('VM Network', 'prod'), [both]).fixed_ips).toBeNull();
  });

  it('are those of --nic where it names some', () => {
    expect(one({ keepIp: true, ...put('prod', ['10.0.0.9', '10.0.0.10']) }, [both]).fixed_ips).toEqual([
      { subnet_id: 's-prod4', ip_address: '10.0.0.9' },
      { subnet_id: 's-prod4', ip_address: '10.0.0.10' },
    ]);
  });

  it('must lie in a subnet of the network', () => {
    expect(() => one(put('dmz', ['10.0.0.5']))).toThrow(
      /10\.0\.0\.5 of ethernet0 lies in no subnet of dmz \(192\.168\.7\.0\/24\)/,
    );
    expect(() => one(put('prod-v4', ['2001:db8::5']))).toThrow(
      expect.objectContaining({ code: 'cloud.ip_outside', exitCode: 3 }),
    );
    expect(() => one({ keepIp: true, ...map('VM Network', 'dmz') }, [both])).toThrow(/lies in no subnet/);
  });

  it('must be known to be kept', () => {
    expect(() => one({ keepIp: true, ...map('VM Network', 'prod') })).toThrow(/knows no address of ethernet0/);
    expect(() => one({ keepIp: true, ...map('VM Network', 'prod') }, [nic({ ip_addresses: ['fe80::1'] })])).toThrow(
      expect.objectContaining({ code: 'cloud.ip_outside' }),
    );
  });
});

describe('security groups', () => {
  it('are found by name or id; none means the default', () => {
    expect(one({ securityGroups: ['web', 'g-1'] }).security_group_ids).toEqual(['g-web', 'g-1']);
    expect(one({}).security_group_ids).toBeNull();
  });

  it.each([
    ['ssh', /no security group "ssh"/],
    ['same', /Several security groups/],
  ])('must be one: %s', (name, message) => {
    expect(() => one({ securityGroups: [name] })).toThrow(message);
    expect(() => one({ securityGroups: [name] })).toThrow(
      expect.objectContaining({ code: 'cloud.no_security_group', exitCode: 3 }),
    );
  });
});

describe('isWithin', () => {
  it.each([
    ['10.0.0.5', '10.0.0.0/24', true],
    ['10.0.1.5', '10.0.0.0/24', false],
    ['10.0.0.5', '0.0.0.0/0', true],
    ['10.0.0.5', '10.0.0.5/32', true],
    ['2001:db8::5', '2001:db8::/64', true],
    ['2001:DB8:0:0::5', '2001:db8::/64', true],
    ['2001:db9::5', '2001:db8::/64', false],
    ['10.0.0.5', '2001:db8::/64', false],
    ['2001:db8::5', '10.0.0.0/24', false],
    ['nonsense', '10.0.0.0/24', false],
    ['10.0.0.5', '10.0.0.0', false],
    ['10.0.0.5', '', false],
  ])('%s in %s: %s', (ip, cidr, within) => expect(isWithin(ip, cidr)).toBe(within));
});
