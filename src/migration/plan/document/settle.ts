import { StackferryError } from '../../../core/index.js';
import type { CloudFacts } from '../../cloud-facts.js';
import { hostnameOf } from '../names.js';
import { parseWaitFor } from '../options.js';
import type { ImageSection, PortSection, ServerSection, VolumeSection } from '../sections.js';
import type { ResolvedVm } from './describe.js';
import type { PlannedVm } from './schema.js';

/**
 * The parts that the steps read, out of a plan's entry: names are looked up again, for the cloud may have changed since.
 * @throws StackferryError (exit code 3) that names what is no longer there: `cloud.no_flavor`, `cloud.no_network`,
 *   `cloud.volume_type`, `cloud.zone_mismatch`, `cloud.no_security_group`, `cloud.no_keypair`.
 */
export function settleVm(planned: PlannedVm, facts: CloudFacts): ResolvedVm {
  const of = planned.vm.name;
  return {
    images: planned.images.map((image): ImageSection => ({ ...image, format_reason: 'the plan' })),
    volumes: planned.volumes.map((volume) => settleVolume(volume, facts, of)),
    ports: planned.ports.map((port) => settlePort(port, facts, of)),
    server: settleServer(planned.server, facts, of),
    waitFor: parseWaitFor(planned.wait_for),
  };
}

/** One volume of the VM `of`. */
export function settleVolume(volume: PlannedVm['volumes'][number], facts: CloudFacts, of: string): VolumeSection {
  if (volume.type !== null) find('cloud.volume_type', 'volume type', volume.type, facts.volumeTypes, of);
  if (volume.zone !== null) findZone('Cinder', volume.zone, facts.zones.volume, of);
  return { ...volume };
}

/** One port of the VM `of`. */
export function settlePort(port: PlannedVm['ports'][number], facts: CloudFacts, of: string): PortSection {
  const network = find('cloud.no_network', 'network', port.network, facts.networks, of);
  const subnets = facts.subnets.filter((subnet) => subnet.network_id === network.id);
  return {
    name: port.name,
    label: port.label,
    network_id: network.id,
    network_name: network.name,
    reason: 'the plan',
    mac: port.mac,
    mac_required: port.mac_required,
    fixed_ips:
      port.addresses?.map(({ subnet, ip }) => ({
        ...(subnet === undefined
          ? {}
          : { subnet_id: find('cloud.no_network', `subnet of ${network.name}`, subnet, subnets, of).id }),
        ...(ip === undefined ? {} : { ip_address: ip }),
      })) ?? null,
    security_group_ids:
      port.security_groups?.map(
        (group) => find('cloud.no_security_group', 'security group', group, facts.securityGroups, of).id,
      ) ?? null,
  };
}

/** The server of the VM `of`. */
export function settleServer(server: PlannedVm['server'], facts: CloudFacts, of: string): ServerSection {
  const isThere = facts.flavors.some((item) => item.id === server.flavor || item.name === server.flavor);
  const made = server.create_flavor !== null && !isThere ? server.create_flavor : undefined;
  const flavor = made
    ? { id: server.flavor, name: server.flavor }
    : find('cloud.no_flavor', 'flavor', server.flavor, facts.flavors, of);
  if (server.zone !== null) findZone('Nova', server.zone, facts.zones.compute, of);
  if (server.key_name !== null && !facts.keypairs.some((key) => key.name === server.key_name)) {
    throw gone('cloud.no_keypair', 'key pair', server.key_name, facts.keypairs.map(nameOf), of);
  }
  return {
    name: server.name,
    hostname: server.hostname === undefined ? hostnameOf(server.name) : server.hostname,
    flavor_id: flavor.id,
    flavor_name: flavor.name,
    flavor_reason: 'the plan',
    ...(made === undefined ? {} : { create_flavor: made }),
    zone: server.zone,
    key_name: server.key_name,
    config_drive: server.config_drive,
    start: server.start,
    metadata: server.metadata,
    ...(server.tags.length === 0 ? {} : { tags: server.tags }),
  };
}

interface Named {
  id: string;
  name?: string | null | undefined;
}

const nameOf = (item: { name?: string | null | undefined }) => item.name ?? '';

/** What has this id, or alone this name. */
function find<T extends Named>(code: string, what: string, wanted: string, all: readonly T[], vm: string): T {
  const byId = all.find((item) => item.id === wanted);
  if (byId) return byId;
  const [only, ...more] = all.filter((item) => item.name === wanted);
  if (only && more.length === 0) return only;
  if (!only) throw gone(code, what, wanted, all.map(nameOf), vm);
  throw new StackferryError(code, `The plan of ${vm} names the ${what} "${wanted}", and several have that name.`, {
    hint: `Write the id into the plan: ${[only, ...more].map((item) => item.id).join(', ')}.`,
    exitCode: 3,
  });
}

function findZone(service: string, wanted: string, zones: readonly { name: string }[], vm: string): void {
  // A cloud that does not show its zones is not asked to prove one.
  if (zones.length === 0 || zones.some((zone) => zone.name === wanted)) return;
  throw gone('cloud.zone_mismatch', `availability zone of ${service}`, wanted, zones.map(nameOf), vm);
}

function gone(code: string, what: string, wanted: string, names: readonly string[], vm: string): StackferryError {
  const known = [...new Set(names)].filter((name) => name !== '').sort();
  const list = known.length > 12 ? `${known.slice(0, 12).join(', ')}, …` : known.join(', ');
  return new StackferryError(code, `The plan of ${vm} names the ${what} "${wanted}", which the cloud does not have.`, {
    hint: `It has: ${list || 'none'}. Correct the plan, or make it anew: stackferry plan --vm NAME -o FILE`,
    exitCode: 3,
  });
}
