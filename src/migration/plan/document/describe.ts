import type { VmRecord } from '../../../esxi/index.js';
import type { CloudFacts } from '../../cloud-facts.js';
import { hostnameOf } from '../names.js';
import { formatWaitFor, type WaitFor } from '../options.js';
import type { Via } from '../resolve-via.js';
import type { ImageSection, PortSection, ServerSection, VolumeSection } from '../sections.js';
import type { PlannedVm, SeenVm } from './schema.js';

/** The resolved parts of one VM's plan, as the steps read them. */
export interface ResolvedVm {
  via?: Via;
  images: ImageSection[];
  volumes: VolumeSection[];
  ports: PortSection[];
  server: ServerSection;
  waitFor: WaitFor;
}

/** One VM's entry of a plan file, out of what was resolved: ids become names where a name says the same. */
export function describeVm(
  vm: VmRecord,
  skipped: readonly string[],
  resolved: ResolvedVm,
  facts: Pick<CloudFacts, 'networks' | 'subnets' | 'securityGroups' | 'flavors'>,
): PlannedVm {
  return {
    vm: seenOf(vm),
    skip_disks: [...skipped],
    ...(resolved.via === undefined ? {} : { via: resolved.via }),
    images: resolved.images.map(({ label, name, format, min_disk_gib, properties }) => ({
      label,
      name,
      format,
      min_disk_gib,
      properties,
    })),
    volumes: resolved.volumes.map(({ label, name, size_gib, type, zone, boot }) => ({
      label,
      name,
      size_gib,
      type,
      zone,
      boot,
    })),
    ports: resolved.ports.map((port) => ({
      label: port.label,
      name: port.name,
      network: nameOr(port.network_id, facts.networks),
      addresses:
        port.fixed_ips?.map((ip) => ({
          ...(ip.subnet_id === undefined ? {} : { subnet: nameOr(ip.subnet_id, facts.subnets) }),
          ...(ip.ip_address === undefined ? {} : { ip: ip.ip_address }),
        })) ?? null,
      mac: port.mac,
      mac_required: port.mac_required,
      security_groups: port.security_group_ids?.map((id) => nameOr(id, facts.securityGroups)) ?? null,
    })),
    server: {
      name: resolved.server.name,
      // Left out, it follows the name, also when that is edited.
      ...(resolved.server.hostname === hostnameOf(resolved.server.name) ? {} : { hostname: resolved.server.hostname }),
      flavor: resolved.server.create_flavor
        ? resolved.server.flavor_name
        : nameOr(resolved.server.flavor_id, facts.flavors),
      create_flavor: resolved.server.create_flavor ?? null,
      zone: resolved.server.zone,
      key_name: resolved.server.key_name,
      config_drive: resolved.server.config_drive,
      start: resolved.server.start,
      metadata: resolved.server.metadata,
      tags: resolved.server.tags ?? [],
    },
    wait_for: formatWaitFor(resolved.waitFor),
  };
}

/** What a plan keeps of the VM that it was made for. */
export function seenOf(vm: VmRecord): SeenVm {
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    power_state: vm.power_state,
    guest_id: vm.guest_id,
    cpus: vm.cpus,
    memory_mib: vm.memory_mib,
    firmware: vm.firmware,
    secure_boot: vm.secure_boot,
    snapshots: vm.snapshots,
    disks: vm.disks.map(({ label, path, capacity_bytes, allocated_bytes, kind, chain }) => ({
      label,
      path,
      capacity_bytes,
      allocated_bytes,
      kind,
      chain: [...chain],
    })),
    nics: vm.nics.map(({ label, model, mac, network, vlan_id, ip_addresses }) => ({
      label,
      model,
      mac,
      network,
      vlan_id,
      ip_addresses: [...ip_addresses],
    })),
  };
}

/** The name of what has this id, or the id where the name is empty or fits another one, too. */
function nameOr(id: string, all: readonly { id: string; name?: string | null | undefined }[]): string {
  const name = all.find((item) => item.id === id)?.name ?? '';
  const same = all.filter((item) => item.name === name || item.id === name);
  return name === '' || same.length !== 1 ? id : name;
}
