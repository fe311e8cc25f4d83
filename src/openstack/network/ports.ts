import { z } from 'zod';
import { InterruptedError, StackferryError, messageOf } from '../../core/index.js';
import { markerTags, markerText, type Marker, type MarkerFilter } from '../markers.js';
import type { Call, Service } from '../service.js';
import { createOnce, recode } from '../settle.js';

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

const oneSchema = z.object({ port: portSchema }).transform(({ port }) => port);

export function portsOf(service: Service): Ports {
  const one = (id: string, what = `look at port ${id}`): Call => ({
    what,
    method: 'GET',
    path: `/ports/${encodeURIComponent(id)}`,
  });
  /** For people who look by tag. The description holds the marker already, so a cloud without tags is no error. */
  const tag = async (port: Port, marker: Marker): Promise<Port> => {
    try {
      await service.call(tagPortCall(port.id, marker));
      return { ...port, tags: markerTags(marker) };
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      service.ctx.log.debug(`Port ${port.id} was not tagged.`, { reason: messageOf(error) });
      return port;
    }
  };
  const ports: Ports = {
    async create(input) {
      const what = `create port ${input.name}`;
      let port: Port;
      try {
        port = await createOnce(
          service.ctx,
          what,
          () => service.read(createPortCall(input), oneSchema),
          async () => (await ports.findByMarker(input.marker))[0],
        );
      } catch (error) {
        throw error instanceof StackferryError ? refusal(error, input) : error;
      }
      service.ctx.events.emit({ kind: 'resource.created', resource: 'port', id: port.id, name: input.name });
      return tag(port, input.marker);
    },

    get: (id) => service.read(one(id), oneSchema),
    find: (id) => service.readIfThere(one(id), oneSchema),
    list: (filter = {}) =>
      service.list({ what: 'list ports', path: '/ports', query: queryOf(filter) }, 'ports', portSchema),

    async findByMarker({ run, step }) {
      // By description on our side: tags are set by a second request, which a crash may have prevented.
      const wanted = step === undefined ? `stackferry_run=${run} ` : markerText({ run, step });
      return (await ports.list()).filter(({ description }) =>
        step === undefined ? description.startsWith(wanted) : description === wanted,
      );
    },

    async delete(id) {
      const answer = await service.call({ ...one(id, `delete port ${id}`), method: 'DELETE', accept: [404] });
      if (answer.status === 404) return false;
      service.ctx.events.emit({ kind: 'resource.deleted', resource: 'port', id, name: id });
      return true;
    },
  };
  return ports;
}

function queryOf(filter: PortFilter): Record<string, string> {
  return {
    ...(filter.deviceId === undefined ? {} : { device_id: filter.deviceId }),
    ...(filter.networkId === undefined ? {} : { network_id: filter.networkId }),
    ...(filter.macAddress === undefined ? {} : { mac_address: filter.macAddress.toLowerCase() }),
    ...(filter.ipAddress === undefined ? {} : { fixed_ips: `ip_address=${filter.ipAddress}` }),
    ...(filter.name === undefined ? {} : { name: filter.name }),
  };
}

/** The request that makes a port. Source: Networking API v2.0, "Create port". */
export function createPortCall(input: CreatePort): Call {
  const json = { port: createBody(input) };
  return { what: `create port ${input.name}`, method: 'POST', path: '/ports', json };
}

/** The request that tags a port. */
export function tagPortCall(id: string, marker: Marker): Call {
  const json = { tags: markerTags(marker) };
  return {
    what: `tag port ${id}`,
    method: 'PUT',
    path: `/ports/${encodeURIComponent(id)}/tags`,
    json,
    repeatable: true,
  };
}

function createBody(input: CreatePort): Record<string, unknown> {
  return {
    network_id: input.networkId,
    name: input.name,
    description: markerText(input.marker),
    ...(input.macAddress === undefined ? {} : { mac_address: input.macAddress.toLowerCase() }),
    ...(input.fixedIps === undefined
      ? {}
      : {
          fixed_ips: input.fixedIps.map(({ subnetId, ipAddress }) => ({
            ...(subnetId === undefined ? {} : { subnet_id: subnetId }),
            ...(ipAddress === undefined ? {} : { ip_address: ipAddress }),
          })),
        }),
    ...(input.securityGroupIds === undefined ? {} : { security_groups: input.securityGroupIds }),
    ...(input.allowedAddressPairs === undefined
      ? {}
      : {
          allowed_address_pairs: input.allowedAddressPairs.map(({ ipAddress, macAddress }) => ({
            ip_address: ipAddress,
            ...(macAddress === undefined ? {} : { mac_address: macAddress }),
          })),
        }),
    ...(input.portSecurity === undefined ? {} : { port_security_enabled: input.portSecurity }),
  };
}

/** Neutron names its refusals by type (`NeutronError.type`); its messages are for people. */
function refusal(error: StackferryError, input: CreatePort): StackferryError {
  const type = String(error.details['type'] ?? '');
  if (type === 'MacAddressInUse') {
    return recode(
      error,
      'cloud.mac_taken',
      `A port with ${input.macAddress ?? 'this MAC'} is on that network already: delete it, or give the NIC a new MAC (--no-keep-mac).`,
    );
  }
  if (/^IpAddress(InUse|AlreadyAllocated)/.test(type)) {
    return recode(
      error,
      'cloud.ip_taken',
      'Choose another address, or leave --keep-ip out and let Neutron choose one.',
    );
  }
  if (/^(ExternalIpAddressExhausted|IpAddressGenerationFailure|NoFreeAddress)/.test(type)) {
    return recode(error, 'cloud.no_address', 'The subnet has no free address left: choose another network or subnet.');
  }
  if (
    error.code === 'cloud.forbidden' &&
    (input.macAddress !== undefined || input.fixedIps !== undefined || input.allowedAddressPairs !== undefined)
  ) {
    return recode(
      error,
      'cloud.port_policy',
      'On a network of another project (a shared one) MACs and addresses cannot be chosen: use a network of your own, or --no-keep-mac and no --keep-ip.',
    );
  }
  return error;
}
