import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertDatastores, idleDatastores, resolveVolumes } from '../../../src/migration/plan/resolve-volumes.js';
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

  it('makes none of a disk whose size is not known', () => {
    expect(() => resolveVolumes({ name: 'web01' }, [disk({ capacity_bytes: null })], {}, cloud)).toThrow(
      expect.objectContaining({
        code: 'disk.size_unknown',
        exitCode: 3,
        message: expect.stringContaining('The size of scsi0:0 of web01 is not known') as string,
      }) as Error,
    );
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

  it('takes the type of a datastore before that of all, and that before a rule', () => {
    const disks = [
      disk({ path: '[nas 1=a] web01/a.vmdk' }),
      disk({ label: 'scsi0:1', path: '[datastore1] web01/b.vmdk' }),
      disk({ label: 'scsi0:2', path: null }),
    ];
    const types = (options: Parameters<typeof resolveVolumes>[2]) =>
      resolveVolumes({ name: 'v' }, disks, options, cloud).map((one) => [one.type, one.type_reason ?? null]);
    const datastoreTypes = [{ datastore: 'nas*', type: 't-2' }];
    const rule = { type: 'ssd', reason: 'volumes rule 1' };
    expect(types({ datastoreTypes })).toEqual([
      ['LUKS', '--volume-type nas*=t-2'],
      [null, null],
      [null, null],
    ]);
    expect(types({ datastoreTypes, volumeType: 'ssd' }).map(([type]) => type)).toEqual(['LUKS', 'ssd', 'ssd']);
    expect(types({ datastoreTypes, volumeTypes: { 'scsi0:0': rule, 'scsi0:1': rule } }).map(([type]) => type)).toEqual([
      'LUKS',
      'ssd',
      null,
    ]);
    expect(() => types({ datastoreTypes: [{ datastore: '*', type: 'none' }] })).toThrow('no volume type "none"');
  });

  it('tells datastores that no disk lies on', () => {
    const datastoreTypes = ['nas*', 'datastore?', 'x'].map((datastore) => ({ datastore, type: 'ssd' }));
    expect(idleDatastores([disk(), disk({ path: null })], { datastoreTypes })).toEqual(['nas*', 'x']);
    expect(() => assertDatastores({ name: 'v' }, [disk()], { datastoreTypes })).toThrow(
      '--volume-type nas*=…: no disk of v that moves lies on such a datastore.',
    );
    assertDatastores({ name: 'v' }, [], {});
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
