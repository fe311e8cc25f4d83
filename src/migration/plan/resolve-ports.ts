import { BlockList, isIP } from 'node:net';
import { StackferryError } from '../../core/index.js';
import type { NicRecord, VmRecord } from '../../esxi/index.js';
import type { Network, SecurityGroup, Subnet } from '../../openstack/index.js';
import { cloudName } from './names.js';
import { globFits, type MappingOptions, type NicMapping } from './options.js';
import type { PortSection } from './sections.js';

export interface NetworkFacts {
  networks: readonly Network[];
  subnets: readonly Subnet[];
  securityGroups: readonly SecurityGroup[];
}

type PortOptions = Pick<MappingOptions, 'networks' | 'nics' | 'keepMac' | 'keepIp' | 'securityGroups' | 'name'>;

/**
 * A port for each NIC of the VM, in the guest's order. `--nic` wins over `--network`; without either, a network of the
 * port group's own name is taken, and nothing else: a guess could connect a server to the wrong network.
 * @throws StackferryError `nic.unmapped`, `cloud.no_network`, `cloud.ip_outside`, `cloud.no_security_group`.
 */
export function resolvePorts(
  vm: Pick<VmRecord, 'name' | 'nics'>,
  options: PortOptions,
  facts: NetworkFacts,
): PortSection[] {
  for (const nic of options.nics) {
    if (vm.nics.some((own) => own.label === nic.label)) continue;
    const own = vm.nics.map((item) => (item.network === null ? item.label : `${item.label} ("${item.network}")`));
    throw new StackferryError('nic.unmapped', `--nic names ${nic.label}, which ${vm.name} does not have.`, {
      hint: own.length === 0 ? 'It has no NIC: leave --nic out.' : `It has: ${own.join(', ')}.`,
      exitCode: 2,
    });
  }
  const groups =
    options.securityGroups.length === 0 ? null : options.securityGroups.map((name) => findGroup(name, facts));
  return vm.nics.map((nic) => {
    const chosen = options.nics.find((item) => item.label === nic.label);
    const { target, reason } = targetOf(nic, chosen, options, facts);
    const { network, subnet } = findNetwork(target, facts, nic);
    return {
      name: cloudName(options.name ?? vm.name, `-${nic.label}`),
      label: nic.label,
      network_id: network.id,
      network_name: network.name,
      reason,
      mac: chosen?.mac ?? (options.keepMac ? nic.mac : null),
      mac_required: chosen?.mac !== undefined && chosen.mac !== null,
      fixed_ips: fixedIps(nic, chosen, network, subnet, chosen?.keepIp ?? options.keepIp, facts),
      security_group_ids: chosen?.securityGroups?.map((name) => findGroup(name, facts)) ?? groups,
    };
  });
}

function targetOf(
  nic: NicRecord,
  chosen: NicMapping | undefined,
  options: PortOptions,
  facts: NetworkFacts,
): { target: string; reason: string } {
  if (chosen) return { target: chosen.target, reason: chosen.reason ?? `--nic ${nic.label}=${chosen.target}` };
  const name = nic.network ?? '';
  const exact = options.networks.find((item) => item.source === name);
  const mapping = exact ?? options.networks.find((item) => globFits(item.source, name));
  if (mapping) return { target: mapping.target, reason: `--network ${mapping.source}=${mapping.target}` };
  const same = facts.networks.filter((network) => network.name === name && !network['router:external']);
  if (name !== '' && same.length === 1 && same[0]) {
    return { target: same[0].id, reason: `a network has the port group's name, ${name}` };
  }
  const subject = `${nic.label} (${nic.network === null ? 'no port group known' : `port group "${nic.network}"`})`;
  const option =
    nic.network === null ? `--nic ${nic.label}=NETWORK` : `--network '${nic.network.replaceAll("'", "'\\''")}=NETWORK'`;
  throw new StackferryError('nic.unmapped', `It is not said which network ${subject} shall be on.`, {
    hint: `Add ${option}; the cloud has: ${listNetworks(facts)}.`,
    exitCode: 3,
  });
}

/** A network, or the network of a subnet, by id or name. */
function findNetwork(wanted: string, facts: NetworkFacts, nic: NicRecord): { network: Network; subnet: Subnet | null } {
  const byId = facts.networks.find((network) => network.id === wanted);
  if (byId) return { network: byId, subnet: null };
  const found: { network: Network; subnet: Subnet | null }[] = facts.networks
    .filter((network) => network.name === wanted)
    .map((network) => ({ network, subnet: null }));
  if (found.length === 0) {
    for (const subnet of facts.subnets.filter((item) => item.id === wanted || item.name === wanted)) {
      const network = facts.networks.find((item) => item.id === subnet.network_id);
      if (network) found.push({ network, subnet });
    }
  }
  if (found.length === 1 && found[0]) return found[0];
  if (found.length > 1) {
    const ids = found.map((item) => item.subnet?.id ?? item.network.id).join(', ');
    throw new StackferryError(
      'cloud.no_network',
      `"${wanted}", asked for ${nic.label}, is the name of several: ${ids}.`,
      {
        hint: 'Use the id instead of the name.',
        exitCode: 3,
      },
    );
  }
  throw new StackferryError(
    'cloud.no_network',
    `The cloud has no network or subnet "${wanted}", asked for ${nic.label}.`,
    {
      hint: `It has: ${listNetworks(facts)}.`,
      exitCode: 3,
    },
  );
}

function fixedIps(
  nic: NicRecord,
  chosen: NicMapping | undefined,
  network: Network,
  subnet: Subnet | null,
  keepIp: boolean,
  facts: NetworkFacts,
): PortSection['fixed_ips'] {
  const subnets = subnet ? [subnet] : facts.subnets.filter((item) => item.network_id === network.id);
  const wanted = chosen && chosen.ips.length > 0 ? chosen.ips : keepIp ? nic.ip_addresses.filter(isGlobal) : [];
  if (wanted.length === 0) {
    // --nic without an address is an answer of its own.
    if (keepIp && (chosen === undefined || chosen.reason !== undefined)) {
      throw new StackferryError('cloud.ip_outside', `--keep-ip: the host knows no address of ${nic.label}.`, {
        hint: `VMware Tools report addresses only of a running guest. Name it: --nic ${nic.label}=${network.name},ip=ADDRESS`,
        exitCode: 3,
      });
    }
    return subnet ? [{ subnet_id: subnet.id }] : null;
  }
  const ips = wanted.map((ip) => {
    const home = subnets.find((item) => isWithin(ip, item.cidr));
    // Where the router gives the addresses out (SLAAC), Neutron takes none by choice: it follows from the MAC.
    if (home && isAutomatic(home)) return { subnet_id: home.id };
    if (home) return { subnet_id: home.id, ip_address: ip };
    const cidrs = subnets.map((item) => item.cidr).join(', ') || 'no subnet';
    throw new StackferryError(
      'cloud.ip_outside',
      `${ip} of ${nic.label} lies in no subnet of ${network.name} (${cidrs}).`,
      {
        hint: `Name another address or network: --nic ${nic.label}=NETWORK,ip=ADDRESS; or leave out --keep-ip.`,
        exitCode: 3,
      },
    );
  });
  return ips;
}

/** Neutron refuses a fixed address in such a subnet (Networking API, `ipv6_address_mode`). */
function isAutomatic(subnet: Subnet): boolean {
  return subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === 'dhcpv6-stateless';
}

/** Whether an address can be a port's: not link-local, loopback or unspecified. */
function isGlobal(ip: string): boolean {
  return isIP(ip) !== 0 && !/^(169\.254\.|127\.|0\.|fe[89ab][0-9a-f]:|::1$|::$)/i.test(ip);
}

/** Whether an address lies in a CIDR, in either family. */
export function isWithin(ip: string, cidr: string): boolean {
  const [base = '', bits = ''] = cidr.split('/');
  const family = isIP(base);
  if (family === 0 || isIP(ip) !== family || bits === '') return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(base, Number(bits), type);
  return list.check(ip, type);
}

function findGroup(wanted: string, facts: NetworkFacts): string {
  const found = facts.securityGroups.filter((group) => group.id === wanted || group.name === wanted);
  if (found.length === 1 && found[0]) return found[0].id;
  const names = facts.securityGroups.map((group) => group.name).join(', ') || 'none';
  throw new StackferryError(
    'cloud.no_security_group',
    found.length === 0
      ? `The project has no security group "${wanted}".`
      : `Several security groups are named "${wanted}".`,
    { hint: found.length === 0 ? `It has: ${names}.` : 'Use the id instead of the name.', exitCode: 3 },
  );
}

function listNetworks(facts: NetworkFacts): string {
  const names = facts.networks.map((network) => network.name || network.id);
  return names.length === 0 ? 'none' : names.sort().join(', ');
}
