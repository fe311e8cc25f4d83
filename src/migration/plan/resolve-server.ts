import { StackferryError, isCode } from '../../core/index.js';
import type { VmRecord } from '../../esxi/index.js';
import { chooseFlavor, type Flavor, type Keypair, type Zones } from '../../openstack/index.js';
import { cloudName, hostnameOf, metadataValue } from './names.js';
import type { MappingOptions } from './options.js';
import { architectureOf } from './resolve-image.js';
import type { ServerSection } from './sections.js';

export interface ServerFacts {
  flavors: readonly Flavor[];
  /** Only read where a key was asked for. */
  keypairs: readonly Keypair[];
  zones: Zones;
}

type ServerOptions = Pick<
  MappingOptions,
  'flavor' | 'zone' | 'keyName' | 'name' | 'configDrive' | 'start' | 'tags' | 'metadata' | 'createFlavor'
>;

/** What the server needs of the source: a VM, or what a person said of a disk that has none. */
export type ServerSource = Pick<VmRecord, 'name' | 'cpus' | 'memory_mib' | 'guest_id' | 'uuid'>;

/**
 * The server: flavor by best fit (or as asked for), zone, key pair, and in its metadata where it comes from.
 * @param from the host, and the VM's id there; null where it is no VM of a host
 */
export function resolveServer(
  vm: ServerSource,
  options: ServerOptions,
  facts: ServerFacts,
  from: { host: string; id: string } | null,
): ServerSection {
  const flavor = resolveFlavor(vm, options, facts.flavors);
  const zones = facts.zones.compute.map((zone) => zone.name);
  if (options.zone !== undefined && zones.length > 0 && !zones.includes(options.zone)) {
    throw new StackferryError('cloud.zone_mismatch', `Nova has no availability zone "${options.zone}".`, {
      hint: `It has: ${zones.join(', ')}. Use --zone NAME.`,
      exitCode: 3,
    });
  }
  if (options.keyName !== undefined && !facts.keypairs.some((key) => key.name === options.keyName)) {
    throw new StackferryError('cloud.no_keypair', `You have no key pair "${options.keyName}" in this cloud.`, {
      hint: `You have: ${facts.keypairs.map((key) => key.name).join(', ') || 'none'}. Use --key-name NAME.`,
      exitCode: 3,
    });
  }
  const name = cloudName(options.name ?? vm.name);
  return {
    name,
    hostname: hostnameOf(name),
    ...flavor,
    zone: options.zone ?? null,
    key_name: options.keyName ?? null,
    config_drive: options.configDrive,
    start: options.start,
    metadata: {
      ...options.metadata,
      stackferry_vm: metadataValue(vm.name),
      ...(vm.uuid === null ? {} : { stackferry_vm_uuid: vm.uuid }),
      ...(from === null ? {} : { stackferry_vm_id: from.id, stackferry_vm_host: metadataValue(from.host) }),
    },
    ...(options.tags === undefined ? {} : { tags: options.tags }),
  };
}

type FlavorPart = Pick<ServerSection, 'flavor_id' | 'flavor_name' | 'flavor_reason' | 'create_flavor'>;

function resolveFlavor(
  vm: ServerSource,
  { flavor: wanted, createFlavor }: Pick<MappingOptions, 'flavor' | 'createFlavor'>,
  flavors: readonly Flavor[],
): FlavorPart {
  const part = (flavor: Flavor, reason: string): FlavorPart => ({
    flavor_id: flavor.id,
    flavor_name: flavor.name,
    flavor_reason: reason,
  });
  if (wanted === undefined) {
    const need = { vcpus: vm.cpus ?? 1, ramMib: vm.memory_mib ?? 1024, architecture: architectureOf(vm.guest_id) };
    if (createFlavor === true) {
      const exact = flavors.filter((flavor) => flavor.vcpus === need.vcpus && flavor.ram === need.ramMib);
      try {
        const { flavor, reason } = chooseFlavor(exact, need);
        return part(flavor, reason);
      } catch (error) {
        if (!isCode(error, 'cloud.no_flavor')) throw error;
        return newFlavor(need);
      }
    }
    const { flavor, reason } = chooseFlavor(flavors, need);
    return part(flavor, reason);
  }
  const found = flavors.find((flavor) => flavor.id === wanted) ?? flavors.find((flavor) => flavor.name === wanted);
  if (found) return part(found, `--flavor ${wanted}`);
  const names = flavors.map((flavor) => flavor.name).sort();
  throw new StackferryError('cloud.no_flavor', `The cloud has no flavor "${wanted}".`, {
    hint: `It has: ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}. Use --flavor NAME, or leave it out.`,
    exitCode: 3,
  });
}

/** A flavor of exactly this size. Its name says the size, so that VMs of one size share one. */
function newFlavor({ vcpus, ramMib }: { vcpus: number; ramMib: number }): FlavorPart {
  const name = `stackferry-${vcpus}-${ramMib}`;
  return {
    flavor_id: name,
    flavor_name: name,
    flavor_reason: `--create-flavor: none has ${vcpus} vCPU and ${ramMib} MiB exactly`,
    create_flavor: { vcpus, ram_mib: ramMib },
  };
}
