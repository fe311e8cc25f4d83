import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../src/core/index.js';
import { ContentHasher, DiskHasher, chunkDigest } from '../../src/disk/index.js';

const CHUNK = 4 * MIB;

function plain(disk: Buffer): string {
  const hasher = new ContentHasher();
  hasher.update(disk);
  return hasher.digest();
}

describe('the hash of a disk from its pieces', () => {
  it('is the content hash, whatever of the disk is given and how it is cut', async () => {
    const capacity = 3 * CHUNK + 70_000;
    const cuts = fc.array(fc.tuple(fc.integer({ min: 0, max: 800 }), fc.integer({ min: 1, max: 300 })), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(cuts, async (list) => {
        const disk = Buffer.alloc(capacity);
        const hasher = new DiskHasher(capacity);
        let at = 0;
        for (const [gap, length] of list) {
          let from = at + gap * 16_384;
          let left = length * 16_384;
          while (left > 0 && from < capacity) {
            const end = Math.min(from + left, capacity, (Math.floor(from / CHUNK) + 1) * CHUNK);
            const bytes = length % 5 === 0 ? Buffer.alloc(end - from) : randomBytes(end - from);
            bytes.copy(disk, from);
            await hasher.update({ offset: from, bytes });
            bytes.fill(0xee); // it is the caller's again
            left -= end - from;
            from = end;
          }
          at = from;
        }
        expect(await hasher.digest()).toBe(plain(disk));
      }),
      { numRuns: 25 },
    );
  });

  it('tells the digest of every chunk that holds data, in order, and of no other', async () => {
    const capacity = 6 * CHUNK + 5;
    const told: [number, string][] = [];
    const hasher = new DiskHasher(capacity, (index, digest) => told.push([index, digest.toString('hex')]));
    const one = randomBytes(CHUNK);
    const tail = randomBytes(5);
    const part = Buffer.alloc(CHUNK);
    part[77] = 1;
    await hasher.update({ offset: CHUNK, bytes: one });
    await hasher.update({ offset: 2 * CHUNK, bytes: Buffer.alloc(CHUNK) });
    await hasher.update({ offset: 4 * CHUNK + 77, bytes: Buffer.from([1]) });
    await hasher.update({ offset: 6 * CHUNK, bytes: tail });
    await hasher.digest();
    expect(told).toEqual(
      [
        [1, one],
        [4, part],
        [6, tail],
      ].map(([index, bytes]) => [index, chunkDigest(bytes as Buffer).toString('hex')]),
    );
  });

  it('hashes chunks that begin, and end, with as many zeros as others did', async () => {
    const capacity = 8 * CHUNK;
    const disk = Buffer.alloc(capacity);
    const hasher = new DiskHasher(capacity);
    for (const [index, start] of [MIB, MIB, 3 * MIB, 0, MIB, 65_536, 65_537, 3 * MIB].entries()) {
      const offset = index * CHUNK + start;
      const bytes = randomBytes(MIB / 2);
      bytes.copy(disk, offset);
      await hasher.update({ offset, bytes });
    }
    expect(await hasher.digest()).toBe(plain(disk));
  });

  it('takes no piece out of order, over the end of a chunk or of the disk', async () => {
    const hasher = new DiskHasher(CHUNK + 10);
    await hasher.update({ offset: 100, bytes: Buffer.alloc(10, 1) });
    await expect(hasher.update({ offset: 105, bytes: Buffer.alloc(1) })).rejects.toThrow(RangeError);
    await expect(hasher.update({ offset: CHUNK - 1, bytes: Buffer.alloc(2) })).rejects.toThrow(RangeError);
    await expect(hasher.update({ offset: CHUNK + 5, bytes: Buffer.alloc(6) })).rejects.toThrow(RangeError);
  });

  it('costs nothing for a disk of 62 TiB without data', async () => {
    const capacity = 62 * 1024 * 1024 * MIB;
    const hasher = new DiskHasher(capacity);
    const last = Buffer.alloc(1, 1);
    await hasher.update({ offset: capacity - 1, bytes: last });
    expect(await hasher.digest()).toMatch(/^sha256-4m:[0-9a-f]{64}$/);
  }, 60_000);
});
