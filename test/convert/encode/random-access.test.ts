import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeQcow2, encodeRaw, type EncodedImage } from '../../../src/convert/index.js';
import { KIB } from '../../../src/core/index.js';
import type { Range } from '../../../src/disk/index.js';
import { collect, makeDisk, piecesOf } from './images.js';

/** The image as it comes of its tables and the places of its data, written from the last range to the first. */
function placed(image: EncodedImage, disk: Buffer): Buffer {
  const file = Buffer.alloc(image.bytes);
  let at = 0;
  for (const table of image.tables()) at += table.copy(file, at);
  for (const { offset, length } of [...image.wanted].reverse()) {
    disk.copy(file, image.positionOf(offset), offset, offset + length);
  }
  return file;
}

describe('an image written in any order', () => {
  it('is the one that is written front to back', async () => {
    const bounds = fc.uniqueArray(fc.integer({ min: 0, max: 400 * KIB }), { maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(bounds, fc.constantFrom(512, 4 * KIB, 64 * KIB), async (list, clusterBytes) => {
        const sorted = list.sort((a, b) => a - b);
        const ranges: Range[] = [];
        for (let i = 0; i + 1 < sorted.length; i += 2) {
          ranges.push({ offset: sorted[i] ?? 0, length: (sorted[i + 1] ?? 0) - (sorted[i] ?? 0) });
        }
        const { disk, data } = makeDisk(400 * KIB + 512, ranges);
        const request = { capacityBytes: disk.length, data };
        for (const image of [encodeRaw(request), encodeQcow2({ ...request, clusterBytes })]) {
          const pieces = piecesOf(image.wanted, 32 * KIB, (offset, length) => disk.subarray(offset, offset + length));
          expect(placed(image, disk).equals(await collect(image, pieces))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
