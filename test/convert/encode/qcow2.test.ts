import { execFileSync } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeQcow2, imageEncoders } from '../../../src/convert/index.js';
import { GIB, KIB, MIB, TIB } from '../../../src/core/index.js';
import { RangeList, type Range } from '../../../src/disk/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { check, collect, compare, makeDisk, piecesOf, qemuImg, writeImage, writeRaw } from './images.js';
import { readQcow2 } from './qcow2-reader.js';

const temp = tempFolders();
let folder: string;
beforeEach(async () => {
  folder = await temp();
});
const at = (name: string) => join(folder, name);
const range = (offset: number, length: number): Range => ({ offset, length });
const scattered = (count: number, step: number, length: number) =>
  Array.from({ length: count }, (_, i) => range(i * step + ((i * 7919) % (step - length)), length));

/** A small disk with ranges anywhere in it, as ascending pairs of bounds. */
const someDisk = (most: number) =>
  fc.integer({ min: 0, max: most }).chain((capacity) =>
    fc.record({
      capacity: fc.constant(capacity),
      ranges: fc.uniqueArray(fc.integer({ min: 0, max: capacity }), { maxLength: 40 }).map((bounds) => {
        const sorted = bounds.sort((a, b) => a - b);
        const ranges: Range[] = [];
        for (let i = 0; i + 1 < sorted.length; i += 2) {
          const from = sorted[i] ?? 0;
          ranges.push(range(from, (sorted[i + 1] ?? 0) - from));
        }
        return ranges;
      }),
      cut: fc.integer({ min: 1000, max: 100_000 }),
    }),
  );

describe('encodeQcow2, judged by qemu-img', () => {
  it.each<[string, number, Range[]]>([
    ['without a byte', 0, []],
    ['empty', 64 * MIB, []],
    ['full', 9 * MIB, [range(0, 9 * MIB)]],
    ['of one cluster', 64 * KIB, [range(0, 64 * KIB)]],
    ['of one sector', 512, [range(0, 512)]],
    ['of one byte', 1, [range(0, 1)]],
    ['with one byte of data at its end', 33 * MIB, [range(33 * MIB - 1, 1)]],
    ['with one byte of data at its begin', 33 * MIB, [range(0, 1)]],
    ['of sectors that fill no cluster', 5 * MIB + 512, [range(MIB, 100), range(5 * MIB, 512)]],
    ['whose last cluster is a sector short', 5 * MIB - 512, [range(0, 5 * MIB - 512)]],
    ['of an odd number of bytes', 3 * MIB + 12_345, [range(70_000, 1), range(3 * MIB + 12_344, 1)]],
    ['of an odd number of bytes, with an empty end', 3 * MIB + 1, [range(70_000, 5)]],
    ['with ranges that meet in one cluster', MIB, [range(10, 10), range(100, 10), range(65_530, 20), range(65_600, 1)]],
    ['with thousands of ranges', 400 * MIB, scattered(3000, 128 * KIB, 777)],
    ['with data around the border of L2 tables', 1025 * MIB, [range(512 * MIB - 3, 6), range(1024 * MIB, MIB)]],
  ])('a disk %s', async (_, capacity, ranges) => {
    const { disk, data } = makeDisk(capacity, ranges);
    await writeRaw(at('disk.raw'), disk, ranges);
    const image = encodeQcow2({ capacityBytes: capacity, data });
    const pieces = piecesOf(image.wanted, MIB, (offset, length) => disk.subarray(offset, offset + length));
    expect(await writeImage(at('disk.qcow2'), image, pieces)).toBe(image.bytes);
    expect((await stat(at('disk.qcow2'))).size).toBe(image.bytes);
    expect(check(at('disk.qcow2'))).toMatchObject({ 'check-errors': 0, 'image-end-offset': image.bytes });
    compare(at('disk.raw'), at('disk.qcow2'), 'qcow2');
    expect(qemuImg('info', '--output=json', at('disk.qcow2'))).toMatchObject({
      'virtual-size': Math.ceil(capacity / 512) * 512,
      'cluster-size': 65_536,
      'dirty-flag': false,
      'format-specific': { data: { compat: '1.1', 'refcount-bits': 16, corrupt: false, 'extended-l2': false } },
    });
  });

  it('any disk, with clusters of any size', async () => {
    const sizes = fc.integer({ min: 9, max: 21 }).map((bits) => 2 ** bits);
    await fc.assert(
      fc.asyncProperty(someDisk(4 * MIB), sizes, async ({ capacity, ranges, cut }, clusterBytes) => {
        const { disk, data } = makeDisk(capacity, ranges);
        await writeRaw(at('disk.raw'), disk, ranges);
        const image = encodeQcow2({ capacityBytes: capacity, data, clusterBytes });
        const pieces = piecesOf(image.wanted, cut, (offset, length) => disk.subarray(offset, offset + length));
        await writeImage(at('disk.qcow2'), image, pieces);
        check(at('disk.qcow2'));
        compare(at('disk.raw'), at('disk.qcow2'), 'qcow2');
      }),
      { numRuns: 20 },
    );
  });

  it('the judge sees a bit flipped in the tables, and one in the data', async () => {
    const ranges = [range(0, 100_000)];
    const { disk, data } = makeDisk(MIB, ranges);
    await writeRaw(at('disk.raw'), disk, ranges);
    const image = encodeQcow2({ capacityBytes: MIB, data });
    const bytes = await collect(
      image,
      piecesOf(image.wanted, MIB, (offset, length) => disk.subarray(offset, offset + length)),
    );
    const flipped = async (position: number) => {
      const copy = Buffer.from(bytes);
      copy[position] = (copy[position] ?? 0) ^ 1;
      await writeFile(at('disk.qcow2'), copy);
    };
    await flipped(2 * 65_536 + 1);
    expect(() => check(at('disk.qcow2'))).toThrow();
    await flipped(5 * 65_536);
    expect(() => compare(at('disk.raw'), at('disk.qcow2'), 'qcow2')).toThrow();
  });
});

describe('encodeQcow2, read by a reader of our own', () => {
  it('any disk: every byte in its place, every cluster used once', async () => {
    const sizes = fc.constantFrom(512, 1024, 4096, 65_536);
    await fc.assert(
      fc.asyncProperty(someDisk(300_000), sizes, async ({ capacity, ranges, cut }, clusterBytes) => {
        const { disk, data } = makeDisk(capacity, ranges);
        const image = encodeQcow2({ capacityBytes: capacity, data, clusterBytes });
        const bytes = await collect(
          image,
          piecesOf(image.wanted, cut, (offset, length) => disk.subarray(offset, offset + length)),
        );
        expect(bytes.length).toBe(image.bytes);
        const read = readQcow2(bytes);
        expect(read.disk.subarray(0, capacity).equals(disk)).toBe(true);
        expect(read.disk.length).toBe(Math.ceil(capacity / 512) * 512);
        // No cluster and no table more than the data need.
        const clusters = new Set<number>();
        const groups = new Set<number>();
        for (const { offset, length } of ranges) {
          for (let n = Math.floor(offset / clusterBytes); n * clusterBytes < offset + length; n++) {
            clusters.add(n);
            groups.add(Math.floor(n / (clusterBytes / 8)));
          }
        }
        const wantedBytes = [...clusters].map((n) => Math.min(capacity, (n + 1) * clusterBytes) - n * clusterBytes);
        expect(image.wanted.bytes).toBe(wantedBytes.reduce((sum, n) => sum + n, 0));
        expect(read.l2Tables).toBe(groups.size);
      }),
      { numRuns: 150 },
    );
  });

  it('every number of clusters around a full refcount block, which counts itself', async () => {
    for (let clusters = 200; clusters < 540; clusters++) {
      const { disk, data } = makeDisk(clusters * 512, [range(0, clusters * 512)]);
      const image = encodeQcow2({ capacityBytes: disk.length, data, clusterBytes: 512 });
      const pieces = piecesOf(image.wanted, MIB, (offset, length) => disk.subarray(offset, offset + length));
      expect(readQcow2(await collect(image, pieces)).disk.equals(disk), `${clusters} clusters`).toBe(true);
    }
  });

  it('refcount blocks and their table of more than one cluster', async () => {
    // Clusters of 512 bytes: 256 of them to a refcount block, 64 blocks to a cluster of their table.
    const capacityBytes = 10 * MIB + 100;
    const { disk, data } = makeDisk(capacityBytes, [range(0, capacityBytes)]);
    const image = encodeQcow2({ capacityBytes, data, clusterBytes: 512 });
    const bytes = await collect(
      image,
      piecesOf(image.wanted, MIB, (offset, length) => disk.subarray(offset, offset + length)),
    );
    expect(bytes.readUInt32BE(56)).toBe(2);
    expect(readQcow2(bytes).disk.subarray(0, capacityBytes).equals(disk)).toBe(true);
  });
});

describe('encodeQcow2 of large disks', () => {
  it('62 TiB, with data up to its very end and more than 4 GiB of it', async () => {
    const capacityBytes = 62 * TIB;
    const ranges = [
      range(0, MIB),
      range(3 * TIB + 512 * KIB, 512 * KIB),
      range(32 * TIB - MIB, 5 * GIB),
      range(capacityBytes - 1, 1),
    ];
    const image = encodeQcow2({ capacityBytes, data: RangeList.from(ranges) });
    const zeros = Buffer.alloc(64 * MIB);
    const last = Buffer.alloc(512 * KIB, 0xee);
    // Whole pieces of zeros are left out as holes, so that the file is small; the last cluster has bytes in it.
    const pieces = piecesOf(image.wanted, 64 * MIB, (offset, length) => {
      if (offset >= capacityBytes - 512 * KIB) return last;
      return length === zeros.length ? zeros : Buffer.alloc(length, 0xdd);
    });
    expect(await writeImage(at('disk.qcow2'), image, pieces, zeros)).toBe(image.bytes);
    check(at('disk.qcow2'));
    expect(qemuImg('info', '--output=json', at('disk.qcow2'))).toMatchObject({
      'virtual-size': capacityBytes,
      'cluster-size': 512 * KIB,
    });
    const map = qemuImg('map', '--output=json', at('disk.qcow2')) as {
      start: number;
      length: number;
      offset?: number;
    }[];
    const allocated = RangeList.from(
      map.filter((run) => run.offset !== undefined).map((run) => range(run.start, run.length)),
    );
    expect([...allocated]).toEqual([
      range(0, MIB),
      range(3 * TIB + 512 * KIB, 512 * KIB),
      range(32 * TIB - MIB, 5 * GIB),
      range(capacityBytes - 512 * KIB, 512 * KIB),
    ]);
    expect(map.at(-1)?.offset).toBe(image.bytes - 512 * KIB);
    // Throws where other bytes are read.
    const read = (offset: number, pattern: number) =>
      execFileSync(
        'qemu-io',
        ['-r', '-f', 'qcow2', '-c', `read -P ${pattern} ${offset} ${512 * KIB}`, at('disk.qcow2')],
        { stdio: 'pipe' },
      );
    read(capacityBytes - 512 * KIB, 0xee);
    read(3 * TIB + 512 * KIB, 0xdd);
    read(3 * TIB, 0);
    expect(() => read(3 * TIB, 0xdd)).toThrow('Command failed');
  });

  it.each([
    [8 * TIB, 64 * KIB],
    [8 * TIB + 1, 128 * KIB],
    [16 * TIB, 128 * KIB],
    [32 * TIB, 256 * KIB],
    [62 * TIB, 512 * KIB],
    [256 * TIB, 2 * MIB],
    [4096 * TIB, 2 * MIB],
  ])(
    'a full disk of %d bytes: clusters, exact length, tables in small buffers',
    async (capacityBytes, clusterBytes) => {
      const image = encodeQcow2({ capacityBytes, data: RangeList.from([range(0, capacityBytes)]) });
      expect([...image.wanted]).toEqual([range(0, capacityBytes)]);
      // By hand: data and L2 tables, then as many blocks of refcounts as count those, L1 and themselves.
      const data = Math.ceil(capacityBytes / clusterBytes);
      const l2 = Math.ceil(data / (clusterBytes / 8));
      const l1 = Math.ceil((l2 * 8) / clusterBytes);
      const blocks = image.bytes / clusterBytes - data - l2 - l1 - 2;
      const counted = (blocks * clusterBytes) / 2;
      expect(counted).toBeGreaterThanOrEqual(image.bytes / clusterBytes);
      expect(counted - clusterBytes / 2).toBeLessThan(image.bytes / clusterBytes);

      let tables = 0;
      let largest = 0;
      const runs = image.stream(piecesOf(RangeList.empty, MIB, () => Buffer.alloc(0)));
      for await (const run of runs) {
        if (run.kind !== 'table') break;
        largest = Math.max(largest, run.bytes.length);
        if (tables === 0) {
          expect(run.bytes.readUInt32BE(20)).toBe(Math.log2(clusterBytes));
          expect(run.bytes.readBigUInt64BE(24)).toBe(BigInt(Math.ceil(capacityBytes / 512) * 512));
          expect(run.bytes.readUInt32BE(36)).toBe(l2);
        }
        if (++tables > 40) break;
      }
      expect(largest).toBeLessThanOrEqual(2 * MIB);
    },
  );

  it('makes each table when it is asked for, and none of the disk is read before', async () => {
    const capacityBytes = 62 * TIB;
    const image = encodeQcow2({ capacityBytes, data: RangeList.from([range(0, capacityBytes)]) });
    let asked = false;
    async function* pieces() {
      asked = true;
      yield await Promise.resolve({ offset: 0, bytes: Buffer.alloc(1) });
    }
    const before = process.memoryUsage().arrayBuffers;
    let runs = 0;
    for await (const run of image.stream(pieces())) if (run.kind === 'table' && ++runs === 3) break;
    expect(asked).toBe(false);
    // All tables are 1.25 GiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
  });
});

describe('encodeQcow2 refuses', () => {
  it.each([-1, 0.5, Number.NaN, Infinity, 2 ** 53])('a capacity of %d', (capacityBytes) => {
    expect(() => encodeQcow2({ capacityBytes, data: RangeList.empty })).toThrow(RangeError);
  });

  it('data beyond the disk, or before it', () => {
    expect(() => encodeQcow2({ capacityBytes: MIB, data: RangeList.from([range(MIB - 1, 2)]) })).toThrow(RangeError);
    expect(() => encodeQcow2({ capacityBytes: MIB, data: new RangeList(Float64Array.of(-1, 5)) })).toThrow(RangeError);
  });

  it.each([0, 256, 1000, 4 * MIB, Number.NaN])('clusters of %d bytes', (clusterBytes) => {
    expect(() => encodeQcow2({ capacityBytes: MIB, data: RangeList.empty, clusterBytes })).toThrow(RangeError);
  });

  it('tables that QEMU would not open', () => {
    // 32 MiB of L1 name 128 GiB in clusters of 512 bytes.
    const encode = (capacityBytes: number) => encodeQcow2({ capacityBytes, data: RangeList.empty, clusterBytes: 512 });
    expect(encode(128 * GIB).bytes).toBeGreaterThan(32 * MIB);
    expect(() => encode(128 * GIB + 1)).toThrow(RangeError);
  });
});

it('is found by its name', () => {
  const request = { capacityBytes: MIB, data: RangeList.empty };
  expect(imageEncoders.qcow2(request).format).toBe('qcow2');
  expect(imageEncoders.raw(request).format).toBe('raw');
});
