import { describe, expect, it, vi } from 'vitest';
import { imageEncoders, type EncodedImage } from '../../../src/convert/index.js';
import { KIB, MIB } from '../../../src/core/index.js';
import { RangeList, type DiskPiece } from '../../../src/disk/index.js';

const CLUSTER = 64 * KIB;
const data = RangeList.from([
  { offset: CLUSTER, length: 2 * CLUSTER },
  { offset: 5 * CLUSTER, length: CLUSTER },
]);
const piece = (offset: number, length: number): DiskPiece => ({ offset, bytes: Buffer.alloc(length, 1) });
const good = [piece(CLUSTER, CLUSTER), piece(2 * CLUSTER, CLUSTER), piece(5 * CLUSTER, CLUSTER)];

async function* give(pieces: DiskPiece[]): AsyncGenerator<DiskPiece, void, undefined> {
  for (const each of pieces) yield await Promise.resolve(each);
}

async function drain(image: EncodedImage, pieces: AsyncIterable<DiskPiece>): Promise<number> {
  let bytes = 0;
  for await (const run of image.stream(pieces)) bytes += run.kind === 'zeros' ? run.length : run.bytes.length;
  return bytes;
}

describe.each(['raw', 'qcow2'] as const)('the stream of a %s image', (format) => {
  const image = imageEncoders[format]({ capacityBytes: MIB, data });

  it('takes pieces of any length, empty ones too, and can be asked for again', async () => {
    expect(await drain(image, give(good))).toBe(image.bytes);
    const others = [
      piece(CLUSTER, 0),
      piece(CLUSTER, 1),
      piece(CLUSTER + 1, 2 * CLUSTER - 1),
      piece(5 * CLUSTER, 100),
      piece(5 * CLUSTER + 100, CLUSTER - 100),
    ];
    expect(await drain(image, give(others))).toBe(image.bytes);
  });

  it('hands on the very buffers of the pieces, and no empty run', async () => {
    const given: Buffer[] = [];
    for await (const run of image.stream(give([piece(CLUSTER, 0), ...good]))) {
      if (run.kind === 'data') given.push(run.bytes);
      expect(run.kind === 'zeros' ? run.length : run.bytes.length).toBeGreaterThan(0);
    }
    expect(given).toHaveLength(3);
    for (const [at, bytes] of given.entries()) expect(bytes).toBe(good[at]?.bytes);
  });

  it.each([
    ['missing at the begin', good.slice(1)],
    ['missing in the middle', [good[0], good[2]]],
    ['missing at the end', good.slice(0, 2)],
    ['all missing', []],
    ['short at the end of a range', [piece(CLUSTER, CLUSTER), piece(2 * CLUSTER, CLUSTER - 1), good[2]]],
    ['short at the end of all', [...good.slice(0, 2), piece(5 * CLUSTER, CLUSTER - 1)]],
    ['out of order', [good[1], good[0], good[2]]],
    ['twice there', [good[0], good[0], good[1], good[2]]],
    ['overlapping', [good[0], piece(2 * CLUSTER - 1, CLUSTER + 1), good[2]]],
    ['beyond a range', [piece(CLUSTER, 2 * CLUSTER + 1), good[2]]],
    ['where nothing is wanted', [piece(0, CLUSTER), ...good]],
    ['behind the last', [...good, piece(6 * CLUSTER, 1)]],
    ['behind the disk', [...good, piece(MIB, 1)]],
    ['behind the last, and empty', [...good, piece(6 * CLUSTER, 0)]],
  ])('throws for pieces %s', async (_, pieces) => {
    await expect(drain(image, give(pieces.filter((each) => each !== undefined)))).rejects.toThrow(RangeError);
  });

  it('throws for any piece of an empty disk', async () => {
    const empty = imageEncoders[format]({ capacityBytes: MIB, data: RangeList.empty });
    expect(await drain(empty, give([]))).toBe(empty.bytes);
    await expect(drain(empty, give([piece(0, 1)]))).rejects.toThrow(RangeError);
  });

  it('passes an error of the pieces on', async () => {
    async function* failing() {
      yield* give(good.slice(0, 1));
      throw new Error('the host is gone');
    }
    await expect(drain(image, failing())).rejects.toThrow('the host is gone');
  });

  it.each([1, 8])('closes the pieces once where the consumer stops at run %d', async (stopAt) => {
    const closed = vi.fn(() => Promise.resolve({ done: true as const, value: undefined }));
    const inner = give(good);
    const pieces = { [Symbol.asyncIterator]: () => ({ next: () => inner.next(), return: closed }) };
    let runs = 0;
    for await (const run of image.stream(pieces)) if (++runs === stopAt || run.kind === 'data') break;
    expect(closed).toHaveBeenCalledTimes(1);
  });
});
