/** Neutron: security groups and their rules. */
import { param, projectOf, type Call, type Route } from '../http.js';
import type { CloudState, SecurityGroup, SecurityGroupRule } from '../state.js';
import { newId, objectIn, textIn, zuluTime, type Json } from '../values.js';
import { listed, neutron, pickFields } from './lists.js';

export function ruleView(group: SecurityGroup, rule: SecurityGroupRule): Json {
  return {
    ...rule,
    security_group_id: group.id,
    tenant_id: group.project_id,
    project_id: group.project_id,
    normalized_cidr: rule.remote_ip_prefix,
    remote_address_group_id: null,
    tags: [],
    updated_at: rule.created_at,
    revision_number: 0,
  };
}

function view(group: SecurityGroup): Json {
  return {
    id: group.id,
    name: group.name,
    description: group.description,
    stateful: true,
    shared: false,
    tenant_id: group.project_id,
    project_id: group.project_id,
    security_group_rules: group.rules.map((rule) => ruleView(group, rule)),
    tags: [],
    created_at: group.created_at,
    updated_at: group.created_at,
    revision_number: 1,
  };
}

function rule(direction: 'ingress' | 'egress', ethertype: 'IPv4' | 'IPv6'): SecurityGroupRule {
  return {
    id: newId(),
    direction,
    ethertype,
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
    description: '',
    created_at: zuluTime(),
  };
}

/** A new group lets all out and nothing in; `default` lets in its own members. */
export function makeGroup(state: CloudState, projectId: string, name: string, description: string): SecurityGroup {
  const group: SecurityGroup = {
    id: newId(),
    name,
    description,
    project_id: projectId,
    rules: [rule('egress', 'IPv4'), rule('egress', 'IPv6')],
    created_at: zuluTime(),
  };
  if (name === 'default') {
    for (const family of ['IPv4', 'IPv6'] as const)
      group.rules.push({ ...rule('ingress', family), remote_group_id: group.id });
  }
  state.securityGroups.push(group);
  return group;
}

/** Opens a TCP port, or ping, to all for both families. */
export function allow(group: SecurityGroup, what: number | 'ping' | 'all'): void {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const open = rule('ingress', family);
    if (what === 'ping') open.protocol = family === 'IPv4' ? 'icmp' : 'ipv6-icmp';
    else if (what !== 'all') Object.assign(open, { protocol: 'tcp', port_range_min: what, port_range_max: what });
    group.rules.push(open);
  }
}

function groupOf(call: Call, id: string): SecurityGroup {
  const group = call.core.state.securityGroups.find((one) => one.id === id);
  if (!group || (group.project_id !== projectOf(call).id && call.scope?.admin !== true)) {
    throw neutron(404, 'SecurityGroupNotFound', `Security group ${id} does not exist`);
  }
  return group;
}

function own(call: Call): SecurityGroup[] {
  const project = projectOf(call);
  return call.core.state.securityGroups.filter((one) => call.scope?.admin === true || one.project_id === project.id);
}

function addRule(call: Call): Json {
  const body = objectIn(call.body, 'security_group_rule');
  if (!body) throw neutron(400, 'HTTPBadRequest', "Unable to find 'security_group_rule' in request body");
  const group = groupOf(call, textIn(body, 'security_group_id') ?? '');
  const direction = body['direction'];
  const ethertype = body['ethertype'] ?? 'IPv4';
  if (direction !== 'ingress' && direction !== 'egress') {
    throw neutron(
      400,
      'HTTPBadRequest',
      `Invalid input for direction. Reason: '${JSON.stringify(direction)}' is not in ['ingress', 'egress'].`,
    );
  }
  const added: SecurityGroupRule = {
    ...rule(direction, ethertype === 'IPv6' ? 'IPv6' : 'IPv4'),
    protocol: textIn(body, 'protocol') ?? null,
    port_range_min: typeof body['port_range_min'] === 'number' ? body['port_range_min'] : null,
    port_range_max: typeof body['port_range_max'] === 'number' ? body['port_range_max'] : null,
    remote_ip_prefix: textIn(body, 'remote_ip_prefix') ?? null,
    remote_group_id: textIn(body, 'remote_group_id') ?? null,
    description: textIn(body, 'description') ?? '',
  };
  group.rules.push(added);
  return ruleView(group, added);
}

export const securityGroupRoutes: Route[] = [
  {
    method: 'GET',
    pattern: '/v2.0/security-groups',
    handle: (call) => ({ status: 200, body: listed(call, 'security_groups', own(call).map(view)) }),
  },
  {
    method: 'POST',
    pattern: '/v2.0/security-groups',
    handle: (call) => {
      const body = objectIn(call.body, 'security_group');
      const name = body && textIn(body, 'name');
      if (!body || name === undefined)
        throw neutron(400, 'HTTPBadRequest', "Unable to find 'security_group' in request body");
      if (name === 'default')
        throw neutron(409, 'SecurityGroupDefaultAlreadyExists', 'Default security group already exists.');
      const group = makeGroup(call.core.state, projectOf(call).id, name, textIn(body, 'description') ?? '');
      return { status: 201, body: { security_group: view(group) } };
    },
  },
  {
    method: 'GET',
    pattern: '/v2.0/security-groups/:id',
    handle: (call) => ({
      status: 200,
      body: { security_group: pickFields(call, view(groupOf(call, param(call, 'id')))) },
    }),
  },
  {
    method: 'DELETE',
    pattern: '/v2.0/security-groups/:id',
    handle: (call) => {
      const group = groupOf(call, param(call, 'id'));
      const { state } = call.core;
      if (group.name === 'default')
        throw neutron(
          409,
          'SecurityGroupCannotRemoveDefault',
          'Insufficient rights for removing default security group.',
        );
      if (state.ports.some((one) => one.security_groups.includes(group.id))) {
        throw neutron(409, 'SecurityGroupInUse', `Security Group ${group.id} in use.`);
      }
      state.securityGroups = state.securityGroups.filter((one) => one !== group);
      return { status: 204 };
    },
  },
  {
    method: 'GET',
    pattern: '/v2.0/security-group-rules',
    handle: (call) => {
      const rules = own(call).flatMap((group) => group.rules.map((one) => ruleView(group, one)));
      return { status: 200, body: listed(call, 'security_group_rules', rules) };
    },
  },
  {
    method: 'POST',
    pattern: '/v2.0/security-group-rules',
    handle: (call) => ({ status: 201, body: { security_group_rule: addRule(call) } }),
  },
];
