import type { Port, Subnet } from '../../openstack/index.js';
import { finding, type Finding } from '../findings/finding.js';
import { isWithin } from '../plan/resolve-ports.js';
import type { PortSection } from '../plan/sections.js';
import { cidrRange, addressNumber, isBetween, sameAddress } from './addresses.js';
import { cloudRule, namesOf, ofVm, type PreflightVm, type TargetFacts } from './rule.js';

/** Every address that is asked for: whether it can be had. */
export const address = cloudRule({
  codes: ['cloud.ip_taken', 'cloud.ip_outside', 'cloud.ip_in_pool'],
  find: (target, vms) => {
    const wanted = vms.flatMap((item) =>
      item.ports.flatMap((port) =>
        (port.fixed_ips ?? []).flatMap(({ ip_address: ip, subnet_id }) =>
          ip === undefined ? [] : [{ item, port, ip, subnet_id }],
        ),
      ),
    );
    return wanted.flatMap((one) => {
      const twins = wanted.filter(
        (other) => other !== one && other.port.network_id === one.port.network_id && sameAddress(other.ip, one.ip),
      );
      return [...judge(target, one), ...(twins.length === 0 ? [] : [twice(one, twins)])].map((found) =>
        ofVm(one.item, found),
      );
    });
  },
});

interface Wanted {
  item: PreflightVm;
  port: PortSection;
  ip: string;
  subnet_id: string | undefined;
}

function judge(target: TargetFacts, { port, ip, subnet_id }: Wanted): Finding[] {
  const { label } = port;
  const subnets = target.subnets.filter(
    (subnet) => subnet.network_id === port.network_id && (subnet_id === undefined || subnet.id === subnet_id),
  );
  const home = subnets.find((subnet) => isWithin(ip, subnet.cidr));
  const another = `Name another address: --nic ${label}=${port.network_name},ip=ADDRESS; or leave it to Neutron.`;
  const outside = (why: string) => [finding('cloud.ip_outside', 'blocker', label, { message: why, remedy: another })];
  if (!home) {
    // A network without any is told of by itself.
    if (subnets.length === 0) return [];
    const cidrs = subnets.map(({ cidr }) => cidr).join(', ');
    return outside(`${ip} lies in no subnet of ${port.network_name} (${cidrs}).`);
  }
  if (isReserved(ip, home))
    return outside(`${ip} is the first or last address of ${home.cidr}, which no port can have.`);
  if (home.ipv6_address_mode === 'slaac' || home.ipv6_address_mode === 'dhcpv6-stateless') {
    return outside(
      `In ${home.cidr} addresses follow from the MACs (${home.ipv6_address_mode}), and Neutron takes none by choice.`,
    );
  }
  const taken = (why: string) => [finding('cloud.ip_taken', 'blocker', label, { message: why, remedy: another })];
  if (typeof home.gateway_ip === 'string' && sameAddress(home.gateway_ip, ip)) {
    return taken(`${ip} is the gateway of ${home.cidr}.`);
  }
  const holder = target.ports.find(
    (other) =>
      other.network_id === port.network_id && other.fixed_ips.some(({ ip_address }) => sameAddress(ip_address, ip)),
  );
  if (holder) return taken(`${ip} is in use on ${port.network_name}, by port ${holderOf(holder)}.`);
  return isInPool(ip, home) ? [inPool(label, ip, home)] : [];
}

/** Of an IPv4 subnet the network's own address and the broadcast address; small ones (RFC 3021) have neither. */
function isReserved(ip: string, { cidr, ip_version }: Subnet): boolean {
  if (ip_version !== 4 || Number(cidr.split('/')[1]) > 30) return false;
  const { first, last } = cidrRange(cidr);
  const number = addressNumber(ip);
  return number === first || number === last;
}

function isInPool(ip: string, { allocation_pools }: Subnet): boolean {
  return allocation_pools.some((pool) => isBetween(ip, pool));
}

function inPool(label: string, ip: string, { cidr }: Subnet): Finding {
  return finding('cloud.ip_in_pool', 'info', label, {
    message: `${ip} is free now, and lies in an allocation pool of ${cidr}: until its port is made, Neutron may give it to any other.`,
    remedy: `To hold it until then, take it out of the pools, or make a port with it and delete that just before: openstack port create --network NETWORK --fixed-ip ip-address=${ip} NAME`,
  });
}

/** A port, for a person: what it serves, and its id. */
export function holderOf({ id, name, device_owner }: Port): string {
  const words = [name, device_owner].filter((word) => word !== '').join(', ');
  return words === '' ? id : `${id} (${words})`;
}

function twice({ item, port, ip }: Wanted, twins: readonly Wanted[]): Finding {
  const others = twins.map((other) => (other.item.id === item.id ? other.port.label : other.item.name));
  return finding('cloud.ip_taken', 'blocker', port.label, {
    message: `${ip} on ${port.network_name} is asked for by ${namesOf(others)} as well.`,
    remedy: `Give one of them another address: --nic ${port.label}=${port.network_name},ip=ADDRESS, or in the plan.`,
  });
}
