import type { Limit, Limits } from '../../openstack/index.js';
import { finding, type Finding } from '../findings/finding.js';
import { cloudRule, type PreflightVm, type TargetFacts } from './rule.js';

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
  /** Metadata items of the server that has most. */
  serverMetadata: number;
}

/** One quota; `limit` null: unlimited, or the cloud does not say; `used` null: it does not say. */
export interface QuotaRow {
  /** `cores`, `gigabytes_ssd` … */
  quota: string;
  needed: number;
  limit: number | null;
  used: number | null;
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
  /** Shown although nothing is needed of it, for people ask. */
  shown?: true;
}

/** A demand that is over its limit. `free` null means that what is used is not known, and even an empty project is too small. */
interface Shortage extends Demand {
  most: number;
  free: number | null;
}

/** What all VMs together need of what the project has left. */
export const quota = cloudRule({
  codes: ['cloud.quota'],
  overridable: ['cloud.quota'],
  find: (target, vms) => {
    const found = quotaFinding(target.limits, quotaNeed(target, vms));
    return found ? [{ place: 'cloud', finding: found }] : [];
  },
});

/** The sum over all VMs of what is still to be made. */
export function quotaNeed(target: TargetFacts, vms: readonly PreflightVm[]): QuotaNeed {
  const servers = vms.flatMap(({ server }) => server ?? []);
  const sizes = servers.map(({ flavor_id, create_flavor }) => {
    const flavor = target.flavors.find((item) => item.id === flavor_id);
    return { cores: create_flavor?.vcpus ?? flavor?.vcpus ?? 0, ramMib: create_flavor?.ram_mib ?? flavor?.ram ?? 0 };
  });
  const volumes = vms.flatMap((item) => item.volumes);
  const byType: Record<string, { volumes: number; gigabytes: number }> = {};
  for (const volume of volumes) {
    const type = volume.type ?? target.defaultVolumeType;
    if (type === null) continue;
    const sum = Object.hasOwn(byType, type) ? byType[type] : undefined;
    byType[type] = { volumes: (sum?.volumes ?? 0) + 1, gigabytes: (sum?.gigabytes ?? 0) + volume.size_gib };
  }
  const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);
  return {
    instances: servers.length,
    cores: total(sizes.map(({ cores }) => cores)),
    ramMib: total(sizes.map(({ ramMib }) => ramMib)),
    volumes: volumes.length,
    gigabytes: total(volumes.map((volume) => volume.size_gib)),
    byType,
    ports: total(vms.map(({ ports }) => ports.length)),
    largestVolumeGib: Math.max(0, ...volumes.map((volume) => volume.size_gib)),
    // Two more say which run and step made the server.
    serverMetadata: Math.max(0, ...servers.map(({ metadata }) => Object.keys(metadata).length + 2)),
  };
}

/**
 * Compares what is needed with what the project has left: one finding that names every quota which is too small. What is
 * unlimited or not told by the cloud counts as enough: the cloud itself will say.
 */
export function quotaFinding(limits: Limits, need: QuotaNeed): Finding | null {
  const short = [
    ...demands(limits, need).flatMap(shortage),
    ...atOnce('per-volume-gigabytes', 'GiB in one volume', need.largestVolumeGib, limits.volume?.per_volume_gigabytes),
    ...atOnce('properties', 'metadata items of one server', need.serverMetadata, limits.compute?.server_metadata),
  ];
  if (short.length === 0) return null;
  const commands = short.map((item) => raise(item)).join('; ');
  return finding('cloud.quota', 'blocker', 'cloud', {
    message: `The quota of the project is too small: ${short.map(tell).join('; ')}.`,
    remedy: `Delete what is no longer needed, or let an administrator raise it: ${commands}`,
  });
}

/** A limit that holds for each single thing. */
function atOnce(option: string, what: string, needed: number, most: number | null | undefined): Shortage[] {
  if (most === null || most === undefined || needed <= most) return [];
  return [{ option, what, needed, limit: { limit: most, used: 0 }, most, free: most }];
}

/**
 * Every quota that is drawn on, with what is needed of it, for the sums that are shown; and of snapshots and security
 * groups that nothing is needed.
 */
export function quotaRows(limits: Limits, need: QuotaNeed): QuotaRow[] {
  return demands(limits, need)
    .filter(({ needed, shown }) => needed > 0 || shown === true)
    .map((demand) => ({
      quota: nameOf(demand),
      needed: demand.needed,
      limit: demand.limit?.limit ?? null,
      used: demand.limit?.used ?? null,
    }));
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
    // A migration makes neither: volumes come from images, and security groups are named that are there.
    { option: 'snapshots', what: 'snapshots', needed: 0, limit: volume?.snapshots, shown: true },
    { option: 'secgroups', what: 'security groups', needed: 0, limit: network?.security_groups, shown: true },
  ];
}

function shortage(demand: Demand): Shortage[] {
  const { limit, needed } = demand;
  if (!limit || limit.limit === null || needed <= 0) return [];
  const free = limit.used === null ? null : Math.max(0, limit.limit - limit.used);
  return needed > (free ?? limit.limit) ? [{ ...demand, most: limit.limit, free }] : [];
}

function nameOf({ option, type }: Demand): string {
  const name = option === 'secgroups' ? 'security_groups' : option.replaceAll('-', '_');
  return type === undefined ? name : `${name}_${type}`;
}

function tell(item: Shortage): string {
  const { what, needed, most, free } = item;
  if (isOfEach(item)) return `${what}: ${needed} needed, at most ${most} allowed`;
  return `${what}: ${needed} needed, ${free === null ? `at most ${most} in all` : `${free} of ${most} left`}`;
}

/** The command that makes it fit. */
function raise(item: Shortage): string {
  const { option, type, needed, limit } = item;
  const used = limit?.used ?? 0;
  const ofType = type === undefined ? '' : ` --volume-type '${type.replaceAll("'", "'\\''")}'`;
  return `openstack quota set --${option} ${isOfEach(item) ? needed : used + needed}${ofType} PROJECT`;
}

const isOfEach = ({ option }: Demand) => option === 'per-volume-gigabytes' || option === 'properties';
