import type { CloudFacts } from '../../../../src/migration/cloud-facts.js';
import { defaultMapping, type MappingOptions } from '../../../../src/migration/plan/options.js';
import { describeVm, type PlanDocument } from '../../../../src/migration/plan/document/index.js';
import { resolveVm } from '../../../../src/migration/resolve-vm.js';
import type { VmRecord } from '../../../../src/esxi/index.js';
import type { Flavor } from '../../../../src/openstack/index.js';

export function flavor(id: string, name: string, vcpus: number, ram: number): Flavor {
  return {
    id,
    name,
    vcpus,
    ram,
    disk: 0,
    'OS-FLV-EXT-DATA:ephemeral': 0,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': true,
    extra_specs: {},
  };
}

/** A small cloud: two networks of one name beside `prod`, so that a name does not always do. */
export function cloudFacts(given: Partial<CloudFacts> = {}): CloudFacts {
  const network = (id: string, name: string) => ({
    id,
    name,
    shared: false,
    'router:external': false,
    subnets: [],
    availability_zones: [],
  });
  const subnet = (id: string, name: string, network_id: string, cidr: string) => ({
    id,
    name,
    network_id,
    ip_version: cidr.includes(':') ? (6 as const) : (4 as const),
    cidr,
    enable_dhcp: true,
    dns_nameservers: [],
    allocation_pools: [],
  });
  return {
    networks: [network('n-1', 'prod'), network('n-2', 'twin'), network('n-3', 'twin')],
    subnets: [subnet('s-1', 'prod-v4', 'n-1', '10.0.0.0/24'), subnet('s-2', 'prod-v6', 'n-1', '2001:db8::/64')],
    securityGroups: [
      { id: 'g-1', name: 'default' },
      { id: 'g-2', name: 'web' },
    ] as CloudFacts['securityGroups'],
    volumeTypes: [{ id: 't-1', name: 'fast' }] as CloudFacts['volumeTypes'],
    zones: { compute: [{ name: 'az1', available: true }], volume: [{ name: 'az1', available: true }] },
    flavors: [
      flavor('f-1', 'SCS-1V-2', 1, 2048),
      flavor('f-2', 'SCS-2V-4', 2, 4096),
      flavor('f-3', 'SCS-4V-16', 4, 16384),
    ],
    keypairs: [{ name: 'alice' }],
    ...given,
  };
}

const context = { host: 'esx1', now: new Date('2026-11-25T00:00:00Z') };

/** One VM planned by the rules, and its entry of a plan. */
export function planOf(vm: VmRecord, given: Partial<MappingOptions>, facts = cloudFacts(), skip: string[] = []) {
  const labels = vm.disks.map((disk) => disk.label).filter((label) => !skip.includes(label));
  const resolved = resolveVm(vm, labels, { ...defaultMapping, ...given }, facts, context);
  return { resolved, planned: describeVm(vm, skip, resolved, facts) };
}

export function documentOf(vms: PlanDocument['vms']): PlanDocument {
  return {
    version: 1,
    created_at: context.now.toISOString(),
    source: { host: 'esx1', port: 22, user: 'root' },
    cloud: { name: 'scs', auth_url: 'https://k/v3', region: null, project_id: 'p-1', project_name: 'acme' },
    accept: [],
    vms,
  };
}
