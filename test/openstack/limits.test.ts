import { expect, it } from 'vitest';
import { left } from '../../src/openstack/index.js';
import { connected, failure } from './support/connect.js';
import { tokenBody } from './support/fake-cloud.js';

const compute = {
  'GET /compute/v2.1/limits': {
    body: {
      limits: {
        rate: [],
        absolute: {
          maxTotalInstances: 10,
          totalInstancesUsed: 3,
          maxTotalCores: -1,
          totalCoresUsed: 6,
          maxTotalRAMSize: 51200,
          totalRAMUsed: 2048,
          maxTotalKeypairs: 100,
          maxServerMeta: 128,
        },
      },
    },
  },
};

it('are read from all three services, per volume type too', async () => {
  const { cloud } = await connected({
    ...compute,
    'GET /volume/v3/p1/os-quota-sets/p1': {
      body: {
        quota_set: {
          id: 'p1',
          volumes: { limit: 10, in_use: 2, reserved: 0 },
          gigabytes: { limit: 1000, in_use: 40, reserved: 0 },
          snapshots: { limit: 10, in_use: 3, reserved: 0 },
          per_volume_gigabytes: { limit: -1, in_use: 0, reserved: 0 },
          volumes_ssd: { limit: 5, in_use: 1, reserved: 0 },
          gigabytes_ssd: { limit: -1, in_use: 40, reserved: 0 },
        },
      },
    },
    'GET /network/v2.0/quotas/p1/details.json': {
      body: {
        quota: {
          port: { limit: 50, used: 7, reserved: 0 },
          network: { limit: -1, used: 1, reserved: 0 },
          security_group: { limit: 10, used: '2', reserved: 0 },
        },
      },
    },
  });
  expect(await cloud.limits()).toEqual({
    compute: {
      instances: { limit: 10, used: 3 },
      cores: { limit: null, used: 6 },
      ram_mib: { limit: 51200, used: 2048 },
      keypairs: { limit: 100, used: null },
      server_metadata: 128,
    },
    volume: {
      volumes: { limit: 10, used: 2 },
      gigabytes: { limit: 1000, used: 40 },
      snapshots: { limit: 10, used: 3 },
      per_volume_gigabytes: null,
      by_type: { ssd: { volumes: { limit: 5, used: 1 }, gigabytes: { limit: null, used: 40 } } },
    },
    network: {
      ports: { limit: 50, used: 7 },
      networks: { limit: null, used: 1 },
      security_groups: { limit: 10, used: 2 },
    },
  });
});

it('fall back to what a member may see, and are null where nothing is told', async () => {
  const { cloud } = await connected({
    'GET /compute/v2.1/limits': { status: 403 },
    'GET /volume/v3/p1/os-quota-sets/p1': { status: 403 },
    'GET /volume/v3/p1/limits': {
      body: {
        limits: {
          absolute: {
            maxTotalVolumes: 10,
            totalVolumesUsed: 1,
            maxTotalVolumeGigabytes: 100,
            totalGigabytesUsed: 20,
            maxTotalSnapshots: -1,
            totalSnapshotsUsed: 2,
          },
        },
      },
    },
    'GET /network/v2.0/quotas/p1': { body: { quota: { port: 50, network: -1 } } },
  });
  expect(await cloud.limits()).toEqual({
    compute: null,
    volume: {
      volumes: { limit: 10, used: 1 },
      gigabytes: { limit: 100, used: 20 },
      snapshots: { limit: null, used: 2 },
      per_volume_gigabytes: null,
      by_type: {},
    },
    network: {
      ports: { limit: 50, used: null },
      networks: { limit: null, used: null },
      security_groups: { limit: null, used: null },
    },
  });
});

it('are null for a service that the cloud has not; a broken one is an error', async () => {
  const bare = await connected({
    'POST /identity/v3/auth/tokens': {
      status: 201,
      headers: { 'x-subject-token': 't' },
      body: tokenBody('http://x', { catalog: [] }),
    },
  });
  expect(await bare.cloud.limits()).toEqual({ compute: null, volume: null, network: null });
  expect(await bare.cloud.zones()).toEqual({ compute: [], volume: [] });
  const broken = await connected({ 'GET /compute/v2.1/limits': { status: 500 } });
  expect((await failure(broken.cloud.limits())).code).toBe('cloud.server_error');
});

it('leave what is not used, everything if unlimited, and nothing known if the use is not', () => {
  expect(left({ limit: 10, used: 3 })).toBe(7);
  expect(left({ limit: 10, used: 13 })).toBe(0);
  expect(left({ limit: null, used: 3 })).toBe(Infinity);
  expect(left({ limit: 10, used: null })).toBeNull();
});

it('zones of compute and storage are listed', async () => {
  const zones = (name: string, available: boolean) => ({
    body: { availabilityZoneInfo: [{ zoneName: name, zoneState: { available }, hosts: null }] },
  });
  const { cloud } = await connected({
    'GET /compute/v2.1/os-availability-zone': zones('az1', true),
    'GET /volume/v3/p1/os-availability-zone': zones('nova', false),
  });
  expect(await cloud.zones()).toEqual({
    compute: [{ name: 'az1', available: true }],
    volume: [{ name: 'nova', available: false }],
  });
});
