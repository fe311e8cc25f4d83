import { volumeTypeAspects, type VolumeType } from '../../openstack/index.js';
import { finding, type Finding } from '../findings/finding.js';
import type { VolumeSection } from '../plan/sections.js';
import { cloudRule, ofVm, type TargetFacts } from './rule.js';

/** What the volume types ask of the cloud: a key manager for encrypted ones (SCS-0116), the zones that they are bound to. */
export const volumeType = cloudRule({
  codes: ['cloud.volume_type', 'cloud.zone_mismatch'],
  find: (target, vms) =>
    vms.flatMap((item) =>
      item.volumes
        .flatMap((volume) => judge(target, volume, item.server?.zone ?? null))
        .map((found) => ofVm(item, found)),
    ),
});

function judge(target: TargetFacts, volume: VolumeSection, serverZone: string | null): Finding[] {
  const name = volume.type ?? target.defaultVolumeType;
  const type = target.volumeTypes.find((item) => item.name === name);
  if (!type) return [];
  return [...encryption(target, volume.label, type), ...zones(volume, type, serverZone)];
}

function encryption({ catalog }: TargetFacts, label: string, type: VolumeType): Finding[] {
  if (!volumeTypeAspects(type.description).includes('encrypted') || catalog.includes('key-manager')) return [];
  return [
    finding('cloud.volume_type', 'warning', label, {
      message: `Volume type ${type.name} calls itself encrypted, and the catalog has no key manager (Barbican): where the keys would come from is not known, and making the volume may fail.`,
      remedy: `Ask the operator, or try it: openstack volume create --type ${type.name} --size 1 NAME. Another type: --volume-type NAME`,
    }),
  ];
}

/** The zones that an operator has bound a type to. Source: Cinder, "Availability-zone types", `RESKEY:availability_zones`. */
function zones({ label, zone }: VolumeSection, type: VolumeType, serverZone: string | null): Finding[] {
  const bound = (type.extra_specs['RESKEY:availability_zones'] ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (bound.length === 0) return [];
  if (zone !== null && !bound.includes(zone)) {
    return [
      finding('cloud.zone_mismatch', 'blocker', label, {
        message: `Volume type ${type.name} is had in zone ${bound.join(', ')} only, and the volume is to be in ${zone}.`,
        remedy: `Use --volume-zone ${bound[0] ?? 'ZONE'}, or another --volume-type.`,
      }),
    ];
  }
  if (zone === null && serverZone !== null && !bound.includes(serverZone)) {
    return [
      finding('cloud.zone_mismatch', 'warning', label, {
        message: `Volume type ${type.name} is had in zone ${bound.join(', ')} only, and the server is to be in ${serverZone}.`,
        remedy: `Zones of servers and volumes should match (SCS-0121): use --zone ${bound[0] ?? 'ZONE'}, or another --volume-type.`,
      }),
    ];
  }
  return [];
}
