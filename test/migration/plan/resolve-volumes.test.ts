import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveVolumes } from '../../../src/migration/plan/resolve-volumes.js';
import type { VolumeType, Zones } from '../../../src/openstack/index.js';
import { disk } from '../sample-vm.js';

const GIB = 1024 ** 3;
const type = (id: string, name: string): VolumeType => ({ id, name, extra_specs: {} });
const zones: Zones = {
  compute: [{ name: 'az1', available: true }],
  volume: [
    { name: 'az1', available: true },
    { name: 'az2', available: true },
  ],
};
const cloud = { volumeTypes: [type('t-1', 'ssd'), type('t-2', 'LUKS')], zones };

describe('resolveVolumes', () => {
  it('makes one volume of each disk, the first one boots', () => {
    const disks = [disk(), disk({ label: 'scsi0:1', capacity_bytes: 10 * GIB + 1 })];
    expect(resolveVolumes({ name: 'web01' }, disks, {}, cloud)).toEqual([
      { name: 'web01-scsi0:0', label: 'scsi0:0', size_gib: 40, type: null, zone: null, boot: true },
      { name: 'web01-scsi0:1', label: 'scsi0:1', size_gib: 11, type: null, zone: null, boot: false },
    ]);
  });

  it('rounds up, never down', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 62 * 1024 ** 4 }), (capacity_bytes) => {
        const [volume] = resolveVolumes({ name: 'v' }, [disk({ capacity_bytes })], {}, cloud);
        expect((volume?.size_gib ?? 0) * GIB).toBeGreaterThanOrEqual(capacity_bytes);
        expect(((volume?.size_gib ?? 0) - 1) * GIB).toBeLessThan(capacity_bytes);
      }),
    );
  });

  it('takes type and zone by name, and the server’s zone where storage has it', () => {
    const only = (options: Parameters<typeof resolveVolumes>[2], given = cloud) =>
      resolveVolumes({ name: 'v' }, [disk()], options, given)[0];
    expect(only({ volumeType: 'LUKS' })?.type).toBe('LUKS');
    expect(only({ volumeType: 't-1' })?.type).toBe('ssd');
    expect(only({ volumeZone: 'az2' })?.zone).toBe('az2');
    expect(only({ zone: 'az1' })?.zone).toBe('az1');
    expect(only({ zone: 'az9' })?.zone).toBeNull();
    expect(only({ zone: 'az1', volumeZone: 'az2' })?.zone).toBe('az2');
    expect(only({ name: 'new' })?.name).toBe('new-scsi0:0');
    expect(only({ volumeZone: 'any' }, { ...cloud, zones: { compute: [], volume: [] } })?.zone).toBe('any');
  });

  it.each([
    [{ volumeType: 'hdd' }, 'cloud.volume_type', /ssd, LUKS/],
    [{ volumeZone: 'az9' }, 'cloud.zone_mismatch', /az1, az2/],
  ])('refuses what is not there, and names what is: %j', (options, code, hint) => {
    expect(() => resolveVolumes({ name: 'v' }, [disk()], options, cloud)).toThrow(
      expect.objectContaining({ code, exitCode: 3, hint: expect.stringMatching(hint) as string }),
    );
  });
});
