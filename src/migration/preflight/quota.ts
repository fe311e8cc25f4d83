import { StackferryError } from '../../core/index.js';
import type { Limit, Limits } from '../../openstack/index.js';

/** What is still to be made. Counts, unless the name says MiB or GiB (`gigabytes` is Cinder's word for GiB). */
export interface QuotaNeed {
  instances: number;
  cores: number;
  ramMib: number;
  volumes: number;
  gigabytes: number;
  /** Of the above, by the name of the volume type. */
  byType: Readonly<Record<string, { volumes: number; gigabytes: number }>>;
  ports: number;
  /** GiB; 0 where no volume is made. */
  largestVolumeGib: number;
}

interface Demand {
  /** As `openstack quota set` calls it. */
  option: string;
  /** For a person: "GiB of volumes". */
  what: string;
  needed: number;
  limit: Limit | undefined;
  /** For one volume type only. */
  type?: string;
}

/** A demand that is over its limit. `free` null means that what is used is not known, and even an empty project is too small. */
interface Shortage extends Demand {
  most: number;
  free: number | null;
}

/**
 * Compares what is needed with what the project has left. What is unlimited or not told by the cloud counts as enough:
 * the cloud itself will say.
 * @throws StackferryError `cloud.quota` (exit code 3) that names every quota which is too small.
 */
export function checkQuota(limits: Limits, need: QuotaNeed): void {
  const short = demands(limits, need).flatMap(shortage);
  const perVolume = limits.volume?.per_volume_gigabytes ?? null;
  if (perVolume !== null && need.largestVolumeGib > perVolume) {
    short.push({
      option: 'per-volume-gigabytes',
      what: 'GiB in one volume',
      needed: need.largestVolumeGib,
      limit: { limit: perVolume, used: 0 },
      most: perVolume,
      free: perVolume,
    });
  }
  const [first] = short;
  if (!first) return;
  const commands = short.map((item) => raise(item)).join('; ');
  throw new StackferryError('cloud.quota', `The quota of the project is too small: ${short.map(tell).join('; ')}.`, {
    hint: `Delete what is no longer needed, or let an administrator raise it: ${commands}`,
    exitCode: 3,
    details: {
      quota: short.map(nameOf).join(','),
      needed: first.needed,
      left: first.free,
      limit: first.most,
    },
  });
}

function demands({ compute, volume, network }: Limits, need: QuotaNeed): Demand[] {
  return [
    { option: 'instances', what: 'servers', needed: need.instances, limit: compute?.instances },
    { option: 'cores', what: 'vCPU', needed: need.cores, limit: compute?.cores },
    { option: 'ram', what: 'MiB of RAM', needed: need.ramMib, limit: compute?.ram_mib },
    { option: 'volumes', what: 'volumes', needed: need.volumes, limit: volume?.volumes },
    { option: 'gigabytes', what: 'GiB of volumes', needed: need.gigabytes, limit: volume?.gigabytes },
    ...Object.entries(need.byType).flatMap(([type, ofType]): Demand[] => {
      const limit = volume && Object.hasOwn(volume.by_type, type) ? volume.by_type[type] : undefined;
      const of = `of the type ${type}`;
      return [
        { option: 'volumes', what: `volumes ${of}`, needed: ofType.volumes, limit: limit?.volumes, type },
        { option: 'gigabytes', what: `GiB of volumes ${of}`, needed: ofType.gigabytes, limit: limit?.gigabytes, type },
      ];
    }),
    { option: 'ports', what: 'ports', needed: need.ports, limit: network?.ports },
  ];
}

function shortage(demand: Demand): Shortage[] {
  const { limit, needed } = demand;
  if (!limit || limit.limit === null || needed <= 0) return [];
  const free = limit.used === null ? null : Math.max(0, limit.limit - limit.used);
  return needed > (free ?? limit.limit) ? [{ ...demand, most: limit.limit, free }] : [];
}

function nameOf({ option, type }: Shortage): string {
  const name = option.replaceAll('-', '_');
  return type === undefined ? name : `${name}_${type}`;
}

function tell(item: Shortage): string {
  const { what, needed, most, free } = item;
  if (item.option === 'per-volume-gigabytes') return `${what}: ${needed} needed, at most ${most} allowed`;
  return `${what}: ${needed} needed, ${free === null ? `at most ${most} in all` : `${free} of ${most} left`}`;
}

/** The command that makes it fit. */
function raise({ option, type, needed, limit }: Shortage): string {
  const used = limit?.used ?? 0;
  const ofType = type === undefined ? '' : ` --volume-type '${type.replaceAll("'", "'\\''")}'`;
  return `openstack quota set --${option} ${option === 'per-volume-gigabytes' ? needed : used + needed}${ofType} PROJECT`;
}
