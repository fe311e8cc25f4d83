/** Neutron: ports. Words and statuses: neutron_lib/exceptions, neutron/conf/policies/port.py, and the real lab. */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import type { Core } from '../core.js';
import type { CloudState, Network, Port, Subnet } from '../state.js';
import { isObject, listIn, newId, objectIn, repr, textIn, zuluTime, type Json } from '../values.js';
import { fits, rangeOf, toNumber, toText } from './addresses.js';
import { listed, neutron, pickFields } from './lists.js';
import { networkOf } from './networks.js';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

const WRITABLE = new Set([
  'name',
  'description',
  'network_id',
  'admin_state_up',
  'mac_address',
  'fixed_ips',
  'security_groups',
  'allowed_address_pairs',
  'device_id',
  'device_owner',
  'port_security_enabled',
  'tenant_id',
  'project_id',
  'binding:vnic_type',
  'binding:host_id',
  'binding:profile',
  'dns_name',
  'extra_dhcp_opts',
  'qos_policy_id',
  'propagate_uplink_status',
  'numa_affinity_policy',
  'tags',
]);

export function view(port: Port, admin: boolean): Json {
  return {
    id: port.id,
    name: port.name,
    description: port.description,
    network_id: port.network_id,
    tenant_id: port.project_id,
    project_id: port.project_id,
    admin_state_up: port.admin_state_up,
    mac_address: port.mac_address,
    status: port.status,
    device_id: port.device_id,
    device_owner: port.device_owner,
    fixed_ips: port.fixed_ips,
    allowed_address_pairs: port.allowed_address_pairs,
    extra_dhcp_opts: [],
    security_groups: port.security_groups,
    port_security_enabled: port.port_security_enabled,
    'binding:vnic_type': 'normal',
    ...(admin
      ? { 'binding:host_id': port.binding_host, 'binding:vif_type': port.binding_host === '' ? 'unbound' : 'bridge' }
      : {}),
    tags: port.tags,
    created_at: port.created_at,
    updated_at: port.updated_at,
    revision_number: port.revision,
  };
}

export function portOf(call: Call, id = param(call, 'id')): Port {
  const port = call.core.state.ports.find((one) => one.id === id);
  if (!port || (port.project_id !== projectOf(call).id && call.scope?.admin !== true)) {
    throw neutron(404, 'PortNotFound', `Port ${id} could not be found.`);
  }
  return port;
}

/**
 * May this caller choose MAC and address? The network's owner and the admin may when a port is made; the MAC of a port
 * that is there is the admin's alone (neutron/conf/policies/port.py). The message names every rule that was asked.
 */
function checkPolicy(call: Call, network: Network, body: Json, action: 'create_port' | 'update_port'): void {
  if (call.scope?.admin === true) return;
  const owner = network.project_id === projectOf(call).id;
  const wantsIp = (listIn(body, 'fixed_ips') ?? []).some((one) => isObject(one) && 'ip_address' in one);
  const wantsPairs = (listIn(body, 'allowed_address_pairs') ?? []).length > 0;
  const rules: [rule: string, asked: boolean, allowed: boolean][] = [
    [`rule:${action}:mac_address`, typeof body['mac_address'] === 'string', owner && action === 'create_port'],
    [`(rule:${action}:fixed_ips and (rule:${action}:fixed_ips:ip_address))`, wantsIp, owner],
    [`rule:${action}:port_security_enabled`, 'port_security_enabled' in body, owner],
    [`(rule:${action}:allowed_address_pairs and (rule:${action}:allowed_address_pairs:ip_address))`, wantsPairs, owner],
  ];
  if (!rules.some(([, asked, allowed]) => asked && !allowed)) return;
  const all = rules.filter(([, asked]) => asked).reduce((text, [rule]) => `(${text} and ${rule})`, `rule:${action}`);
  throw neutron(403, 'PolicyNotAuthorized', `${all} is disallowed by policy`);
}

function macInUse(network: Network, mac: string): Refusal {
  const message = `Unable to complete operation for network ${network.id}. The mac address ${mac} is in use.`;
  return neutron(409, 'MacAddressInUse', message);
}

function freeMac(state: CloudState, networkId: string): string {
  for (;;) {
    // Neutron's base_mac.
    const mac = `fa:16:3e:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
    if (!macTaken(state, networkId, mac)) return mac;
  }
}

const macTaken = (state: CloudState, networkId: string, mac: string): boolean =>
  state.ports.some((one) => one.network_id === networkId && one.mac_address.toLowerCase() === mac.toLowerCase());

function ipTaken(state: CloudState, subnet: Subnet, address: string): boolean {
  const value = toNumber(address);
  return state.ports.some((port) =>
    port.fixed_ips.some((ip) => ip.subnet_id === subnet.id && toNumber(ip.ip_address) === value),
  );
}

function nextAddress(state: CloudState, subnet: Subnet): string {
  for (const pool of subnet.allocation_pools) {
    const last = toNumber(pool.end) ?? 0n;
    for (let value = toNumber(pool.start) ?? 0n; value <= last; value++) {
      const address = toText(value, subnet.ip_version);
      if (address !== subnet.gateway_ip && !ipTaken(state, subnet, address)) return address;
    }
  }
  throw neutron(409, 'IpAddressGenerationFailure', `No more IP addresses available on network ${subnet.network_id}.`);
}

/** The addresses of a new port: those asked for, or the next free one of each family. */
function addresses(state: CloudState, network: Network, wanted: unknown[] | undefined): Port['fixed_ips'] {
  const subnets = state.subnets.filter((one) => one.network_id === network.id);
  if (wanted === undefined) {
    const first = (version: number) => subnets.find((one) => one.ip_version === version);
    return [first(4), first(6)]
      .filter((one) => one !== undefined)
      .map((subnet) => ({ subnet_id: subnet.id, ip_address: nextAddress(state, subnet) }));
  }
  const given: Port['fixed_ips'] = [];
  for (const entry of wanted) {
    if (!isObject(entry))
      throw invalidInput('fixed_ips', `Invalid data format for fixed IP: '${JSON.stringify(entry)}'.`);
    const address = textIn(entry, 'ip_address');
    const subnetId = textIn(entry, 'subnet_id');
    if (address !== undefined && isIP(address) === 0) {
      throw invalidInput('fixed_ips', `'${address}' is not a valid IP address.`);
    }
    const candidates = subnetId === undefined ? subnets : subnets.filter((one) => one.id === subnetId);
    if (subnetId !== undefined && candidates.length === 0) {
      if (state.subnets.some((one) => one.id === subnetId)) {
        throw neutron(
          400,
          'InvalidInput',
          `Invalid input for operation: Failed to create port on network ${network.id}, because fixed_ips included ` +
            `invalid subnet ${subnetId}.`,
        );
      }
      throw neutron(404, 'SubnetNotFound', `Subnet ${subnetId} could not be found.`);
    }
    const subnet = address === undefined ? candidates[0] : candidates.find((one) => fits(address, one.cidr));
    if (!subnet) {
      throw subnetId === undefined
        ? neutron(
            400,
            'InvalidIpForNetwork',
            `IP address ${address ?? ''} is not a valid IP for any of the subnets on the specified network.`,
          )
        : neutron(400, 'InvalidIpForSubnet', `IP address ${address ?? ''} is not a valid IP for the specified subnet.`);
    }
    const chosen =
      address === undefined ? nextAddress(state, subnet) : toText(toNumber(address) ?? 0n, subnet.ip_version);
    if (ipTaken(state, subnet, chosen) || given.some((ip) => ip.ip_address === chosen)) {
      throw neutron(409, 'IpAddressAlreadyAllocated', `IP address ${chosen} already allocated in subnet ${subnet.id}`);
    }
    given.push({ subnet_id: subnet.id, ip_address: chosen });
  }
  return given;
}

export function invalidInput(key: string, why: string): Refusal {
  return neutron(400, 'HTTPBadRequest', `Invalid input for ${key}. Reason: ${why}`);
}

function groups(state: CloudState, projectId: string, wanted: unknown[] | undefined): string[] {
  const own = state.securityGroups.filter((one) => one.project_id === projectId);
  if (wanted === undefined) return own.filter((one) => one.name === 'default').map((one) => one.id);
  const missing = wanted.filter((id) => !own.some((one) => one.id === id));
  if (missing.length > 0) {
    throw neutron(404, 'SecurityGroupNotFound', `Security group ${String(missing[0])} does not exist`);
  }
  return wanted.filter((id) => typeof id === 'string');
}

/** Makes a port. Nova makes its own with the same function. */
export function makePort(core: Core, network: Network, projectId: string, body: Json): Port {
  const { state } = core;
  const project = state.projects.find((one) => one.id === projectId);
  if (
    project &&
    project.quotas.ports >= 0 &&
    state.ports.filter((one) => one.project_id === projectId).length >= project.quotas.ports
  ) {
    throw neutron(409, 'OverQuota', `Quota exceeded for resources: ['port'].`);
  }
  // Kept as it was written; Neutron compares without regard to case (seen on the real lab).
  const mac = textIn(body, 'mac_address');
  if (mac !== undefined && !MAC.test(mac)) throw invalidInput('mac_address', `'${mac}' is not a valid MAC address.`);
  if (mac !== undefined && macTaken(state, network.id, mac)) {
    throw macInUse(network, mac);
  }
  const secured = body['port_security_enabled'] !== false && network.port_security_enabled;
  const now = zuluTime();
  const macAddress = mac ?? freeMac(state, network.id);
  const port: Port = {
    id: newId(),
    name: textIn(body, 'name') ?? '',
    description: textIn(body, 'description') ?? '',
    network_id: network.id,
    project_id: projectId,
    mac_address: macAddress,
    fixed_ips: addresses(state, network, listIn(body, 'fixed_ips')),
    security_groups: secured ? groups(state, projectId, listIn(body, 'security_groups')) : [],
    allowed_address_pairs: pairs(body, macAddress),
    tags: [],
    device_id: textIn(body, 'device_id') ?? '',
    device_owner: textIn(body, 'device_owner') ?? '',
    status: 'DOWN',
    admin_state_up: body['admin_state_up'] !== false,
    port_security_enabled: secured,
    binding_host: '',
    created_at: now,
    updated_at: now,
    revision: 1,
  };
  state.ports.push(port);
  return port;
}

function pairs(body: Json, mac: string): Port['allowed_address_pairs'] {
  return (listIn(body, 'allowed_address_pairs') ?? []).map((entry) => {
    const address = isObject(entry) ? textIn(entry, 'ip_address') : undefined;
    if (!isObject(entry) || address === undefined) {
      throw invalidInput('allowed_address_pairs', 'AllowedAddressPair must contain ip_address');
    }
    return { ip_address: address, mac_address: textIn(entry, 'mac_address') ?? mac };
  });
}

function bodyOf(call: Call): Json {
  const body = objectIn(call.body, 'port');
  if (!body) throw neutron(400, 'HTTPBadRequest', "Unable to find 'port' in request body");
  const unknown = Object.keys(body).filter((key) => !WRITABLE.has(key));
  if (unknown.length > 0) throw neutron(400, 'HTTPBadRequest', `Unrecognized attribute(s) '${unknown.join(', ')}'`);
  // Only POST takes `tags`, and makes nothing of them: tags go by their own resource (seen on the real lab, Zed).
  if ('tags' in body && call.method === 'PUT')
    throw neutron(400, 'HTTPBadRequest', `Attribute 'tags' not allowed in PUT`);
  for (const key of ['name', 'description', 'device_id', 'mac_address']) {
    const value = body[key];
    if (value !== undefined && (typeof value !== 'string' || value.length > 255)) {
      throw invalidInput(key, `${repr(value)} exceeds maximum length of 255.`);
    }
  }
  return body;
}

function create(call: Call): Port {
  const body = bodyOf(call);
  const networkId = textIn(body, 'network_id');
  if (networkId === undefined) {
    throw neutron(400, 'HTTPBadRequest', "Failed to parse request. Required attribute 'network_id' not specified");
  }
  const network = networkOf(call, networkId);
  checkPolicy(call, network, body, 'create_port');
  return makePort(call.core, network, projectOf(call).id, body);
}

function update(call: Call): Port {
  const port = portOf(call);
  const body = bodyOf(call);
  const { state } = call.core;
  const network = networkOf(call, port.network_id);
  checkPolicy(call, network, body, 'update_port');
  const copy = structuredClone(port);
  if ('fixed_ips' in body) {
    const others: CloudState = { ...state, ports: state.ports.filter((one) => one !== port) };
    copy.fixed_ips = addresses(others, network, listIn(body, 'fixed_ips') ?? []);
  }
  const mac = textIn(body, 'mac_address');
  if (mac !== undefined && mac !== port.mac_address) {
    if (!MAC.test(mac)) throw invalidInput('mac_address', `'${mac}' is not a valid MAC address.`);
    if (macTaken(state, network.id, mac)) throw macInUse(network, mac);
    copy.mac_address = mac;
  }
  if ('security_groups' in body)
    copy.security_groups = groups(state, port.project_id, listIn(body, 'security_groups') ?? []);
  if ('allowed_address_pairs' in body) copy.allowed_address_pairs = pairs(body, copy.mac_address);
  copy.name = textIn(body, 'name') ?? copy.name;
  copy.description = textIn(body, 'description') ?? copy.description;
  copy.device_id = textIn(body, 'device_id') ?? copy.device_id;
  if (typeof body['admin_state_up'] === 'boolean') copy.admin_state_up = body['admin_state_up'];
  if (typeof body['port_security_enabled'] === 'boolean') copy.port_security_enabled = body['port_security_enabled'];
  copy.updated_at = zuluTime();
  copy.revision++;
  return Object.assign(port, copy);
}

/** `fixed_ips=ip_address=10.77.0.10` and `fixed_ips=subnet_id=…`: each must fit. */
function fitsFixedIps(port: Port, wanted: string[]): boolean {
  return wanted.every((filter) => {
    const [key, ...rest] = filter.split('=');
    const value = rest.join('=');
    return port.fixed_ips.some((ip) =>
      key === 'ip_address'
        ? toNumber(ip.ip_address) === toNumber(value)
        : key === 'subnet_id' && ip.subnet_id === value,
    );
  });
}

function list(call: Call): Json {
  const project = projectOf(call);
  const admin = call.scope?.admin === true;
  const fixed = call.query.getAll('fixed_ips');
  const mine = call.core.state.ports
    .filter((one) => admin || one.project_id === project.id)
    .filter((one) => fitsFixedIps(one, fixed))
    .filter((one) => call.query.getAll('security_groups').every((id) => one.security_groups.includes(id)));
  return listed(
    call,
    'ports',
    mine.map((one) => view(one, admin)),
    new Set(['fixed_ips', 'security_groups']),
  );
}

/** Ends a port's use by a server. */
export function unbind(port: Port): void {
  port.device_id = '';
  port.device_owner = '';
  port.binding_host = '';
  port.status = 'DOWN';
  port.updated_at = zuluTime();
  port.revision++;
}

/** Nova's side of a port: bound to a server's host. `active` once the server runs. */
export function bind(port: Port, serverId: string, zone: string, active: boolean): void {
  port.device_id = serverId;
  port.device_owner = `compute:${zone}`;
  port.binding_host = 'lab';
  port.status = active ? 'ACTIVE' : 'DOWN';
  port.updated_at = zuluTime();
  port.revision++;
}

export const portRoutes: Route[] = [
  { method: 'GET', pattern: '/v2.0/ports', handle: (call) => ({ status: 200, body: list(call) }) },
  {
    method: 'POST',
    pattern: '/v2.0/ports',
    handle: (call) => ({ status: 201, body: { port: view(create(call), call.scope?.admin === true) } }),
  },
  {
    method: 'GET',
    pattern: '/v2.0/ports/:id',
    handle: (call) => ({
      status: 200,
      body: { port: pickFields(call, view(portOf(call), call.scope?.admin === true)) },
    }),
  },
  {
    method: 'PUT',
    pattern: '/v2.0/ports/:id',
    handle: (call) => ({ status: 200, body: { port: view(update(call), call.scope?.admin === true) } }),
  },
  {
    method: 'DELETE',
    pattern: '/v2.0/ports/:id',
    handle: (call) => {
      const port = portOf(call);
      call.core.state.ports = call.core.state.ports.filter((one) => one !== port);
      return { status: 204 };
    },
  },
];

/** The hosts' part of a subnet without its gateway, as Neutron makes pools where none are given. */
export function defaultPools(cidr: string, gateway: string | null): Subnet['allocation_pools'] {
  const { first, last, version } = rangeOf(cidr);
  const start = first + 1n + (gateway !== null && toNumber(gateway) === first + 1n ? 1n : 0n);
  return [{ start: toText(start, version), end: toText(version === 4 ? last - 1n : last, version) }];
}
