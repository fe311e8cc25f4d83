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
