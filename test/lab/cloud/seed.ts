/**
 * What the cloud holds when it starts: the same as the real lab (scripts/lab): projects `lab`, `lab-poor` and `admin`,
 * the mandatory flavors of Sovereign Cloud Stack (scs-0103) and small ones, volume types by aspect (scs-0114), a network
 * of the project's own with both families and a shared provider network, security groups, a key pair.
 */
import { randomBytes } from 'node:crypto';
import type { CloudState, Flavor, Network, Port, Project, Subnet, User } from './state.js';
import type { Quotas } from './types.js';
import { fingerprint } from './compute/flavors.js';
import { applicationCredential } from './identity/tokens.js';
import { defaultPools } from './network/ports.js';
import { allow, makeGroup } from './network/security-groups.js';
import { cinderTime, newHexId, newId, zuluTime } from './values.js';

/** The password of every account. */
export const PASSWORD = 'lab';

const RICH: Quotas = {
  instances: 50,
  cores: 200,
  ram: 409_600,
  volumes: 200,
  gigabytes: 5000,
  snapshots: 100,
  perType: {},
  ports: 500,
};

/** Too little for any migration: one server, one volume of 1 GiB; the rest is Nova's and Neutron's default. */
const POOR: Quotas = { ...RICH, instances: 1, cores: 20, ram: 51_200, volumes: 1, gigabytes: 1, snapshots: 10 };

/** scs-0103, mandatory. */
const SCS = [
  'SCS-1L-1',
  'SCS-1V-2',
  'SCS-1V-4',
  'SCS-1V-8',
  'SCS-2V-4',
  'SCS-2V-8',
  'SCS-2V-16',
  'SCS-2V-4-20s',
  'SCS-4V-8',
  'SCS-4V-16',
  'SCS-4V-32',
  'SCS-4V-16-100s',
  'SCS-8V-16',
  'SCS-8V-32',
  'SCS-16V-32',
];

function scsFlavor(name: string): Flavor {
  const [cpu = '', ram = '0', disk = '0'] = name.slice('SCS-'.length).split('-');
  return {
    id: newId(),
    name,
    vcpus: Number.parseInt(cpu),
    ram: Number(ram) * 1024,
    disk: Number.parseInt(disk),
    extra_specs: {
      // scs-0103: the name of the first naming standard has colons where the present one has dashes.
      'scs:name-v1': name.replaceAll('-', ':').replace(':', '-'),
      'scs:name-v2': name,
      'scs:cpu-type': cpu.endsWith('L') ? 'crowded-core' : 'shared-core',
      ...(disk.endsWith('s') ? { 'scs:disk0-type': 'ssd' } : {}),
    },
  };
}

function smallFlavor(name: string, vcpus: number, ram: number, disk: number): Flavor {
  return { id: newId(), name, vcpus, ram, disk, extra_specs: {} };
}

function network(name: string, projectId: string, shared: boolean): Network {
  return {
    id: newId(),
    name,
    project_id: projectId,
    shared,
    external: false,
    is_default: false,
    mtu: shared ? 1500 : 1450,
    port_security_enabled: true,
    created_at: zuluTime(),
  };
}

function subnet(net: Network, name: string, cidr: string, gateway: string, pool?: [string, string]): Subnet {
  const six = cidr.includes(':');
  return {
    id: newId(),
    name,
    network_id: net.id,
    project_id: net.project_id,
    ip_version: six ? 6 : 4,
    cidr,
    gateway_ip: gateway,
    allocation_pools: pool ? [{ start: pool[0], end: pool[1] }] : defaultPools(cidr, gateway),
    ipv6_mode: six ? 'dhcpv6-stateful' : null,
    enable_dhcp: true,
    created_at: zuluTime(),
  };
}

/** The port that Neutron's DHCP agent takes on each network: the first address of each pool (seen on the real lab). */
function dhcpPort(state: CloudState, net: Network): Port {
  const now = zuluTime();
  return {
    id: newId(),
    name: '',
    description: '',
    network_id: net.id,
    project_id: net.project_id,
    mac_address: 'fa:16:3e:00:00:01',
    fixed_ips: state.subnets
      .filter((one) => one.network_id === net.id)
      .map((one) => ({ subnet_id: one.id, ip_address: one.allocation_pools[0]?.start ?? '' })),
    security_groups: [],
    allowed_address_pairs: [],
    tags: [],
    device_id: `dhcp-${net.id}`,
    device_owner: 'network:dhcp',
    status: 'ACTIVE',
    admin_state_up: true,
    port_security_enabled: false,
    binding_host: 'lab',
    created_at: now,
    updated_at: now,
    revision: 1,
  };
}

export function seed(): CloudState {
  const project = (name: string, quotas: Quotas): Project => ({
    id: newHexId(),
    name,
    quotas: structuredClone(quotas),
  });
  const lab = project('lab', RICH);
  const poor = project('lab-poor', POOR);
  const admin = project('admin', RICH);
  const labUser: User = {
    id: newHexId(),
    name: 'lab',
    password: PASSWORD,
    default_project_id: lab.id,
    roles: { [lab.id]: ['member', 'reader'], [poor.id]: ['member', 'reader'] },
  };
  const adminUser: User = {
    id: newHexId(),
    name: 'admin',
    password: PASSWORD,
    default_project_id: admin.id,
    roles: { [admin.id]: ['admin', 'member', 'reader'] },
  };
  const labNet = network('lab-net', lab.id, false);
  // The real lab has none: here a project with small quotas can ask for MACs and addresses as well.
  const poorNet = network('lab-poor-net', poor.id, false);
  const provider = network('lab-provider', admin.id, true);
  // A public key that nobody has the private half of: enough to be listed and named.
  const blob = Buffer.concat([Buffer.from('0000000b7373682d6564323535313900000020', 'hex'), randomBytes(32)]);
  const publicKey = `ssh-ed25519 ${blob.toString('base64')} lab`;
  const state: CloudState = {
    version: 1,
    projects: [lab, poor, admin],
    users: [labUser, adminUser],
    applicationCredentials: [applicationCredential('lab', labUser.id, lab.id)],
    tokens: [],
    images: [],
    volumeTypes: [
      { id: newId(), name: 'lab', description: 'the default' },
      { id: newId(), name: 'lab-fast', description: '[scs:replicated] fast' },
      { id: newId(), name: 'lab-encrypted', description: '[scs:encrypted] described so, not encrypted' },
      { id: newId(), name: '__DEFAULT__', description: 'Default Volume Type' },
    ],
    volumes: [],
    attachments: [],
    messages: [],
    flavors: [
      smallFlavor('lab.tiny', 1, 256, 0),
      smallFlavor('lab.small', 1, 512, 1),
      smallFlavor('lab.medium', 2, 2048, 0),
      ...SCS.map(scsFlavor),
    ],
    servers: [],
    keypairs: [
      {
        name: 'lab-key',
        user_id: labUser.id,
        public_key: publicKey,
        fingerprint: fingerprint(publicKey),
        created_at: cinderTime(),
      },
    ],
    networks: [labNet, poorNet, provider],
    subnets: [
      subnet(labNet, 'lab-subnet', '10.177.0.0/24', '10.177.0.1', ['10.177.0.100', '10.177.0.199']),
      subnet(labNet, 'lab-subnet6', 'fd00:177::/64', 'fd00:177::1'),
      subnet(poorNet, 'lab-poor-subnet', '10.179.0.0/24', '10.179.0.1'),
      subnet(provider, 'lab-provider-subnet', '10.178.0.0/24', '10.178.0.1', ['10.178.0.100', '10.178.0.199']),
    ],
    ports: [],
    securityGroups: [],
    computeZones: ['nova'],
    volumeZones: ['nova'],
  };
  for (const one of state.projects) makeGroup(state, one.id, 'default', 'Default security group');
  for (const one of [lab, poor]) {
    const web = makeGroup(state, one.id, 'web_ssh', '22, 80, 443 and ping');
    for (const port of [22, 80, 443]) allow(web, port);
    allow(web, 'ping');
  }
  for (const net of state.networks) state.ports.push(dhcpPort(state, net));
  allow(makeGroup(state, lab.id, 'lab-open', 'everything in'), 'all');
  return state;
}
