import type { Subnet } from '../../openstack/index.js';
import { finding } from '../findings/finding.js';
import { countBetween, isBetween } from './addresses.js';
import { cloudRule, isOwner, type PreflightFinding, type PreflightVm, type TargetFacts } from './rule.js';

/** Whether the pools of each network hold enough free addresses for all ports that leave the choice to Neutron. */
export const pool = cloudRule({
  codes: ['cloud.no_address'],
  find: (target, vms) =>
    target.networks
      // Of another project's network not all ports are seen, so nothing can be counted.
      .filter((network) => isOwner(target, network))
      .flatMap((network) => ([4, 6] as const).flatMap((family) => shortOf(target, vms, network, family))),
});

function shortOf(
  target: TargetFacts,
  vms: readonly PreflightVm[],
  network: { id: string; name: string },
  family: 4 | 6,
): PreflightFinding[] {
  const subnets = target.subnets.filter(
    (subnet) => subnet.network_id === network.id && subnet.ip_version === family && !isAutomatic(subnet),
  );
  const needed = vms
    .flatMap(({ ports }) => ports)
    .filter((port) => port.network_id === network.id && letsChoose(port.fixed_ips, subnets)).length;
  if (subnets.length === 0 || needed === 0) return [];
  const pools = subnets.flatMap(({ allocation_pools }) => allocation_pools);
  const all = pools.reduce((sum, item) => sum + countBetween(item), 0n);
  const used = target.ports
    .filter((port) => port.network_id === network.id)
    .flatMap(({ fixed_ips }) => fixed_ips)
    .filter(({ ip_address }) => pools.some((item) => isBetween(ip_address, item))).length;
  const free = all - BigInt(used);
  if (free >= BigInt(needed)) return [];
  const message = `Network ${network.name} has ${free < 0n ? 0n : free} free IPv${family} address(es) in its allocation pools, and ${needed} port(s) are to get one.`;
  const remedy = `Delete ports that are no longer needed, widen a pool (openstack subnet set --allocation-pool start=FIRST,end=LAST ${subnets[0]?.id ?? 'SUBNET'}), or name addresses outside the pools.`;
  return [{ place: 'cloud', finding: finding('cloud.no_address', 'blocker', 'cloud', { message, remedy }) }];
}

/** Neutron chooses one of each family where nothing is said, and one of a subnet that is named without an address. */
function letsChoose(
  ips: readonly { subnet_id?: string | undefined; ip_address?: string | undefined }[] | null,
  subnets: readonly Subnet[],
): boolean {
  if (ips === null) return true;
  return ips.some((ip) => ip.ip_address === undefined && subnets.some(({ id }) => id === ip.subnet_id));
}

function isAutomatic({ ipv6_address_mode }: Subnet): boolean {
  return ipv6_address_mode === 'slaac' || ipv6_address_mode === 'dhcpv6-stateless';
}
