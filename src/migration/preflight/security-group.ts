import { quoteForHint } from '../../core/index.js';
import type { SecurityGroup } from '../../openstack/index.js';
import { finding } from '../findings/finding.js';
import { cloudRule, ofVm, type TargetFacts } from './rule.js';

/** What the ports' groups let in (SCS-0115: the default group lets in nothing but its own members). */
export const securityGroup = cloudRule({
  codes: ['cloud.default_security_group', 'cloud.empty_security_group', 'cloud.port_security'],
  find: (target, vms) =>
    vms.flatMap((item) => {
      const guarded = item.ports.filter((port) => !isUnguarded(target, port.network_id));
      return [
        ...(guarded.some((port) => hasOnlyDefault(target, port.security_group_ids)) ? [ofVm(item, onlyDefault())] : []),
        ...guarded
          .filter((port) => port.security_group_ids !== null)
          .flatMap((port) => emptyGroups(target, port.label, port.security_group_ids ?? []))
          .map((found) => ofVm(item, found)),
        ...item.ports
          .filter((port) => isUnguarded(target, port.network_id))
          .map((port) => ofVm(item, unguarded(port.label, port.network_name, (port.security_group_ids ?? []).length))),
      ];
    }),
});

/** Networks whose ports are not filtered, unless a port says otherwise. */
function isUnguarded({ networks }: TargetFacts, id: string): boolean {
  return networks.find((network) => network.id === id)?.port_security_enabled === false;
}

/** Whether a port gets the group "default" alone, and the project has not opened it for others than its members. */
function hasOnlyDefault({ securityGroups }: TargetFacts, ids: readonly string[] | null): boolean {
  const group = securityGroups.find(({ name }) => name === 'default');
  const isIt = ids === null || (ids.length === 1 && ids[0] === group?.id);
  return isIt && !(group !== undefined && letsIn(group));
}

function letsIn({ id, security_group_rules }: SecurityGroup): boolean {
  return security_group_rules.some((rule) => rule.direction === 'ingress' && rule.remote_group_id !== id);
}

function onlyDefault() {
  return finding('cloud.default_security_group', 'warning', 'vm', {
    message:
      'No security group is named, so the ports get the group "default": as a rule it lets in its own members only, and the server cannot be reached from elsewhere.',
    remedy:
      'Name groups with --security-group NAME (repeatable), or later: openstack port set --security-group NAME PORT',
  });
}

function emptyGroups({ securityGroups }: TargetFacts, label: string, ids: readonly string[]) {
  const groups = ids.map((id) => securityGroups.find((group) => group.id === id));
  // One that is not seen here (it was named by id) cannot be judged.
  if (
    groups.some(
      (group) => group === undefined || group.security_group_rules.some((rule) => rule.direction === 'ingress'),
    )
  )
    return [];
  const names = groups.map((group) => group?.name ?? '');
  const [first = 'GROUP'] = names;
  return [
    finding('cloud.empty_security_group', 'warning', label, {
      message:
        names.length === 0
          ? 'Its port has no security group at all: nothing gets in, and nothing out.'
          : `None of its security groups (${names.join(', ')}) has a rule for what comes in: nothing gets in.`,
      remedy: `Add a rule (openstack security group rule create --protocol tcp --dst-port 22 ${quoteForHint(first)}), or name other groups with --security-group NAME`,
    }),
  ];
}

function unguarded(label: string, network: string, groups: number) {
  return groups > 0
    ? finding('cloud.port_security', 'blocker', label, {
        message: `Network ${network} has port security switched off, and Neutron refuses security groups on its ports.`,
        remedy: `Choose another network, leave --security-group out for this NIC, or let its owner switch it on: openstack network set --enable-port-security ${quoteForHint(network)}`,
      })
    : finding('cloud.port_security', 'info', label, {
        message: `Network ${network} has port security switched off: its ports are not filtered, and the server is open to all that reaches this network.`,
        remedy: `Filter in the guest, or let its owner switch it on: openstack network set --enable-port-security ${quoteForHint(network)}`,
      });
}
