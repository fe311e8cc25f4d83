import { StackferryError, UsageError, ceilGib } from '../../core/index.js';
import type { DiskRecord, VmRecord } from '../../esxi/index.js';
import type { VolumeType, Zones } from '../../openstack/index.js';
import { cloudName } from './names.js';
import { globFits, type MappingOptions } from './options.js';
import type { VolumeSection } from './sections.js';

/**
 * The volume of each disk: whole GiB (rounded up), type and zone as asked for. The first disk boots.
 * @throws StackferryError (exit code 3) `disk.size_unknown`, `cloud.volume_type`, `cloud.zone_mismatch`.
 */
export function resolveVolumes(
  vm: Pick<VmRecord, 'name'>,
  disks: readonly DiskRecord[],
  options: Pick<MappingOptions, 'volumeType' | 'datastoreTypes' | 'volumeTypes' | 'volumeZone' | 'zone' | 'name'>,
  cloud: { volumeTypes: readonly VolumeType[]; zones: Zones },
): VolumeSection[] {
  const zone = findVolumeZone(options, cloud.zones);
  return disks.map((disk, index) => {
    const { wanted, reason } = wantedType(disk, options);
    return {
      name: cloudName(options.name ?? vm.name, `-${disk.label}`),
      label: disk.label,
      size_gib: ceilGib(sizeOf(vm, disk)),
      type: findVolumeType(wanted, cloud.volumeTypes),
      ...(reason === undefined ? {} : { type_reason: reason }),
      zone,
      boot: index === 0,
    };
  });
}

function sizeOf({ name }: Pick<VmRecord, 'name'>, { label, capacity_bytes }: DiskRecord): number {
  if (capacity_bytes !== null) return capacity_bytes;
  throw new StackferryError(
    'disk.size_unknown',
    `The size of ${label} of ${name} is not known: no volume can be made for it.`,
    { hint: `What is wrong with it: stackferry check. To move the VM without it: --skip-disk ${label}`, exitCode: 3 },
  );
}

export type TypeOptions = Pick<MappingOptions, 'volumeType' | 'datastoreTypes' | 'volumeTypes'>;

/** What is said of the disk itself wins over what is said of all, and the command line over the rules. */
export function wantedType(disk: DiskRecord, options: TypeOptions): { wanted?: string; reason?: string } {
  const own = typeOfDatastore(disk, options);
  if (own) return { wanted: own.type, reason: `--volume-type ${own.datastore}=${own.type}` };
  if (options.volumeType !== undefined) return { wanted: options.volumeType };
  const ruled = options.volumeTypes?.[disk.label];
  return ruled ? { wanted: ruled.type, reason: ruled.reason } : {};
}

/** What `--volume-type DATASTORE=TYPE` says of a disk. */
export function typeOfDatastore(
  disk: Pick<DiskRecord, 'path'>,
  { datastoreTypes = [] }: Pick<MappingOptions, 'datastoreTypes'>,
): { datastore: string; type: string } | undefined {
  const on = datastoreOf(disk);
  return datastoreTypes.find(({ datastore }) => on !== null && globFits(datastore, on));
}

/** The datastore of a disk's newest file. */
export function datastoreOf({ path }: Pick<DiskRecord, 'path'>): string | null {
  return /^\[([^\]]*)\]/.exec(path ?? '')?.[1] ?? null;
}

/** Datastores of `--volume-type DATASTORE=TYPE` that none of the disks lies on: a slip in a name shows so. */
export function idleDatastores(
  disks: readonly Pick<DiskRecord, 'path'>[],
  { datastoreTypes = [] }: Pick<MappingOptions, 'datastoreTypes'>,
): string[] {
  const names = disks.map(datastoreOf).filter((name) => name !== null);
  return datastoreTypes
    .map(({ datastore }) => datastore)
    .filter((datastore) => !names.some((name) => globFits(datastore, name)));
}

/**
 * Before a run makes volumes of the cloud's default type because of a slip.
 * @throws UsageError where a datastore is named that none of the disks lies on.
 */
export function assertDatastores(
  vm: Pick<VmRecord, 'name'>,
  disks: readonly DiskRecord[],
  options: Pick<MappingOptions, 'datastoreTypes'>,
): void {
  const [idle] = idleDatastores(disks, options);
  if (idle === undefined) return;
  const names = [...new Set(disks.map(datastoreOf).filter((name) => name !== null))];
  throw new UsageError(
    `--volume-type ${idle}=…: no disk of ${vm.name} that moves lies on such a datastore.`,
    `They lie on: ${names.join(', ') || 'none that is known'}.`,
  );
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
