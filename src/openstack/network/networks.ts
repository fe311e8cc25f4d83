import { z } from 'zod';
import type { Service } from '../service.js';

export const networkSchema = z.object({
  id: z.string(),
  name: z.string().default(''),
  status: z.string().nullish(),
  project_id: z.string().nullish(),
  shared: z.boolean().default(false),
  'router:external': z.boolean().default(false),
  is_default: z.boolean().nullish(),
  mtu: z.number().nullish(),
  port_security_enabled: z.boolean().nullish(),
  subnets: z.array(z.string()).default([]),
  availability_zones: z.array(z.string()).default([]),
});
export type Network = z.infer<typeof networkSchema>;

export const subnetSchema = z.object({
  id: z.string(),
  name: z.string().default(''),
  network_id: z.string(),
  project_id: z.string().nullish(),
  ip_version: z.union([z.literal(4), z.literal(6)]),
  cidr: z.string(),
  gateway_ip: z.string().nullish(),
  enable_dhcp: z.boolean().default(true),
  ipv6_address_mode: z.string().nullish(),
  ipv6_ra_mode: z.string().nullish(),
  dns_nameservers: z.array(z.string()).default([]),
  allocation_pools: z.array(z.object({ start: z.string(), end: z.string() })).default([]),
});
export type Subnet = z.infer<typeof subnetSchema>;

export interface Networks {
  /** All networks that the project sees: its own, shared and external ones. */
  list(): Promise<Network[]>;
  /** All subnets of those networks. */
  subnets(): Promise<Subnet[]>;
}

/** `seesAll` (an administrator) leaves out what belongs to other projects alone. */
export function networksOf(service: Service, seesAll: boolean): Networks {
  const list = async (): Promise<Network[]> => {
    const networks = await service.list({ what: 'list networks', path: '/networks' }, 'networks', networkSchema);
    return seesAll
      ? networks.filter((net) => net.shared || net['router:external'] || net.project_id === service.projectId)
      : networks;
  };
  return {
    list,
    async subnets() {
      const subnets = await service.list({ what: 'list subnets', path: '/subnets' }, 'subnets', subnetSchema);
      if (!seesAll) return subnets;
      const ours = new Set((await list()).map(({ id }) => id));
      return subnets.filter(({ network_id }) => ours.has(network_id));
    },
  };
}
