import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/migration/findings/index.js';
import { quotaFinding, quotaRows, type QuotaNeed } from '../../../src/migration/preflight/quota.js';
import type { Limit, Limits } from '../../../src/openstack/index.js';

const of = (limit: number | null, used: number | null = 0): Limit => ({ limit, used });

function limits(given: {
  compute?: Partial<NonNullable<Limits['compute']>> | null;
  volume?: Partial<NonNullable<Limits['volume']>> | null;
  network?: Partial<NonNullable<Limits['network']>> | null;
}): Limits {
  const free = of(null, null);
  return {
    compute:
      given.compute === null
        ? null
        : { instances: free, cores: free, ram_mib: free, keypairs: free, server_metadata: null, ...given.compute },
    volume:
      given.volume === null
        ? null
        : { volumes: free, gigabytes: free, snapshots: free, per_volume_gigabytes: null, by_type: {}, ...given.volume },
    network: given.network === null ? null : { ports: free, networks: free, security_groups: free, ...given.network },
  };
}

const need: QuotaNeed = {
  instances: 1,
  cores: 4,
  ramMib: 8192,
  volumes: 2,
  gigabytes: 120,
  byType: { ssd: { volumes: 2, gigabytes: 120 } },
  ports: 2,
  largestVolumeGib: 80,
  serverMetadata: 4,
};

function failure(given: Limits, wanted = need): Finding {
  const found = quotaFinding(given, wanted);
  if (!found) throw new Error('the quota was taken for enough');
  return found;
}

describe('the quota', () => {
  it('takes what just fits', () => {
    const exact = limits({
      compute: { instances: of(10, 9), cores: of(20, 16), ram_mib: of(16384, 8192) },
      volume: {
        volumes: of(10, 8),
        gigabytes: of(1000, 880),
        per_volume_gigabytes: 80,
        by_type: { ssd: { volumes: of(2, 0), gigabytes: of(120, 0) } },
      },
      network: { ports: of(50, 48) },
    });
    expect(quotaFinding(exact, need)).toBeNull();
  });

  it('takes what is unlimited, not told, or of a service that does not say', () => {
    expect(quotaFinding(limits({}), need)).toBeNull();
    expect(quotaFinding({ compute: null, volume: null, network: null }, need)).toBeNull();
    expect(quotaFinding(limits({ network: { ports: of(2, null) } }), need)).toBeNull();
  });

  it.each<[string, Limits, string, string]>([
    ['servers', limits({ compute: { instances: of(10, 10) } }), 'servers: 1 needed, 0 of 10 left', '--instances 11 '],
    ['vCPU', limits({ compute: { cores: of(20, 17) } }), 'vCPU: 4 needed, 3 of 20 left', '--cores 21 '],
    [
      'RAM',
      limits({ compute: { ram_mib: of(51200, 51199) } }),
      'MiB of RAM: 8192 needed, 1 of 51200 left',
      '--ram 59391 ',
    ],
    ['volumes', limits({ volume: { volumes: of(10, 9) } }), 'volumes: 2 needed, 1 of 10 left', '--volumes 11 '],
    [
      'GiB',
      limits({ volume: { gigabytes: of(1000, 881) } }),
      'GiB of volumes: 120 needed, 119 of 1000 left',
      '--gigabytes 1001 ',
    ],
    ['ports', limits({ network: { ports: of(50, 49) } }), 'ports: 2 needed, 1 of 50 left', '--ports 51 '],
    [
      'one volume',
      limits({ volume: { per_volume_gigabytes: 79 } }),
      'GiB in one volume: 80 needed, at most 79 allowed',
      '--per-volume-gigabytes 80 ',
    ],
    [
      'metadata items',
      limits({ compute: { server_metadata: 3 } }),
      'metadata items of one server: 4 needed, at most 3 allowed',
      '--properties 4 ',
    ],
    [
      'volumes of a type',
      limits({ volume: { by_type: { ssd: { volumes: of(1, 0), gigabytes: of(null) } } } }),
      'volumes of the type ssd: 2 needed, 1 of 1 left',
      "--volumes 2 --volume-type 'ssd' ",
    ],
    [
      'GiB of a type',
      limits({ volume: { by_type: { ssd: { volumes: of(null), gigabytes: of(100, 50) } } } }),
      'GiB of volumes of the type ssd: 120 needed, 50 of 100 left',
      "--gigabytes 170 --volume-type 'ssd' ",
    ],
    ['use not told', limits({ network: { ports: of(1, null) } }), 'ports: 2 needed, at most 1 in all', '--ports 2 '],
    [
      'a limit of zero',
      limits({ compute: { instances: of(0, 0) } }),
      'servers: 1 needed, 0 of 0 left',
      '--instances 1 ',
    ],
    [
      'more used than allowed',
      limits({ compute: { cores: of(10, 14) } }),
      'vCPU: 4 needed, 0 of 10 left',
      '--cores 18 ',
    ],
  ])('refuses too few %s', (_, given, message, hint) => {
    const error = failure(given);
    expect(error).toMatchObject({ code: 'cloud.quota', severity: 'blocker', subject: 'cloud' });
    expect(error.message).toBe(`The quota of the project is too small: ${message}.`);
    expect(error.remedy).toContain(hint);
  });

  it('names all that is too small at once', () => {
    const error = failure(limits({ compute: { cores: of(2, 0) }, volume: { gigabytes: of(100, 10) } }));
    expect(error.message).toContain('2 of 2 left; GiB of volumes: 120 needed');
    expect(error.remedy).toContain('--cores 4 PROJECT; openstack quota set --gigabytes 130 PROJECT');
  });

  it('asks for nothing where nothing is to be made, even over the limit', () => {
    const none: QuotaNeed = {
      instances: 0,
      cores: 0,
      ramMib: 0,
      volumes: 0,
      gigabytes: 0,
      byType: { ssd: { volumes: 0, gigabytes: 0 } },
      ports: 0,
      largestVolumeGib: 0,
      serverMetadata: 0,
    };
    const over = limits({
      compute: { instances: of(1, 5), cores: of(1, 5), ram_mib: of(1, 5) },
      volume: {
        volumes: of(1, 5),
        gigabytes: of(1, 5),
        per_volume_gigabytes: 0,
        by_type: { ssd: { volumes: of(1, 2), gigabytes: of(1, 2) } },
        snapshots: of(0, 3),
      },
      network: { ports: of(1, 5), security_groups: of(1, 5) },
    });
    expect(quotaFinding(over, none)).toBeNull();
  });

  it('does not take a type’s name for something inherited', () => {
    const byType = { constructor: { volumes: 1, gigabytes: 1 } };
    expect(quotaFinding(limits({}), { ...need, byType })).toBeNull();
  });

  it('lists what is drawn on, with what there is', () => {
    const rows = quotaRows(limits({ compute: { cores: of(20, 3) }, network: { ports: of(50, null) } }), need);
    expect(rows).toContainEqual({ quota: 'cores', needed: 4, limit: 20, used: 3 });
    expect(rows).toContainEqual({ quota: 'ports', needed: 2, limit: 50, used: null });
    expect(rows).toContainEqual({ quota: 'gigabytes_ssd', needed: 120, limit: null, used: null });
  });

  it('says of snapshots and security groups that none are needed, and finds nothing in it however full they are', () => {
    const full = limits({ volume: { snapshots: of(10, 10) }, network: { security_groups: of(10, 11) } });
    expect(quotaFinding(full, need)).toBeNull();
    expect(quotaRows(full, need).slice(-2)).toEqual([
      { quota: 'snapshots', needed: 0, limit: 10, used: 10 },
      { quota: 'security_groups', needed: 0, limit: 10, used: 11 },
    ]);
  });
});
