import { z } from 'zod';
import type { Marker, MarkerFilter } from '../markers.js';

export const portSchema = z.object({
  id: z.string(),
  name: z.string().default(''),
  description: z.string().default(''),
  network_id: z.string(),
  project_id: z.string().nullish(),
  /** Lower case. */
  mac_address: z.string().toLowerCase(),
  fixed_ips: z.array(z.object({ subnet_id: z.string(), ip_address: z.string() })).default([]),
  /** DOWN before its server runs, then ACTIVE. */
  status: z.string(),
  device_id: z.string().default(''),
  device_owner: z.string().default(''),
  security_groups: z.array(z.string()).default([]),
  allowed_address_pairs: z.array(z.object({ ip_address: z.string(), mac_address: z.string().optional() })).default([]),
  port_security_enabled: z.boolean().nullish(),
  tags: z.array(z.string()).default([]),
});
export type Port = z.infer<typeof portSchema>;

/** A fixed address: by subnet (Neutron chooses), by address (Neutron finds the subnet), or both. */
export interface FixedIp {
  subnetId?: string;
  ipAddress?: string;
}

export interface CreatePort {
  name: string;
  networkId: string;
  macAddress?: string;
  /** Unset: Neutron chooses one per family; empty: a port without address. */
  fixedIps?: readonly FixedIp[];
  /** IDs. Unset: the project's default group; empty: none. */
  securityGroupIds?: readonly string[];
  /** Further addresses that the guest may use (CIDRs or addresses). */
  allowedAddressPairs?: readonly { ipAddress: string; macAddress?: string }[];
  /** False takes all filters off (needs no groups and no pairs). */
  portSecurity?: boolean;
  marker: Marker;
}

export interface PortFilter {
  deviceId?: string;
  networkId?: string;
  macAddress?: string;
  ipAddress?: string;
  name?: string;
}

export interface Ports {
  /**
   * Throws `cloud.mac_taken`, `cloud.ip_taken`, `cloud.port_policy` (this project may not choose a MAC or address
   * on that network), `cloud.bad_request` (address outside the subnet), `cloud.quota`.
   */
  create(input: CreatePort): Promise<Port>;
  get(id: string): Promise<Port>;
  find(id: string): Promise<Port | undefined>;
  list(filter?: PortFilter): Promise<Port[]>;
  findByMarker(filter: MarkerFilter): Promise<Port[]>;
  /** False if it was gone already. */
  delete(id: string): Promise<boolean>;
}
