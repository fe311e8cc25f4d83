import { describe, expect, it } from 'vitest';
import {
  preflight,
  preflightRules,
  type PreflightFacts,
  type TargetFacts,
} from '../../../src/migration/preflight/index.js';
import { flavor } from '../plan/document/facts.js';
import { disk } from '../sample-vm.js';
import { facts, group, item, network, port, subnet, target, type Changes } from './facts.js';

const TIB = 1024 ** 4;
const MIB = 1024 ** 2;
const MAC = '00:50:56:00:00:01';
/** `cloud.quota blocker cloud @cloud`, `cloud.mac_taken warning ethernet0 @12`. */
function brief(given: PreflightFacts): string[] {
  return preflight(given).map(({ place, finding: { code, severity, subject } }) => {
    const where = typeof place === 'string' ? place : place.vm;
    return `${code} ${severity} ${subject} @${where}`;
  });
}

const one = (changes: Changes, cloud: Partial<TargetFacts> = {}): PreflightFacts =>
  facts([item(changes)], { target: target(cloud) });
const onAddress = (ip_address: string): Changes => ({ port: { fixed_ips: [{ ip_address }] } });
const limits = (given: Partial<NonNullable<TargetFacts['limits']['compute']>>): Partial<TargetFacts> => {
  const all = target().limits;
  return { limits: { ...all, compute: all.compute && { ...all.compute, ...given } } };
};
const foreignNet = (given: object = {}) => ({
  networks: [network('n-1', 'prod', { project_id: 'p-9', shared: true, ...given })],
});

type Case = [name: string, given: PreflightFacts, expected: string[]];
const cases: Case[] = [
  ['nothing where all fits', one({}), []],
  ['nothing where nothing is to be made', one({ server: null, noPorts: true }), []],

  [
    'a quota that all VMs together exceed',
    facts([item(), item({ vm: { id: '13', name: 'web02' } })], {
      target: target(limits({ cores: { limit: 3, used: 0 } })),
    }),
    ['cloud.quota blocker cloud @cloud'],
  ],
  ['a quota that each VM alone keeps to', one({}, limits({ cores: { limit: 3, used: 0 } })), []],
  [
    'metadata beyond what a server may carry',
    one({ server: { metadata: { a: '1', b: '2' } } }, limits({ server_metadata: 3 })),
    ['cloud.quota blocker cloud @cloud'],
  ],

  ['a disabled flavor', one({ server: { flavor_id: 'f-off' } }), ['cloud.no_flavor blocker vm @12']],
  ['a flavor for ARM', one({ server: { flavor_id: 'f-arm' } }), ['cloud.no_flavor blocker vm @12']],
  ['an ARM guest on it', one({ vm: { guest_id: 'arm-debian12-64' }, server: { flavor_id: 'f-arm' } }), []],
  ['a smaller flavor', one({ server: { flavor_id: 'f-1' } }), ['cloud.small_flavor warning vm @12']],
  ['a GPU flavor', one({ server: { flavor_id: 'f-gpu' } }), ['cloud.special_flavor warning vm @12']],
  [
    'an image that demands more RAM',
    one({ image: { properties: { min_ram: '8192' } } }),
    ['cloud.no_flavor blocker scsi0:0 @12'],
  ],
  [
    'an image that demands a larger volume',
    one({ image: { min_disk_gib: 41 } }),
    ['cloud.volume_too_small blocker scsi0:0 @12'],
  ],

  [
    'zones that differ',
    one({ server: { zone: 'az1' }, volume: { zone: 'az2' } }),
    ['cloud.zone_mismatch warning vm @12'],
  ],
  ['zones that agree', one({ server: { zone: 'az1' }, volume: { zone: 'az1' } }), []],
  [
    'a server in a zone, its volumes anywhere',
    one({ server: { zone: 'az1' } }),
    ['cloud.zone_mismatch warning vm @12'],
  ],
  [
    'a server anywhere, its volumes in a zone',
    one({ volume: { zone: 'az1' } }),
    ['cloud.zone_mismatch warning vm @12'],
  ],
  [
    'one zone of volumes for all',
    one(
      { server: { zone: 'az1' } },
      { zones: { compute: target().zones.compute, volume: [{ name: 'nova', available: true }] } },
    ),
    [],
  ],
  [
    'a zone that is down',
    one(
      { server: { zone: 'az1' }, volume: { zone: 'az1' } },
      { zones: { compute: [{ name: 'az1', available: false }], volume: [] } },
    ),
    ['cloud.zone_mismatch blocker vm @12'],
  ],

  [
    'a disk above 1 TiB',
    one({ vm: { disks: [disk({ capacity_bytes: TIB + 1 })] } }),
    ['cloud.image_too_large warning scsi0:0 @12'],
  ],
  ['a disk of 1 TiB', one({ vm: { disks: [disk({ capacity_bytes: TIB })] } }), []],

  ['an encrypted type without Barbican', one({ volume: { type: 'safe' } }), ['cloud.volume_type warning scsi0:0 @12']],
  ['an encrypted type with it', one({ volume: { type: 'safe' } }, { catalog: ['key-manager'] }), []],
  ['an encrypted type by default', one({}, { defaultVolumeType: 'safe' }), ['cloud.volume_type warning scsi0:0 @12']],
  [
    'a type that another zone is bound to',
    one({ volume: { type: 'near', zone: 'az3' }, server: { zone: 'az3' } }),
    ['cloud.zone_mismatch blocker scsi0:0 @12'],
  ],
  ['a type in the server’s zone', one({ volume: { type: 'near', zone: 'az2' }, server: { zone: 'az2' } }), []],

  [
    'an external network',
    one({}, { networks: [network('n-1', 'ext', { project_id: 'p-9', 'router:external': true })] }),
    ['cloud.external_network blocker ethernet0 @12'],
  ],
  [
    'an external network that is shared',
    one({}, foreignNet({ 'router:external': true })),
    ['cloud.external_network warning ethernet0 @12'],
  ],
  ['a network without subnets', one({}, { subnets: [] }), ['cloud.no_address blocker ethernet0 @12']],
  [
    'a MAC on a network of others',
    one({ port: { mac: MAC } }, foreignNet()),
    ['cloud.port_policy warning ethernet0 @12'],
  ],
  [
    'a MAC by name on a network of others',
    one({ port: { mac: MAC, mac_required: true } }, foreignNet()),
    ['cloud.port_policy blocker ethernet0 @12'],
  ],
  [
    'an address on a network of others',
    one(onAddress('10.0.0.50'), foreignNet()),
    ['cloud.port_policy blocker ethernet0 @12'],
  ],
  [
    'an administrator there',
    one({ port: { mac: MAC, mac_required: true } }, { ...foreignNet(), roles: ['admin'] }),
    [],
  ],

  [
    'a pool that is used up',
    one(
      {},
      {
        subnets: [subnet('s-1', 'n-1', '10.0.0.0/24', { allocation_pools: [{ start: '10.0.0.5', end: '10.0.0.5' }] })],
        ports: [port('n-1', MAC, '10.0.0.5')],
      },
    ),
    ['cloud.no_address blocker cloud @cloud'],
  ],
  [
    'an address outside that pool',
    one(onAddress('10.0.0.9'), {
      subnets: [subnet('s-1', 'n-1', '10.0.0.0/24', { allocation_pools: [{ start: '10.0.0.5', end: '10.0.0.5' }] })],
      ports: [port('n-1', MAC, '10.0.0.5')],
    }),
    [],
  ],
  [
    'two VMs for the last address',
    facts([item(), item({ vm: { id: '13', name: 'web02' } })], {
      target: target({
        subnets: [subnet('s-1', 'n-1', '10.0.0.0/24', { allocation_pools: [{ start: '10.0.0.5', end: '10.0.0.5' }] })],
      }),
    }),
    ['cloud.no_address blocker cloud @cloud'],
  ],
  [
    'addresses that follow from MACs',
    one(
      {},
      {
        subnets: [
          subnet('s-1', 'n-1', 'fd00::/64', {
            ipv6_address_mode: 'slaac',
            allocation_pools: [{ start: 'fd00::2', end: 'fd00::2' }],
          }),
        ],
        ports: [port('n-1', MAC, 'fd00::2')],
      },
    ),
    [],
  ],

  ['a free address', one(onAddress('10.0.0.50')), []],
  ['one in a pool', one(onAddress('10.0.0.150')), ['cloud.ip_in_pool info ethernet0 @12']],
  [
    'one in use',
    one(onAddress('10.0.0.50'), { ports: [port('n-1', MAC, '10.0.0.50')] }),
    ['cloud.ip_taken blocker ethernet0 @12'],
  ],
  ['one in use on another network', one(onAddress('10.0.0.50'), { ports: [port('n-2', MAC, '10.0.0.50')] }), []],
  ['the gateway', one(onAddress('10.0.0.1')), ['cloud.ip_taken blocker ethernet0 @12']],
  ['the network’s own address', one(onAddress('10.0.0.0')), ['cloud.ip_outside blocker ethernet0 @12']],
  ['the broadcast address', one(onAddress('10.0.0.255')), ['cloud.ip_outside blocker ethernet0 @12']],
  ['one outside', one(onAddress('10.0.1.5')), ['cloud.ip_outside blocker ethernet0 @12']],
  ['one of two ends of a link', one(onAddress('10.9.0.1'), { subnets: [subnet('s-1', 'n-1', '10.9.0.0/31')] }), []],
  [
    'IPv6 in another spelling',
    one(onAddress('fd00:0::0005'), {
      subnets: [subnet('s-1', 'n-1', 'fd00::/64')],
      ports: [port('n-1', MAC, 'fd00::5')],
    }),
    ['cloud.ip_taken blocker ethernet0 @12'],
  ],
  [
    'two VMs that ask for one address',
    facts([item(onAddress('10.0.0.50')), item({ ...onAddress('10.0.0.50'), vm: { id: '13', name: 'web02' } })]),
    ['cloud.ip_taken blocker ethernet0 @12', 'cloud.ip_taken blocker ethernet0 @13'],
  ],

  [
    'a MAC in use',
    one({ port: { mac: MAC } }, { ports: [port('n-1', MAC, '10.0.0.7')] }),
    ['cloud.mac_taken warning ethernet0 @12'],
  ],
  [
    'a MAC by name in use',
    one({ port: { mac: MAC, mac_required: true } }, { ports: [port('n-1', MAC, '10.0.0.7')] }),
    ['cloud.mac_taken blocker ethernet0 @12'],
  ],
  ['a MAC in use on another network', one({ port: { mac: MAC } }, { ports: [port('n-2', MAC, '10.0.0.7')] }), []],
  [
    'two VMs of one MAC',
    facts([item({ port: { mac: MAC } }), item({ port: { mac: MAC }, vm: { id: '13', name: 'web02' } })]),
    ['cloud.mac_taken warning ethernet0 @12', 'cloud.mac_taken warning ethernet0 @13'],
  ],

  [
    'the default group alone',
    one({ port: { security_group_ids: null } }),
    ['cloud.default_security_group warning vm @12'],
  ],
  [
    'the default group by name',
    one({ port: { security_group_ids: ['g-1'] } }),
    ['cloud.default_security_group warning vm @12'],
  ],
  [
    'a default group that was opened',
    one(
      { port: { security_group_ids: null } },
      { securityGroups: [group('g-1', 'default', [{ remote_ip_prefix: '0.0.0.0/0' }])] },
    ),
    [],
  ],
  [
    'a group without rules',
    one({ port: { security_group_ids: ['g-3'] } }, { securityGroups: [group('g-3', 'empty')] }),
    ['cloud.empty_security_group warning ethernet0 @12'],
  ],
  [
    'a group with rules for what goes out only',
    one(
      { port: { security_group_ids: ['g-3'] } },
      { securityGroups: [group('g-3', 'out', [{ direction: 'egress' }])] },
    ),
    ['cloud.empty_security_group warning ethernet0 @12'],
  ],
  ['no group at all', one({ port: { security_group_ids: [] } }), ['cloud.empty_security_group warning ethernet0 @12']],
  [
    'groups where ports are not filtered',
    one({}, { networks: [network('n-1', 'prod', { port_security_enabled: false })] }),
    ['cloud.port_security blocker ethernet0 @12'],
  ],
  [
    'no groups there',
    one(
      { port: { security_group_ids: null } },
      { networks: [network('n-1', 'prod', { port_security_enabled: false })] },
    ),
    ['cloud.port_security info ethernet0 @12'],
  ],

  [
    'two servers of one name',
    facts([item(), item({ vm: { id: '13' } })]),
    ['cloud.duplicate_name warning vm @12', 'cloud.duplicate_name warning vm @13'],
  ],

  ['a reader', one({}, { roles: ['reader'] }), ['cloud.role blocker cloud @cloud']],
  ['roles of the cloud’s own', one({}, { roles: ['operators'] }), []],
  [
    'a member that makes a flavor',
    one({ server: { flavor_id: 'x', create_flavor: { vcpus: 2, ram_mib: 4096 } } }),
    ['cloud.role blocker vm @12'],
  ],
  [
    'a member whose flavor was made meanwhile',
    one({ server: { flavor_id: 'f-2', create_flavor: { vcpus: 2, ram_mib: 4096 } } }),
    [],
  ],
  [
    'an administrator that does',
    one({ server: { flavor_id: 'x', create_flavor: { vcpus: 2, ram_mib: 4096 } } }, { roles: ['admin'] }),
    [],
  ],

  ['no NIC, and an old Nova', one({ noPorts: true }, { microversion: '2.36' }), ['cloud.microversion blocker vm @12']],
  [
    'no NIC, and no microversions',
    one({ noPorts: true }, { microversion: null }),
    ['cloud.microversion blocker vm @12'],
  ],
  [
    'tags, and an old Nova',
    one({ server: { tags: ['web'] } }, { microversion: '2.51' }),
    ['cloud.microversion warning vm @12'],
  ],
  ['tags, and Nova 2.52', one({ server: { tags: ['web'] } }, { microversion: '2.52' }), []],
  ['no NIC, and Nova 2.37', one({ noPorts: true }, { microversion: '2.37' }), []],
  [
    'a host name that cannot be told',
    one({ server: { name: 'Web 01', hostname: 'web-01' } }, { microversion: '2.89' }),
    ['cloud.microversion info vm @12'],
  ],
];

const converter = {
  node: 'v20.18.0',
  qemuImg: '7.2.22',
  formats: ['raw', 'qcow2', 'vmdk'],
  problems: [],
  staging: { dir: '/srv', freeBytes: 100 * TIB, problem: null },
};
const here = (given: Partial<NonNullable<PreflightFacts['converter']>>) =>
  facts([item()], { converter: { ...converter, ...given } });
const host = { license: 'esxEnterprise', shellSeconds: 0, ssh: null, datastores: [], problem: null };
const there = (given: Partial<NonNullable<PreflightFacts['host']>>, changes: Changes = {}) =>
  facts([item(changes)], { host: { ...host, ...given } });
const full = [{ name: 'datastore1', uuid: null, type: null, capacity_bytes: TIB, free_bytes: 3 * MIB }];

const others: Case[] = [
  ['a converter that has all', here({}), []],
  [
    'a converter to which no volume can be attached, where that is asked for',
    here({ attach: { code: 'converter.no_attach', message: 'It lacks os-brick.', hint: 'apt install it' } }),
    ['converter.no_attach blocker converter @converter'],
  ],
  [
    'no qemu-img',
    here({
      qemuImg: null,
      formats: [],
      problems: [{ code: 'converter.no_qemu_img', message: 'It is not installed.', hint: 'apt install it' }],
    }),
    ['converter.no_qemu_img blocker converter @converter'],
  ],
  [
    'a qemu-img without VMDK',
    here({ formats: ['raw', 'qcow2'] }),
    ['converter.qemu_format blocker converter @converter'],
  ],
  ['a qemu-img that lists nothing', here({ formats: [] }), []],
  [
    'no room',
    facts([item({ vm: { disks: [disk({ kind: 'sparse' })] } })], {
      converter: { ...converter, staging: { dir: '/srv', freeBytes: MIB, problem: null } },
    }),
    ['converter.space blocker converter @converter'],
  ],
  ['no room, for disks that go in one pass', here({ staging: { dir: '/srv', freeBytes: MIB, problem: null } }), []],
  ['room that is not known', here({ staging: { dir: '/srv', freeBytes: null, problem: null } }), []],
  [
    'a folder that cannot be made',
    here({
      staging: {
        dir: '/srv',
        freeBytes: null,
        problem: { code: 'file.unwritable', message: 'It cannot be made.', hint: 'another' },
      },
    }),
    ['file.unwritable blocker converter @converter'],
  ],
  ['a host without anything', there({}), []],
  ['an SSH time-out', there({ shellSeconds: 600 }), ['host.ssh_timeout warning host @host']],
  ['a time-out that is not told', there({ shellSeconds: null }), []],
  ['the free licence', there({ license: 'esxBasic' }), ['host.free_license info host @host']],
  [
    'old algorithms',
    there({ ssh: { cipher: 'aes128-cbc', keyExchange: 'curve25519-sha256' } }),
    ['host.legacy_algorithms warning host @host'],
  ],
  [
    'new algorithms',
    there({ ssh: { cipher: 'aes128-gcm@openssh.com', keyExchange: 'diffie-hellman-group14-sha256' } }),
    [],
  ],
  [
    'a host that cannot be read',
    there({ problem: { code: 'host.no_ssh', message: 'It refuses.', hint: 'turn it on' } }),
    ['host.no_ssh blocker host @host'],
  ],
  [
    'a full datastore under a running VM',
    there({ datastores: full }, { vm: { power_state: 'on' } }),
    ['host.space warning host @host'],
  ],
  ['a saved inventory of eight days', there({ savedDays: 8 }), ['inventory.old warning host @host']],
  ['a saved inventory of a week', there({ savedDays: 7 }), []],
  ['a full datastore under a VM that is off', there({ datastores: full }), []],
  [
    'a full datastore of others',
    there({ datastores: full.map((one_) => ({ ...one_, name: 'datastore10' })) }, { vm: { snapshots: 1 } }),
    [],
  ],
];

describe('the rules find', () => {
  it.each([...cases, ...others])('%s', (_, given, expected) => {
    expect(brief(given)).toEqual(expected);
  });

  it('nothing on a side that was not read', () => {
    expect(
      preflight({ vms: [item({ port: { security_group_ids: null } })], target: null, host: null, converter: null }),
    ).toEqual([]);
  });

  it('only codes that they name, in sentences with remedies, the same each time', () => {
    const found = [...cases, ...others].flatMap(([, given]) => {
      for (const rule of preflightRules) {
        for (const { finding } of rule.find(given)) expect(rule.codes).toContain(finding.code);
      }
      expect(preflight(given)).toEqual(preflight(given));
      return preflight(given).map(({ finding }) => finding);
    });
    for (const { message, remedy } of found.filter(
      ({ code }) => !code.startsWith('converter.no') && code !== 'file.unwritable' && code !== 'host.no_ssh',
    )) {
      expect(message).toMatch(/^.{15,}[.]$/s);
      expect(remedy.length).toBeGreaterThan(30);
      expect(`${message} ${remedy}`).not.toMatch(/undefined|null|NaN|\[object/);
    }
    // What no case above gives is not proved.
    const proved = new Set(found.map(({ code }) => code));
    const all = preflightRules.flatMap(({ codes }) => codes);
    expect(all.filter((code) => !proved.has(code) && code !== 'convert.failed')).toEqual([]);
  });

  it('the staging of the largest VM, and names it', () => {
    const large = item({
      vm: {
        id: '13',
        name: 'big',
        disks: [disk({ kind: 'sparse', capacity_bytes: 4 * TIB, allocated_bytes: 2 * TIB })],
      },
    });
    const given = facts([item(), large], {
      converter: { ...converter, staging: { dir: '/srv', freeBytes: 3 * TIB, problem: null } },
    });
    const found = preflight(given).find(({ place }) => place === 'converter')?.finding;
    expect(found?.message).toBe('/srv has 3 TiB free; the copy of big and what it is converted to need about 4 TiB.');
    expect(found?.remedy).toMatch(/^Free 1 TiB there/);
  });

  it('the quota of a flavor that is still to be made', () => {
    const given = one(
      { server: { flavor_id: 'new', create_flavor: { vcpus: 9, ram_mib: 512 } }, hasFlavor: false },
      { ...limits({ cores: { limit: 8, used: 0 } }), flavors: [flavor('f-1', 'x', 1, 1)] },
    );
    expect(preflight(given)[0]?.finding.message).toContain('vCPU: 9 needed, 8 of 8 left');
  });
});
