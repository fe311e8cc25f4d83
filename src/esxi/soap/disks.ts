import { type Devices, backingType, labelOf } from '../inventory/devices.js';
import type { DiskDevice } from '../inventory/disk-devices.js';
import type { DiskResult } from '../inventory/disks.js';
import type { DatastorePaths } from '../inventory/paths.js';
import type { DiskProblem, DiskRecord } from '../inventory/schema.js';
import { isObject, pick, pickArray, pickBoolean, pickNumber, pickString, type VimValue } from '../parse/vim-object.js';

/**
 * A disk as the API tells of it: the chain from its backing, what it takes from `layoutEx`. Descriptors are not read, so
 * what is wrong inside the files is not seen; only that the host cannot reach one.
 */
export function diskOfApi(
  disk: DiskDevice,
  devices: Devices | null,
  layout: VimValue,
  paths: DatastorePaths,
): DiskResult {
  const device = devices?.devices.find(
    (candidate) => candidate.type === 'VirtualDisk' && labelOf(candidate) === disk.label,
  );
  const links = linksOf(device ? pick(device.object, 'backing') : null);
  const absolute = disk.fileName === null ? null : paths.resolve(disk.fileName, null);
  const name = absolute === null ? disk.fileName : paths.toDatastore(absolute);
  const chain = [name, ...disk.parentNames.map((parent) => inForm(parent, paths))].filter((link) => link !== null);
  const files = device ? filesOf(layout, device.key) : null;
  const raw = disk.rdm ?? links.map(rdmOf).find((kind) => kind !== null) ?? null;
  return {
    record: {
      label: disk.label,
      controller: disk.controller,
      path: name,
      capacity_bytes: disk.capacityBytes,
      allocated_bytes: raw === null ? allocatedOf(files) : null,
      kind: disk.rdm ?? kindOfBacking(device ? backingType(device) : null, links),
      mode: disk.mode,
      shared: disk.shared,
      chain: chain.reverse(),
    },
    problems: problemsOf(disk, files),
    datastore: absolute === null ? null : paths.datastoreOf(absolute),
    raw,
    encrypted: links.some((link) => isObject(pick(link, 'keyId'))),
  };
}

function inForm(written: string, paths: DatastorePaths): string {
  const absolute = paths.resolve(written, null);
  return absolute === null ? written : paths.toDatastore(absolute);
}

/** The backing and those below it. */
function linksOf(backing: VimValue | undefined): VimValue[] {
  const links: VimValue[] = [];
  for (let link = backing; isObject(link) && links.length < 64; link = pick(link, 'parent')) links.push(link);
  return links;
}

function rdmOf(link: VimValue): DiskResult['raw'] {
  if (!isObject(link) || !link.type.includes('RawDiskMapping')) return null;
  return pickString(link, 'compatibilityMode') === 'physicalMode' ? 'rdm_physical' : 'rdm_virtual';
}

/**
 * A snapshot's disk has a flat backing too, with a parent; `deltaDiskFormat` says what it is, and left out it is the
 * redo log (vSphere API, VirtualDiskFlatVer2BackingInfo).
 */
function kindOfBacking(type: string | null, [backing]: readonly VimValue[]): DiskRecord['kind'] {
  if (type === null) return null;
  if (type.startsWith('SeSparse')) return 'se_sparse';
  if (type.startsWith('Sparse')) return 'sparse';
  if (!type.startsWith('Flat')) return null;
  if (!isObject(pick(backing, 'parent'))) return 'flat';
  switch (pickString(backing, 'deltaDiskFormat') ?? 'redoLogFormat') {
    case 'redoLogFormat':
      return 'vmfs_sparse';
    case 'seSparseFormat':
      return 'se_sparse';
    default:
      return null;
  }
}

/** The files of a disk's whole chain, or null where the host does not list them. */
function filesOf(layout: VimValue, deviceKey: number): VimValue[] | null {
  const disk = pickArray(layout, 'disk').find((item) => pickNumber(item, 'key') === deviceKey);
  if (!disk) return null;
  const keys = new Set(pickArray(disk, 'chain').flatMap((link) => pickArray(link, 'fileKey')));
  const files = pickArray(layout, 'file').filter((file) => keys.has(pickNumber(file, 'key')));
  return files.length > 0 && files.length === keys.size ? files : null;
}

/** What the extents take on the datastore, thin ones too (VirtualMachineFileLayoutExFileInfo.size). */
function allocatedOf(files: readonly VimValue[] | null): number | null {
  const sizes = files
    ?.filter((file) => pickString(file, 'type') === 'diskExtent')
    .map((file) => pickNumber(file, 'size'));
  if (!sizes || sizes.length === 0 || sizes.includes(null)) return null;
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

function problemsOf(disk: DiskDevice, files: readonly VimValue[] | null): DiskProblem[] {
  if (disk.fileName === null) {
    return [{ code: 'disk.missing', message: `The VM's configuration names no file for ${disk.label}.` }];
  }
  return (files ?? [])
    .filter((file) => pickBoolean(file, 'accessible') === false)
    .map((file) => ({
      code: 'disk.missing' as const,
      message: `The host cannot reach ${pickString(file, 'name') ?? 'a file of it'}.`,
    }));
}
