import { finding } from '../findings/finding.js';
import type { PortSection } from '../plan/sections.js';
import { holderOf } from './address.js';
import { cloudRule, namesOf, ofVm } from './rule.js';

/** MACs are unique on a network of Neutron. One that is only to be kept where it is free is given up; one that was named is not. */
export const mac = cloudRule({
  codes: ['cloud.mac_taken'],
  find: (target, vms) => {
    const wanted = vms.flatMap((item) => item.ports.map((port) => ({ item, port })));
    return wanted.flatMap(({ item, port }) => {
      if (port.mac === null) return [];
      const sameMac = (network: string, address: string | null) => network === port.network_id && address === port.mac;
      const holder = target.ports.find((other) => sameMac(other.network_id, other.mac_address));
      const twins = wanted.filter((other) => other.port !== port && sameMac(other.port.network_id, other.port.mac));
      const others = twins.map((other) => (other.item.id === item.id ? other.port.label : other.item.name));
      const where = holder
        ? `is in use on ${port.network_name}, by port ${holderOf(holder)}`
        : `on ${port.network_name} is asked for by ${namesOf(others)} as well`;
      return holder || twins.length > 0 ? ofVm(item, taken(port, where)) : [];
    });
  },
});

function taken({ label, mac: address, mac_required }: PortSection, where: string) {
  return mac_required
    ? finding('cloud.mac_taken', 'blocker', label, {
        message: `MAC ${address ?? ''} ${where}.`,
        remedy: `Delete that port, or leave the choice to Neutron: --nic ${label}=NETWORK without mac=, or --no-keep-mac`,
      })
    : finding('cloud.mac_taken', 'warning', label, {
        message: `MAC ${address ?? ''} ${where}: it is not kept there, and Neutron chooses another one.`,
        remedy:
          'A guest whose network configuration names its MAC will not find its NIC: delete the other port first, or change the guest.',
      });
}
