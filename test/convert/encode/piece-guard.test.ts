import { describe, expect, it } from 'vitest';
import { PieceGuard, imageEncoders } from '../../../src/convert/index.js';
import type { ImageRun } from '../../../src/convert/encode/types.js';
import { RangeList, type DiskPiece } from '../../../src/disk/index.js';

const MIB = 1024 ** 2;
const CAPACITY = 9 * MIB;
const RANGES = [
  { offset: MIB, length: 2 * MIB },
  { offset: 6 * MIB, length: MIB },
];

/** What the guard says of an encoder whose runs are changed on their way out. */
async function judged(format: 'raw' | 'qcow2', change: (run: ImageRun, index: number) => ImageRun[]): Promise<void> {
  const image = imageEncoders[format]({ capacityBytes: CAPACITY, data: RangeList.from(RANGES) });
  const guard = new PieceGuard('scsi0:0', image);
  async function* source(): AsyncGenerator<DiskPiece> {
    for (const { offset, length } of image.wanted) {
      for (let at = offset; at < offset + length; at += MIB) {
        yield await Promise.resolve({ offset: at, bytes: Buffer.alloc(MIB, at / MIB + 1) });
      }
    }
  }
  let index = 0;
  for await (const run of image.stream(guard.taken(source()))) {
    for (const given of change(run, index++)) guard.given(given);
  }
  guard.assertSame();
}

function flip(kind: 'data' | 'table') {
  let done = false;
  return (run: ImageRun): ImageRun[] => {
    if (run.kind === kind && !done) {
      done = true;
      run.bytes[517] = (run.bytes[517] ?? 0) ^ 0x10;
    }
    return [run];
  };
}

describe('what leaves an encoder', () => {
  it.each(['raw', 'qcow2'] as const)('is what went in, at its place: %s', async (format) => {
    await judged(format, (run) => [run]);
  });

  it.each<[string, 'raw' | 'qcow2', (run: ImageRun, index: number) => ImageRun[]]>([
    ['one bit of the data of a raw image', 'raw', flip('data')],
    ['one bit of the data of a qcow2 image', 'qcow2', flip('data')],
    ['one bit of a table', 'qcow2', flip('table')],
    ['a run that is missing', 'raw', (run, index) => (index === 1 ? [] : [run])],
    ['a run that comes twice', 'raw', (run, index) => (index === 1 ? [run, run] : [run])],
    ['zeros of another length', 'raw', (run) => [run.kind === 'zeros' ? { ...run, length: run.length + 512 } : run]],
    ['a shorter piece', 'raw', (run) => [run.kind === 'data' ? { ...run, bytes: run.bytes.subarray(1) } : run]],
    ['another place', 'raw', (run) => [run.kind === 'data' ? { ...run, diskOffset: run.diskOffset + 1 } : run]],
  ])('is told where it is not: %s', async (_what, format, change) => {
    await expect(judged(format, change)).rejects.toMatchObject({ code: 'convert.content_differs' });
  });
});
