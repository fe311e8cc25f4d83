import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MeasuredSample } from '../../../src/migration/measured/samples.js';
import { chooseFormat } from '../../../src/migration/plan/image-format.js';
import { sample } from '../measured/sample.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

describe('the format of an image', () => {
  it.each([
    ['auto', 40 * GIB, 3 * GIB, 'qcow2', 'its files hold 3 GiB of 40 GiB'],
    ['auto', 40 * GIB, 36 * GIB, 'raw', 'its files hold 36 GiB of 40 GiB'],
    ['auto', 40 * GIB, 36 * GIB - 1, 'qcow2', 'its files hold 36 GiB of 40 GiB'],
    ['auto', 40 * GIB, 41 * GIB, 'raw', 'its files hold 40 GiB of 40 GiB'],
    ['auto', 40 * GIB, 0, 'qcow2', 'its files hold 0 B of 40 GiB'],
    ['auto', 40 * GIB, null, 'qcow2', 'what the disk holds is not known; holes are not sent'],
    ['auto', 64 * MIB, 0, 'raw', 'small: 64 MiB'],
    ['auto', 64 * MIB + 512, 0, 'qcow2', 'its files hold 0 B of 64 MiB'],
    ['raw', 40 * GIB, 0, 'raw', '--image-format raw'],
    ['qcow2', 1 * MIB, MIB, 'qcow2', '--image-format qcow2'],
  ] as const)('%s, %d bytes, %s held: %s', (wanted, capacity, held, format, reason) => {
    expect(chooseFormat(wanted, capacity, held)).toEqual({ format, reason });
  });
});

describe('the format of an image where times were measured', () => {
  const qcow2 = (image: number, volume: number) =>
    sample({ format: 'qcow2', image_bytes: 4 * GIB, image_seconds: image, volume_seconds: volume });
  const raw = (image: number, volume: number) =>
    sample({ format: 'raw', image_bytes: 40 * GIB, image_seconds: image, volume_seconds: volume });
  const choose = (measured: readonly MeasuredSample[], held = 4 * GIB) =>
    chooseFormat('auto', 40 * GIB, held, measured);

  it('is the one whose volume is available sooner, with both times and what they rest on', () => {
    expect(choose([qcow2(40, 400), raw(100, 3), raw(110, 3)])).toEqual({
      format: 'raw',
      reason:
        'faster as measured in this cloud: qcow2 about 7 min 20 s until the volume is available (1 volume), ' +
        'raw about 1 min 43 s until the volume is available (2 volumes); its files hold 4 GiB of 40 GiB',
    });
    expect(choose([qcow2(40, 20), raw(100, 3)])).toEqual({
      format: 'qcow2',
      reason:
        'its files hold 4 GiB of 40 GiB; measured in this cloud: qcow2 about 1 min 00 s until the volume is available ' +
        '(1 volume), raw about 1 min 43 s until the volume is available (1 volume)',
    });
  });

  it('stays what it is by size where the other one is hardly faster', () => {
    expect(choose([qcow2(40, 60), raw(82, 3)]).format).toBe('qcow2');
    expect(choose([qcow2(40, 60), raw(77, 3)]).format).toBe('raw');
    // A full disk is sent raw; the other way round.
    expect(choose([qcow2(40, 20), raw(100, 600)], 39 * GIB).format).toBe('qcow2');
  });

  it('is not decided by one format alone, and says so; where the other may be worth a try, that too', () => {
    expect(choose([qcow2(4, 600)])).toEqual({
      format: 'qcow2',
      reason:
        'its files hold 4 GiB of 40 GiB; measured in this cloud: qcow2 about 10 min 04 s until the volume is available ' +
        '(1 volume); raw is not measured yet, and may be faster: try --image-format raw once',
    });
    expect(choose([qcow2(40, 20)]).reason).toMatch(/; raw is not measured yet$/);
    expect(choose([raw(1, 1)])).toMatchObject({ format: 'qcow2' });
    expect(choose([raw(1, 1)]).reason).toMatch(/; qcow2 is not measured yet$/);
  });

  it('takes no notice of small images, and of a volume whose image was there before half only', () => {
    const small = sample({ format: 'raw', image_bytes: 100 * MIB, volume_gib: 1, image_seconds: 0, volume_seconds: 0 });
    expect(choose([qcow2(40, 400), small]).format).toBe('qcow2');
    expect(choose([qcow2(40, 400), { ...raw(0, 1), image_seconds: null }]).reason).toMatch(/raw is not measured yet/);
  });

  it('is what is asked for, and raw for a small disk, whatever was measured', () => {
    const measured = [qcow2(1, 1), raw(1000, 1000)];
    expect(chooseFormat('raw', 40 * GIB, GIB, measured)).toEqual({ format: 'raw', reason: '--image-format raw' });
    expect(chooseFormat('auto', 64 * MIB, 0, measured).format).toBe('raw');
  });

  it('never fails on what a file may hold', () => {
    const seconds = fc.double({ min: 0, max: 1e6, noNaN: true });
    const any = fc.record({
      format: fc.constantFrom('raw' as const, 'qcow2' as const),
      image_bytes: fc.integer({ min: 0, max: 64 * 1024 * GIB }),
      volume_gib: fc.integer({ min: 1, max: 65_536 }),
      image_seconds: fc.option(seconds),
      volume_seconds: seconds,
    });
    fc.assert(
      fc.property(
        fc.array(any),
        fc.integer({ min: 0, max: 1024 * GIB }),
        fc.option(fc.integer({ min: 0 })),
        (all, capacity, held) => {
          const { format, reason } = chooseFormat('auto', capacity, held, all.map(sample));
          expect(['raw', 'qcow2']).toContain(format);
          expect(reason).not.toMatch(/NaN|Infinity|undefined/);
        },
      ),
    );
  });
});
