import { z } from 'zod';
import { StackferryError } from '../core/index.js';
import type { Call, Service } from './service.js';

/** One limit and what is used of it. `limit` null means unlimited, `used` null means that the cloud does not say. */
export interface Limit {
  limit: number | null;
  used: number | null;
}

/** What the project may have, each part null where its service did not answer that question. */
export interface Limits {
  compute: {
    instances: Limit;
    cores: Limit;
    /** MiB. */
    ram_mib: Limit;
    keypairs: Limit;
    /** Metadata items a server may carry. */
    server_metadata: number | null;
  } | null;
  volume: {
    volumes: Limit;
    gigabytes: Limit;
    /** Of volumes, in the cloud. */
    snapshots: Limit;
    /** GiB a single volume may have. */
    per_volume_gigabytes: number | null;
    /** Limits that hold for one volume type only, by the type's name. */
    by_type: Record<string, { volumes: Limit; gigabytes: Limit }>;
  } | null;
  network: { ports: Limit; networks: Limit; security_groups: Limit } | null;
}

export interface Zone {
  name: string;
  available: boolean;
}

export interface Zones {
  compute: Zone[];
  volume: Zone[];
}

/** What is left of a limit: Infinity where it is unlimited, null where the cloud does not say. */
export function left({ limit, used }: Limit): number | null {
  if (limit === null) return Infinity;
  return used === null ? null : Math.max(0, limit - used);
}

const absoluteSchema = z
  .object({ limits: z.object({ absolute: z.record(z.string(), z.number()) }) })
  .transform(({ limits }) => limits.absolute);
const usageSchema = z.object({
  limit: z.number(),
  in_use: z.number().optional(),
  used: z.union([z.number(), z.string()]).optional(),
});
const volumeQuotaSchema = z.object({ quota_set: z.record(z.string(), z.unknown()) }).transform(({ quota_set }) =>
  Object.fromEntries(
    Object.entries(quota_set).flatMap(([name, value]) => {
      const usage = usageSchema.safeParse(value);
      return usage.success
        ? [[name, { limit: bound(usage.data.limit), used: usage.data.in_use ?? null }] as const]
        : [];
    }),
  ),
);
const networkQuotaSchema = z
  .object({ quota: z.record(z.string(), z.union([z.number(), usageSchema])) })
  .transform(({ quota }) => quota);

const UNKNOWN: Limit = { limit: null, used: null };

/** OpenStack says -1 for "without limit". */
function bound(limit: number | undefined): number | null {
  return limit === undefined || limit < 0 ? null : limit;
}

/** The answer, or null where the service does not offer it or keeps it from this user. */
async function offered<T>(
  service: Service,
  call: Omit<Call, 'method' | 'accept'>,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const answer = await service.call({ ...call, method: 'GET', accept: [400, 403, 404, 405, 501] });
  return answer.status >= 400 ? null : service.checked(call, answer.body, schema);
}

/** Limits and usage of the project. Every service is asked once; see {@link Limits}. */
export async function readLimits(services: { compute: Service; volume: Service; network: Service }): Promise<Limits> {
  const [compute, volume, network] = await Promise.all([
    unlessMissing(() => computeLimits(services.compute)),
    unlessMissing(() => volumeLimits(services.volume)),
    unlessMissing(() => networkLimits(services.network)),
  ]);
  return { compute, volume, network };
}

async function unlessMissing<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof StackferryError && error.code === 'cloud.no_service') return null;
    throw error;
  }
}

async function computeLimits(service: Service): Promise<Limits['compute']> {
  const found = await offered(service, { what: 'read the limits of Nova', path: '/limits' }, absoluteSchema);
  if (found === null) return null;
  const of = (limit: string, used: string): Limit => ({ limit: bound(found[limit]), used: found[used] ?? null });
  return {
    instances: of('maxTotalInstances', 'totalInstancesUsed'),
    cores: of('maxTotalCores', 'totalCoresUsed'),
    ram_mib: of('maxTotalRAMSize', 'totalRAMUsed'),
    keypairs: of('maxTotalKeypairs', ''),
    server_metadata: bound(found['maxServerMeta']),
  };
}

async function volumeLimits(service: Service): Promise<Limits['volume']> {
  const quota = await offered(
    service,
    { what: 'read the quota of Cinder', path: `/os-quota-sets/${service.projectId}`, query: { usage: 'true' } },
    volumeQuotaSchema,
  );
  if (quota === null) {
    const found = await offered(service, { what: 'read the limits of Cinder', path: '/limits' }, absoluteSchema);
    if (found === null) return null;
    return {
      volumes: { limit: bound(found['maxTotalVolumes']), used: found['totalVolumesUsed'] ?? null },
      gigabytes: { limit: bound(found['maxTotalVolumeGigabytes']), used: found['totalGigabytesUsed'] ?? null },
      snapshots: { limit: bound(found['maxTotalSnapshots']), used: found['totalSnapshotsUsed'] ?? null },
      per_volume_gigabytes: null,
      by_type: {},
    };
  }
  const types = Object.keys(quota).flatMap((name) =>
    name.startsWith('volumes_') ? [name.slice('volumes_'.length)] : [],
  );
  return {
    volumes: quota['volumes'] ?? UNKNOWN,
    gigabytes: quota['gigabytes'] ?? UNKNOWN,
    snapshots: quota['snapshots'] ?? UNKNOWN,
    per_volume_gigabytes: quota['per_volume_gigabytes']?.limit ?? null,
    by_type: Object.fromEntries(
      types.map((type) => [
        type,
        { volumes: quota[`volumes_${type}`] ?? UNKNOWN, gigabytes: quota[`gigabytes_${type}`] ?? UNKNOWN },
      ]),
    ),
  };
}

async function networkLimits(service: Service): Promise<Limits['network']> {
  const path = `/quotas/${service.projectId}`;
  const found =
    (await offered(service, { what: 'read the quota of Neutron', path: `${path}/details.json` }, networkQuotaSchema)) ??
    (await offered(service, { what: 'read the quota of Neutron', path }, networkQuotaSchema));
  if (found === null) return null;
  const of = (name: string): Limit => {
    const value = found[name];
    if (value === undefined) return UNKNOWN;
    if (typeof value === 'number') return { limit: bound(value), used: null };
    return { limit: bound(value.limit), used: value.used === undefined ? null : Number(value.used) };
  };
  return { ports: of('port'), networks: of('network'), security_groups: of('security_group') };
}

const zonesSchema = z
  .object({
    availabilityZoneInfo: z.array(z.object({ zoneName: z.string(), zoneState: z.object({ available: z.boolean() }) })),
  })
  .transform(({ availabilityZoneInfo }) =>
    availabilityZoneInfo.map(({ zoneName, zoneState }): Zone => ({ name: zoneName, available: zoneState.available })),
  );

/** The zones of compute and block storage; none where a service keeps them to itself. */
export async function readZones(services: { compute: Service; volume: Service }): Promise<Zones> {
  const ask = async (service: Service, name: string) =>
    (await unlessMissing(() =>
      offered(service, { what: `list the zones of ${name}`, path: '/os-availability-zone' }, zonesSchema),
    )) ?? [];
  const [compute, volume] = await Promise.all([ask(services.compute, 'Nova'), ask(services.volume, 'Cinder')]);
  return { compute, volume };
}
