import { StackferryError, ceilGib } from '../../core/index.js';
import type { DiskRecord, VmRecord } from '../../esxi/index.js';
import type { VolumeType, Zones } from '../../openstack/index.js';
import { cloudName } from './names.js';
import type { MappingOptions } from './options.js';
import type { VolumeSection } from './sections.js';

/** The volume of each disk: whole GiB (rounded up), type and zone as asked for. The first disk boots. */
export function resolveVolumes(
  vm: Pick<VmRecord, 'name'>,
  disks: readonly DiskRecord[],
  options: Pick<MappingOptions, 'volumeType' | 'volumeTypes' | 'volumeZone' | 'zone' | 'name'>,
  cloud: { volumeTypes: readonly VolumeType[]; zones: Zones },
): VolumeSection[] {
  const zone = findVolumeZone(options, cloud.zones);
  return disks.map((disk, index) => {
    const ruled = options.volumeType === undefined ? options.volumeTypes?.[disk.label] : undefined;
    return {
      name: cloudName(options.name ?? vm.name, `-${disk.label}`),
      label: disk.label,
      size_gib: ceilGib(disk.capacity_bytes ?? 0),
      type: findVolumeType(options.volumeType ?? ruled?.type, cloud.volumeTypes),
      ...(ruled === undefined ? {} : { type_reason: ruled.reason }),
      zone,
      boot: index === 0,
    };
  });
}

/** The name of the wanted type, by name or id; null leaves the choice to the cloud's default. */
export function findVolumeType(wanted: string | undefined, types: readonly VolumeType[]): string | null {
  if (wanted === undefined) return null;
  const found = types.find((type) => type.name === wanted || type.id === wanted);
  if (found) return found.name;
  throw new StackferryError('cloud.volume_type', `The cloud has no volume type "${wanted}".`, {
    hint: `It has: ${types.map((type) => type.name).join(', ') || 'none'}. Use --volume-type NAME.`,
    exitCode: 3,
  });
}

/** `--volume-zone`, else the server's zone where storage has one of that name (SCS-0121: zones should match). */
export function findVolumeZone(options: Pick<MappingOptions, 'volumeZone' | 'zone'>, zones: Zones): string | null {
  const names = zones.volume.map((zone) => zone.name);
  if (options.volumeZone !== undefined) {
    if (names.length > 0 && !names.includes(options.volumeZone)) {
      throw new StackferryError('cloud.zone_mismatch', `Cinder has no availability zone "${options.volumeZone}".`, {
        hint: `It has: ${names.join(', ')}. Use --volume-zone NAME.`,
        exitCode: 3,
      });
    }
    return options.volumeZone;
  }
  return options.zone !== undefined && names.includes(options.zone) ? options.zone : null;
}
