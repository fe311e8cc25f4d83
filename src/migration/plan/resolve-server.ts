import { StackferryError } from '../../core/index.js';
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
  'flavor' | 'zone' | 'keyName' | 'name' | 'configDrive' | 'start' | 'tags' | 'metadata'
>;

/** What the server needs of the source: a VM, or what a person said of a disk that has none. */
export type ServerSource = Pick<VmRecord, 'name' | 'cpus' | 'memory_mib' | 'guest_id' | 'uuid'>;

/** The server: flavor by best fit (or as asked for), zone, key pair. */
export function resolveServer(vm: ServerSource, options: ServerOptions, facts: ServerFacts): ServerSection {
  const { flavor, reason } = resolveFlavor(vm, options.flavor, facts.flavors);
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
    flavor_id: flavor.id,
    flavor_name: flavor.name,
    flavor_reason: reason,
    zone: options.zone ?? null,
    key_name: options.keyName ?? null,
    config_drive: options.configDrive,
    start: options.start,
    metadata: {
      ...options.metadata,
      stackferry_vm: metadataValue(vm.name),
      ...(vm.uuid === null ? {} : { stackferry_vm_uuid: vm.uuid }),
    },
    ...(options.tags === undefined ? {} : { tags: options.tags }),
  };
}

function resolveFlavor(
  vm: ServerSource,
  wanted: string | undefined,
  flavors: readonly Flavor[],
): { flavor: Flavor; reason: string } {
  if (wanted === undefined) {
    return chooseFlavor(flavors, {
      vcpus: vm.cpus ?? 1,
      ramMib: vm.memory_mib ?? 1024,
      architecture: architectureOf(vm.guest_id),
    });
  }
  const found = flavors.find((flavor) => flavor.id === wanted) ?? flavors.find((flavor) => flavor.name === wanted);
  if (found) return { flavor: found, reason: `--flavor ${wanted}` };
  const names = flavors.map((flavor) => flavor.name).sort();
  throw new StackferryError('cloud.no_flavor', `The cloud has no flavor "${wanted}".`, {
    hint: `It has: ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}. Use --flavor NAME, or leave it out.`,
    exitCode: 3,
  });
}
