import { finding, type Finding } from '../findings/finding.js';
import type { PortSection } from '../plan/sections.js';
import { cloudRule, isOwner, ofVm, type TargetFacts } from './rule.js';

/** The networks that the ports are to be on: whether this project can have ports there, with the MACs and addresses wanted. */
export const network = cloudRule({
  codes: ['cloud.external_network', 'cloud.no_address', 'cloud.port_policy'],
  overridable: ['cloud.external_network', 'cloud.port_policy'],
  find: (target, vms) =>
    vms.flatMap((item) => item.ports.flatMap((port) => judge(target, port)).map((found) => ofVm(item, found))),
});

function judge(target: TargetFacts, port: PortSection): Finding[] {
  const { label, network_name: name } = port;
  const seen = target.networks.find(({ id }) => id === port.network_id);
  if (!seen) return [];
  const mine = isOwner(target, seen);
  const external = seen['router:external'];
  if (external && !seen.shared && !mine) {
    return [
      finding('cloud.external_network', 'blocker', label, {
        message: `Network ${name} is an external one that is not shared: projects reach it by a router and floating IPs, and may not have ports on it.`,
        remedy: `Choose a network of the project (--nic ${label}=NETWORK), and give the server a floating IP: openstack floating ip create ${name}`,
      }),
    ];
  }
  const subnets = target.subnets.filter(({ network_id }) => network_id === seen.id);
  const found: Finding[] = [];
  if (subnets.length === 0) {
    found.push(
      finding('cloud.no_address', 'blocker', label, {
        message: `Network ${name} has no subnet (or none that this project sees): its port gets no address, and Nova refuses such a port.`,
        remedy: `Make one: openstack subnet create --network ${seen.id} --subnet-range CIDR NAME`,
      }),
    );
  }
  if (external) {
    found.push(
      finding('cloud.external_network', 'warning', label, {
        message: `Network ${name} is an external one: the server stands on it directly, with a public address and without a router in front.`,
        remedy: `Where that is not meant, choose a network of the project: --nic ${label}=NETWORK`,
      }),
    );
  }
  return mine ? found : [...found, ...foreign(port)];
}

/** Neutron's default policy: on a network of another project its owner chooses MACs and addresses, and nobody else. */
function foreign({ label, network_name: name, mac, mac_required, fixed_ips }: PortSection): Finding[] {
  const addresses = (fixed_ips ?? []).flatMap(({ ip_address }) => ip_address ?? []);
  if (addresses.length > 0 || mac_required) {
    const wanted = [...addresses, ...(mac_required && mac !== null ? [mac] : [])].join(', ');
    return [
      finding('cloud.port_policy', 'blocker', label, {
        message: `Network ${name} belongs to another project: by Neutron's default policy MACs and addresses there are its owner's to choose, and ${wanted} is asked for.`,
        remedy: `Use a network of the project, or leave the choice to Neutron: --nic ${label}=NETWORK without ip= and mac=, no --keep-ip`,
      }),
    ];
  }
  if (mac === null) return [];
  return [
    finding('cloud.port_policy', 'warning', label, {
      message: `Network ${name} belongs to another project, so MAC ${mac} can hardly be kept: by Neutron's default policy only its owner chooses MACs.`,
      remedy:
        'A guest whose network configuration names its MAC will not find its NIC: use a network of the project, or change the guest.',
    }),
  ];
}
