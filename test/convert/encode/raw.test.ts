import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRaw, type ImageRun } from '../../../src/convert/index.js';
import { MIB, TIB } from '../../../src/core/index.js';
import { RangeList } from '../../../src/disk/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { collect, compare, makeDisk, piecesOf, writeImage } from './images.js';

const temp = tempFolders();

describe('encodeRaw', () => {
  it('gives any disk as it is', async () => {
    const disks = fc
      .tuple(fc.integer({ min: 0, max: 300_000 }), fc.array(fc.nat(300_000), { maxLength: 40 }))
      .map(([capacity, bounds]) => {
        const sorted = [...new Set(bounds.filter((bound) => bound <= capacity))].sort((a, b) => a - b);
        const ranges = [];
        for (let i = 0; i + 1 < sorted.length; i += 2) {
          const offset = sorted[i] ?? 0;
          ranges.push({ offset, length: (sorted[i + 1] ?? 0) - offset });
        }
        return { capacity, ranges };
      });
    await fc.assert(
      fc.asyncProperty(disks, fc.integer({ min: 1000, max: 50_000 }), async ({ capacity, ranges }, cut) => {
        const { disk, data } = makeDisk(capacity, ranges);
        const image = encodeRaw({ capacityBytes: capacity, data });
        const pieces = piecesOf(data, cut, (offset, length) => disk.subarray(offset, offset + length));
        expect((await collect(image, pieces)).equals(disk)).toBe(true);
        expect(image.bytes).toBe(capacity);
        expect(image.wanted).toBe(data);
      }),
    );
  });

  it('is what qemu-img reads as the same disk', async () => {
    const folder = await temp();
    const { disk, data } = makeDisk(5 * MIB + 512, [
      { offset: MIB, length: 70_000 },
      { offset: 5 * MIB + 511, length: 1 },
    ]);
    await writeFile(join(folder, 'disk.raw'), disk);
    const image = encodeRaw({ capacityBytes: disk.length, data });
    const pieces = piecesOf(data, 4096, (offset, length) => disk.subarray(offset, offset + length));
    await writeImage(join(folder, 'image.raw'), image, pieces);
    expect((await stat(join(folder, 'image.raw'))).size).toBe(disk.length);
    compare(join(folder, 'disk.raw'), join(folder, 'image.raw'), 'raw');
  });

  it('gives holes of any size as one run of zeros', async () => {
    const data = RangeList.from([{ offset: 62 * TIB - 6, length: 4 }]);
    const image = encodeRaw({ capacityBytes: 62 * TIB, data });
    const runs: ImageRun[] = [];
    const bytes = Buffer.from('data');
    for await (const run of image.stream(piecesOf(data, MIB, () => bytes))) runs.push(run);
    expect(runs).toEqual([
      { kind: 'zeros', length: 62 * TIB - 6 },
      { kind: 'data', bytes, diskOffset: 62 * TIB - 6 },
      { kind: 'zeros', length: 2 },
    ]);
    expect(image.bytes).toBe(62 * TIB);
  });

  it('refuses data beyond the disk', () => {
    const data = RangeList.from([{ offset: 0, length: 11 }]);
    expect(() => encodeRaw({ capacityBytes: 10, data })).toThrow(RangeError);
    expect(() => encodeRaw({ capacityBytes: -1, data: RangeList.empty })).toThrow(RangeError);
  });
});
