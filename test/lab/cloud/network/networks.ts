/** Neutron: networks and subnets. */
import { param, projectOf, type Call, type Route } from '../http.js';
import type { Network, Subnet } from '../state.js';
import type { Json } from '../values.js';
import { listed, neutron, pickFields } from './lists.js';

function visible(call: Call, network: Network): boolean {
  return call.scope?.admin === true || network.shared || network.project_id === projectOf(call).id;
}

export function networkOf(call: Call, id = param(call, 'id')): Network {
  const network = call.core.state.networks.find((one) => one.id === id);
  if (!network || !visible(call, network)) throw neutron(404, 'NetworkNotFound', `Network ${id} could not be found.`);
  return network;
}

function view(call: Call, network: Network): Json {
  return {
    id: network.id,
    name: network.name,
    description: '',
    tenant_id: network.project_id,
    project_id: network.project_id,
    admin_state_up: true,
    mtu: network.mtu,
    status: 'ACTIVE',
    subnets: call.core.state.subnets.filter((one) => one.network_id === network.id).map((one) => one.id),
    shared: network.shared,
    'router:external': network.external,
    ...(network.external ? { is_default: network.is_default } : {}),
    port_security_enabled: network.port_security_enabled,
    availability_zone_hints: [],
    availability_zones: ['nova'],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    tags: [],
    created_at: network.created_at,
    updated_at: network.created_at,
    revision_number: 2,
  };
}

function subnetView(subnet: Subnet): Json {
  return {
    id: subnet.id,
    name: subnet.name,
    description: '',
    tenant_id: subnet.project_id,
    project_id: subnet.project_id,
    network_id: subnet.network_id,
    ip_version: subnet.ip_version,
    subnetpool_id: null,
    enable_dhcp: subnet.enable_dhcp,
    ipv6_ra_mode: subnet.ipv6_mode,
    ipv6_address_mode: subnet.ipv6_mode,
    gateway_ip: subnet.gateway_ip,
    cidr: subnet.cidr,
    allocation_pools: subnet.allocation_pools,
    host_routes: [],
    dns_nameservers: [],
    service_types: [],
    tags: [],
    created_at: subnet.created_at,
    updated_at: subnet.created_at,
    revision_number: 0,
  };
}

export const networkRoutes: Route[] = [
  {
    method: 'GET',
    pattern: '/v2.0/networks',
    handle: (call) => ({
      status: 200,
      body: listed(
        call,
        'networks',
        call.core.state.networks.filter((one) => visible(call, one)).map((one) => view(call, one)),
      ),
    }),
  },
  {
    method: 'GET',
    pattern: '/v2.0/networks/:id',
    handle: (call) => ({ status: 200, body: { network: pickFields(call, view(call, networkOf(call))) } }),
  },
  {
    method: 'GET',
    pattern: '/v2.0/subnets',
    handle: (call) => {
      const networks = call.core.state.networks.filter((one) => visible(call, one)).map((one) => one.id);
      const subnets = call.core.state.subnets.filter((one) => networks.includes(one.network_id));
      return { status: 200, body: listed(call, 'subnets', subnets.map(subnetView)) };
    },
  },
  {
    method: 'GET',
    pattern: '/v2.0/subnets/:id',
    handle: (call) => {
      const subnet = call.core.state.subnets.find((one) => one.id === param(call, 'id'));
      const network = call.core.state.networks.find((one) => one.id === subnet?.network_id);
      if (!subnet || !network || !visible(call, network)) {
        throw neutron(404, 'SubnetNotFound', `Subnet ${param(call, 'id')} could not be found.`);
      }
      return { status: 200, body: { subnet: pickFields(call, subnetView(subnet)) } };
    },
  },
];
