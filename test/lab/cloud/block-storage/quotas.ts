/** Cinder's limits and quotas: what they are, what is used, and the refusal of what goes beyond. */
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import type { CloudState, Project, VolumeType } from '../state.js';

interface Usage {
  limit: number;
  in_use: number;
  reserved: number;
}

function usages(state: CloudState, project: Project): Record<string, Usage> {
  const mine = state.volumes.filter((one) => one.project_id === project.id);
  const entry = (limit: number, used: number): Usage => ({ limit, in_use: used, reserved: 0 });
  const gib = (volumes: typeof mine) => volumes.reduce((sum, one) => sum + one.size, 0);
  const all: Record<string, Usage> = {
    volumes: entry(project.quotas.volumes, mine.length),
    per_volume_gigabytes: entry(-1, 0),
    snapshots: entry(project.quotas.snapshots, 0),
    gigabytes: entry(project.quotas.gigabytes, gib(mine)),
    backups: entry(10, 0),
    backup_gigabytes: entry(1000, 0),
    groups: entry(10, 0),
  };
  for (const type of state.volumeTypes) {
    const ofType = mine.filter((one) => one.volume_type_id === type.id);
    const limit = project.quotas.perType[type.name] ?? { gigabytes: -1, volumes: -1 };
    all[`volumes_${type.name}`] = entry(limit.volumes, ofType.length);
    all[`gigabytes_${type.name}`] = entry(limit.gigabytes, gib(ofType));
    all[`snapshots_${type.name}`] = entry(-1, 0);
  }
  return all;
}

/** Refuses what is beyond the quota, with Cinder's words and status (quota_utils.py, exception.py: 413, Retry-After 0). */
export function checkVolumeQuota(state: CloudState, project: Project, type: VolumeType, gib: number, count = 1): void {
  const all = usages(state, project);
  const refuse = (exception: string, message: string) =>
    new Refusal(413, message, { type: exception, headers: { 'retry-after': '0' } });
  const over = (name: string, wanted: number) => {
    const usage = all[name];
    return usage !== undefined && usage.limit >= 0 && usage.in_use + wanted > usage.limit ? usage : undefined;
  };
  for (const name of ['gigabytes', `gigabytes_${type.name}`]) {
    const usage = over(name, gib);
    if (usage) {
      throw refuse(
        'VolumeSizeExceedsAvailableQuota',
        `Requested volume or snapshot exceeds allowed ${name} quota. Requested ${gib}G, quota is ${usage.limit}G and ` +
          `${usage.in_use}G has been consumed.`,
      );
    }
  }
  for (const name of ['volumes', `volumes_${type.name}`]) {
    const usage = over(name, count);
    if (usage) {
      throw refuse(
        'VolumeLimitExceeded',
        `Maximum number of volumes allowed (${usage.limit}) exceeded for quota '${name}'.`,
      );
    }
  }
}

function limits(call: Call): object {
  const all = usages(call.core.state, projectOf(call));
  const limit = (name: string) => all[name]?.limit ?? -1;
  const used = (name: string) => all[name]?.in_use ?? 0;
  return {
    limits: {
      rate: [],
      absolute: {
        maxTotalVolumes: limit('volumes'),
        maxTotalSnapshots: limit('snapshots'),
        maxTotalVolumeGigabytes: limit('gigabytes'),
        maxTotalBackups: limit('backups'),
        maxTotalBackupGigabytes: limit('backup_gigabytes'),
        totalVolumesUsed: used('volumes'),
        totalGigabytesUsed: used('gigabytes'),
        totalSnapshotsUsed: 0,
        totalBackupsUsed: 0,
        totalBackupGigabytesUsed: 0,
      },
    },
  };
}

export const quotaRoutes: Route[] = [
  { method: 'GET', pattern: '/v3/:project/limits', handle: (call) => ({ status: 200, body: limits(call) }) },
  {
    method: 'GET',
    pattern: '/v3/:project/os-quota-sets/:target',
    handle: (call) => {
      const project = projectOf(call);
      const target = param(call, 'target');
      if (target !== project.id) {
        throw new Refusal(403, "Policy doesn't allow volume_extension:quotas:show to be performed.");
      }
      const all = usages(call.core.state, project);
      const full = ['true', '1'].includes((call.query.get('usage') ?? '').toLowerCase());
      const shown = full ? all : Object.fromEntries(Object.entries(all).map(([name, usage]) => [name, usage.limit]));
      return { status: 200, body: { quota_set: { id: target, ...shown } } };
    },
  },
];
