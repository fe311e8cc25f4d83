import type { PreflightFacts, PreflightVm, TargetFacts } from '../../../src/migration/preflight/index.js';
import { seenOf } from '../../../src/migration/plan/document/index.js';
import type { Limit, Network, Port, SecurityGroup, Subnet } from '../../../src/openstack/index.js';
import { flavor } from '../plan/document/facts.js';
import { vm, type VmChanges } from '../sample-vm.js';

export const network = (id: string, name: string, given: Partial<Network> = {}): Network => ({
  id,
  name,
  project_id: 'p-1',
  shared: false,
  'router:external': false,
  subnets: [],
  availability_zones: [],
  ...given,
});

export const subnet = (id: string, network_id: string, cidr: string, given: Partial<Subnet> = {}): Subnet => ({
  id,
  name: id,
  network_id,
  ip_version: cidr.includes(':') ? 6 : 4,
  cidr,
  enable_dhcp: true,
  dns_nameservers: [],
  allocation_pools: [],
  ...given,
});

export const group = (id: string, name: string, rules: object[] = []): SecurityGroup => ({
  id,
  name,
  security_group_rules: rules.map((rule, index) => ({ id: `r${index}`, direction: 'ingress', ...rule })),
});

export const port = (network_id: string, mac: string, ip: string, given: Partial<Port> = {}): Port => ({
  id: `port-${mac}`,
  name: '',
  description: '',
  network_id,
  mac_address: mac,
  fixed_ips: [{ subnet_id: 's-1', ip_address: ip }],
  status: 'ACTIVE',
  device_id: '',
  device_owner: 'compute:nova',
  security_groups: [],
  allowed_address_pairs: [],
  tags: [],
  ...given,
});

const free: Limit = { limit: null, used: null };

/** A cloud in which nothing stands in the way. */
export function target(given: Partial<TargetFacts> = {}): TargetFacts {
  return {
    project: { id: 'p-1', name: 'acme' },
    roles: ['member', 'reader'],
    catalog: ['compute', 'image', 'network', 'block-storage', 'identity'],
    microversion: '2.93',
    limits: {
      compute: { instances: free, cores: free, ram_mib: free, keypairs: free, server_metadata: 128 },
      volume: { volumes: free, gigabytes: free, snapshots: free, per_volume_gigabytes: null, by_type: {} },
      network: { ports: free, networks: free, security_groups: free },
    },
    defaultVolumeType: 'standard',
    ports: [],
    networks: [network('n-1', 'prod')],
    subnets: [
      subnet('s-1', 'n-1', '10.0.0.0/24', {
        gateway_ip: '10.0.0.1',
        allocation_pools: [{ start: '10.0.0.100', end: '10.0.0.199' }],
      }),
    ],
    securityGroups: [group('g-1', 'default', [{ remote_group_id: 'g-1' }]), group('g-2', 'web', [{ protocol: 'tcp' }])],
    volumeTypes: [
      { id: 't-1', name: 'standard', extra_specs: {} },
      { id: 't-2', name: 'safe', description: '[scs:encrypted] slow', extra_specs: {} },
      { id: 't-3', name: 'near', extra_specs: { 'RESKEY:availability_zones': 'az1, az2' } },
    ],
    zones: {
      compute: ['az1', 'az2'].map((name) => ({ name, available: true })),
      volume: ['az1', 'az2'].map((name) => ({ name, available: true })),
    },
    flavors: [
      flavor('f-2', 'SCS-2V-4', 2, 4096),
      flavor('f-1', 'SCS-1V-2', 1, 2048),
      { ...flavor('f-off', 'old', 2, 4096), 'OS-FLV-DISABLED:disabled': true },
      flavor('f-arm', 'SCS-2V-4_a', 2, 4096),
      { ...flavor('f-gpu', 'gpu', 2, 4096), extra_specs: { 'resources:VGPU': '1' } },
    ],
    keypairs: [],
    ...given,
  };
}

export interface Changes {
  vm?: VmChanges;
  server?: Partial<NonNullable<PreflightVm['server']>> | null;
  port?: Partial<PreflightVm['ports'][number]>;
  volume?: Partial<PreflightVm['volumes'][number]>;
  image?: Partial<PreflightVm['images'][number]>;
  noPorts?: boolean;
  hasFlavor?: boolean;
}

/** A VM of one disk and one NIC that fits that cloud. */
export function item(changes: Changes = {}): PreflightVm {
  const record = vm(changes.vm);
  const label = 'scsi0:0';
  return {
    id: record.id,
    name: record.name,
    vm: seenOf(record),
    labels: record.disks.map((disk) => disk.label),
    images: [
      { name: 'i', label, format: 'qcow2', format_reason: '', min_disk_gib: 40, properties: {}, ...changes.image },
    ],
    volumes: [{ name: 'v', label, size_gib: 40, type: null, zone: null, boot: true, ...changes.volume }],
    ports: changes.noPorts
      ? []
      : [
          {
            name: 'p',
            label: 'ethernet0',
            network_id: 'n-1',
            network_name: 'prod',
            reason: '',
            mac: null,
            mac_required: false,
            fixed_ips: null,
            security_group_ids: ['g-2'],
            ...changes.port,
          },
        ],
    server:
      changes.server === null
        ? null
        : {
            name: record.name,
            hostname: record.name,
            flavor_id: 'f-2',
            flavor_name: 'SCS-2V-4',
            flavor_reason: '',
            zone: null,
            key_name: null,
            config_drive: false,
            start: true,
            metadata: {},
            ...changes.server,
          },
    hasFlavor: changes.hasFlavor ?? true,
  };
}

export function facts(vms: PreflightVm[], given: Partial<PreflightFacts> = {}): PreflightFacts {
  return { vms, target: target(), host: null, converter: null, ...given };
}
