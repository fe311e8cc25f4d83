import { StackferryError, formatBytes } from '../../../core/index.js';
import type { VmRecord } from '../../../esxi/index.js';
import { chooseFlavor } from '../../../openstack/index.js';
import type { CloudFacts } from '../../cloud-facts.js';
import type { Finding } from '../../findings/index.js';
import { hostnameOf } from '../names.js';
import { architectureOf } from '../resolve-image.js';
import type { ViaSection } from '../sections.js';
import type { ResolvedVm } from './describe.js';
import type { PlannedVm } from './schema.js';

/** A comment of a plan file: the path of what it stands above, from the VM's entry on, and its lines. */
export interface Comment {
  path: (string | number)[];
  text: string;
}

/** At most so many other flavors are named; a cloud may have hundreds. */
const MOST_FLAVORS = 6;

/**
 * Why the plan of one VM is as it is: a comment for every choice.
 * @param via the way into the volumes as it comes out on this machine
 */
export function explainVm(
  vm: VmRecord,
  planned: PlannedVm,
  resolved: ResolvedVm,
  facts: Pick<CloudFacts, 'flavors' | 'volumeTypes'>,
  findings: readonly Finding[],
  via: Pick<ViaSection, 'way' | 'reason'>,
): Comment[] {
  return [
    { path: [], text: [`${vm.name}: ${size(vm)}`, ...findings.map(findingLine)].join('\n') },
    ...(planned.via === undefined ? [] : [{ path: ['via'], text: viaLine(planned.via, via) }]),
    ...resolved.images.flatMap((image, index): Comment[] => [
      { path: ['images', index, 'format'], text: image.format_reason },
      ...propertyReasons(vm, image).map(([key, text]) => ({
        path: ['images', index, 'properties', key],
        text,
      })),
    ]),
    ...resolved.volumes.flatMap((volume, index): Comment[] => {
      const disk = vm.disks.find((item) => item.label === volume.label);
      const capacity = disk?.capacity_bytes;
      const rounded = capacity === null || capacity === undefined ? 'unknown size' : formatBytes(capacity);
      return [
        { path: ['volumes', index, 'size_gib'], text: `the disk has ${rounded}; Cinder counts whole GiB` },
        ...(volume.type === null
          ? [{ path: ['volumes', index, 'type'], text: `null: the cloud's default${listTypes(facts)}` }]
          : []),
        ...(volume.type_reason === undefined ? [] : [{ path: ['volumes', index, 'type'], text: volume.type_reason }]),
        ...(volume.boot ? [{ path: ['volumes', index, 'boot'], text: "the guest's first disk" }] : []),
      ];
    }),
    ...resolved.ports.flatMap((port, index): Comment[] => {
      const nic = vm.nics.find((item) => item.label === port.label);
      const from = nic?.network === null || nic === undefined ? 'no port group known' : `port group ${nic.network}`;
      const groups = port.security_group_ids === null;
      return [
        { path: ['ports', index, 'network'], text: `${from}; ${port.reason}` },
        ...(port.mac === null || port.mac_required
          ? []
          : [{ path: ['ports', index, 'mac'], text: "the source's, where it is free in the cloud" }]),
        ...(groups
          ? [
              {
                path: ['ports', index, 'security_groups'],
                text: 'null: the group "default", which lets in its own members only; name others as ["web"]',
              },
            ]
          : []),
      ];
    }),
    ...hostnameComment(planned),
    ...(resolved.server.name === vm.name ? [] : [{ path: ['server', 'name'], text: `on ESXi: ${vm.name}` }]),
    { path: ['server', 'flavor'], text: flavorLines(vm, resolved, facts).join('\n') },
    ...(planned.server.start ? [] : [{ path: ['server', 'start'], text: 'no server is made: --no-start' }]),
  ];
}

/** `auto` stays in the plan: it may be run on another machine, where another way is open. */
function viaLine(wanted: NonNullable<PlannedVm['via']>, { way, reason }: Pick<ViaSection, 'way' | 'reason'>): string {
  return wanted === 'auto' ? `from this machine: ${way}, for ${reason}; each run looks again` : reason;
}

/** Above the server, since the line that it is about is not there. */
function hostnameComment({ server }: PlannedVm): Comment[] {
  const own = hostnameOf(server.name);
  if (server.hostname !== undefined || own === null) return [];
  const text = `its host name follows its name (${own}); to give it another one, add below: hostname: NAME`;
  return [{ path: ['server'], text }];
}

function size(vm: VmRecord): string {
  const disks = vm.disks.map((disk) => `${disk.label} ${formatBytes(disk.capacity_bytes ?? 0)}`).join(', ');
  return `${vm.cpus ?? '?'} vCPU, ${vm.memory_mib ?? '?'} MiB RAM, ${vm.firmware ?? 'bios'}, ${disks || 'no disk'}`;
}

function findingLine(finding: Finding): string {
  const on = finding.subject === 'vm' ? '' : ` ${finding.subject}`;
  return `${finding.severity} ${finding.code}${on}: ${finding.message} ${finding.remedy}`;
}

function flavorLines(vm: VmRecord, { server }: ResolvedVm, { flavors }: Pick<CloudFacts, 'flavors'>): string[] {
  const need = {
    vcpus: vm.cpus ?? 1,
    ramMib: vm.memory_mib ?? 1024,
    architecture: architectureOf(vm.guest_id),
  } as const;
  const lines = [server.flavor_reason];
  try {
    const { flavor, alternatives, rejected } = chooseFlavor(flavors, need);
    const others = [flavor, ...alternatives].filter((item) => item.id !== server.flavor_id).map((item) => item.name);
    if (others.length > 0) lines.push(`also fits, with more waste: ${some(others)}`);
    const near = [...rejected]
      .sort((a, b) => a.reasons.length - b.reasons.length || a.flavor.name.localeCompare(b.flavor.name))
      .filter((item) => item.flavor.id !== server.flavor_id)
      .map((item) => `${item.flavor.name} (${item.reasons.join('; ')})`);
    if (near.length > 0) lines.push(`rejected: ${some(near)}`);
  } catch (error) {
    if (!(error instanceof StackferryError)) throw error;
    lines.push(error.message); // one was named although none fits
  }
  return lines;
}

function some(names: readonly string[]): string {
  const rest = names.length - MOST_FLAVORS;
  return `${names.slice(0, MOST_FLAVORS).join(', ')}${rest > 0 ? `, and ${rest} more` : ''}`;
}

function listTypes({ volumeTypes }: Pick<CloudFacts, 'volumeTypes'>): string {
  const names = volumeTypes.map((type) => type.name).filter((name) => name !== '__DEFAULT__');
  return names.length === 0 ? '' : `; there are ${some(names.sort())}`;
}

/** Properties whose reason tells what the VM has, also where a rule sets another one. */
const OUTRIGHT: ReadonlySet<string> = new Set(['hw_disk_bus', 'hw_vif_model', 'hw_firmware_type']);

function propertyReasons(
  vm: VmRecord,
  { properties, property_reasons: ruled = {} }: ResolvedVm['images'][number],
): [string, string][] {
  const controllers = [...new Set(vm.disks.map((disk) => disk.controller ?? 'an unknown controller'))].join(', ');
  const models = [...new Set(vm.nics.map((nic) => nic.model ?? 'an unknown model'))].join(', ');
  const reasons: Record<string, string> = {
    hw_disk_bus: `on ESXi: ${controllers || 'no disk'}${'hw_disk_bus' in ruled ? '' : '; virtio-scsi is what SCS-0102 recommends and what every current Linux has a driver for'}`,
    hw_vif_model: `on ESXi: ${models || 'no NIC'}`,
    hw_firmware_type:
      'hw_firmware_type' in ruled
        ? `on ESXi: ${vm.firmware ?? 'bios'}`
        : 'as on ESXi: a guest that was installed under EFI boots only so',
    os_secure_boot: 'as on ESXi, where the hypervisor has it',
    hw_tpm_version: 'a new and empty TPM: what the old one held does not come along',
    hw_cpu_sockets: `as on ESXi: ${vm.cores_per_socket} core(s) a socket`,
    os_type: `from the guest's kind on ESXi: ${vm.guest_id ?? 'unknown'}`,
  };
  const asOnEsxi = Object.entries(reasons).filter(([key]) => key in properties && !Object.hasOwn(ruled, key));
  const byRule = Object.entries(ruled).map(([key, rule]): [string, string] => {
    const was = OUTRIGHT.has(key) ? reasons[key] : undefined;
    return [key, was === undefined ? rule : `${rule}; ${was}`];
  });
  return [...asOnEsxi, ...byRule];
}
