import { GIB, StackferryError, formatBytes } from '../../core/index.js';
import type { DatastoreRecord, DiskRecord, VmRecord } from '../inventory/schema.js';

/**
 * Room that must stay free on a datastore beside the clones: what the guest writes goes into the snapshot's delta
 * meanwhile, and a datastore that runs full stops every VM on it. Ours: 1 GiB and a tenth of the disks.
 */
function reserveOf(bytes: number): number {
  return GIB + Math.ceil(bytes / 10);
}

/** Most that a thin clone takes: what the datastore holds of the disk, or all of it where that is not told. */
function cloneBytes(disk: DiskRecord): number {
  return disk.allocated_bytes ?? disk.capacity_bytes ?? 0;
}

interface CloneSpace {
  /** Name of the datastore that takes the clones. */
  datastore: string;
  /** What they take there at most. */
  bytes: number;
}

/**
 * Chooses the datastore of the clones (that of the first disk, unless one is named) and sees that there is room: for them
 * and the reserve there, for the reserve on every datastore that holds a disk of the VM or its .vmx.
 * @throws StackferryError `host.space` (exit code 3) with the figures; `usage` for a datastore that is not there.
 */
export function cloneSpace(
  vm: VmRecord,
  labels: readonly string[],
  datastores: readonly DatastoreRecord[],
  named: string | null,
): CloneSpace {
  const disks = vm.disks.filter((disk) => labels.includes(disk.label));
  const bytes = disks.reduce((sum, disk) => sum + cloneBytes(disk), 0);
  const first = disks[0] && vm.facts.diskDatastores[disks[0].label];
  const datastore = named ?? first;
  if (datastore === undefined) throw noRoom('the datastore of its first disk is not told', NAME_ONE);
  const { diskDatastores, vmxDatastore } = vm.facts;
  const grown = [...Object.values(diskDatastores), ...(vmxDatastore === null ? [] : [vmxDatastore])];
  for (const name of new Set([datastore, ...grown])) {
    const found = datastores.find((store) => store.name === name);
    if (!found && name === named) {
      const known = datastores.map((store) => store.name).join(', ');
      throw new StackferryError('usage', `--clone-datastore ${name}: the host has no such datastore.`, {
        hint: `It has: ${known}.`,
        exitCode: 2,
      });
    }
    const free = found?.free_bytes ?? null;
    if (free === null) throw noRoom(`how much room ${name} has left is not told`, NAME_ONE);
    const [clones, reserve] = [name === datastore ? bytes : 0, reserveOf(bytes)];
    if (free >= clones + reserve) continue;
    const parts = [
      ...(clones > 0 ? [`${formatBytes(clones)} for the clones of ${disks.length} disk(s)`] : []),
      `${formatBytes(reserve)} to stay free while a snapshot grows`,
    ];
    throw new StackferryError(
      'host.space',
      `${vm.name} cannot be copied while it runs: ${name} has ${formatBytes(free)} free and needs ${parts.join(' and ')}.`,
      {
        hint: clones > 0 ? `Free space there. ${NAME_ONE}` : 'Free space there, or copy the VM while it is off.',
        exitCode: 3,
        details: { datastore: name, free_bytes: free, needed_bytes: clones + reserve },
      },
    );
  }
  return { datastore, bytes };

  function noRoom(why: string, hint: string): StackferryError {
    return new StackferryError('host.space', `${vm.name} cannot be copied while it runs: ${why}.`, {
      hint,
      exitCode: 3,
    });
  }
}

const NAME_ONE = 'Have the clones made on another datastore: --clone-datastore NAME';
