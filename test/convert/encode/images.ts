import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { EncodedImage } from '../../../src/convert/index.js';
import { RangeList, type DiskPiece, type Range } from '../../../src/disk/index.js';

/** Pieces for an image, cut at multiples of `cut`, made by `read`. */
export async function* piecesOf(
  wanted: RangeList,
  cut: number,
  read: (offset: number, length: number) => Buffer,
): AsyncGenerator<DiskPiece, void, undefined> {
  for (const { offset, length } of wanted) {
    for (let at = offset; at < offset + length;) {
      const end = Math.min(offset + length, (Math.floor(at / cut) + 1) * cut);
      yield await Promise.resolve({ offset: at, bytes: read(at, end - at) });
      at = end;
    }
  }
}

/** Writes an image; runs of zeros, and the bytes of `hole`, become holes. Gives the bytes that its runs had. */
export async function writeImage(
  path: string,
  image: EncodedImage,
  pieces: AsyncIterable<DiskPiece>,
  hole?: Buffer,
): Promise<number> {
  const file = await open(path, 'w');
  let at = 0;
  try {
    for await (const run of image.stream(pieces)) {
      if (run.kind === 'zeros') {
        at += run.length;
        continue;
      }
      if (run.bytes !== hole) await file.write(run.bytes, 0, run.bytes.length, at);
      at += run.bytes.length;
    }
    await file.truncate(at);
  } finally {
    await file.close();
  }
  return at;
}

/** An image in memory. */
export async function collect(image: EncodedImage, pieces: AsyncIterable<DiskPiece>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const run of image.stream(pieces)) parts.push(run.kind === 'zeros' ? Buffer.alloc(run.length) : run.bytes);
  return Buffer.concat(parts);
}

/** A disk in memory: random bytes, none of them zero, in its ranges; zeros elsewhere. */
export function makeDisk(capacityBytes: number, ranges: Range[]): { disk: Buffer; data: RangeList } {
  const disk = Buffer.alloc(capacityBytes);
  for (const { offset, length } of ranges) {
    const part = disk.subarray(offset, offset + length);
    randomFillSync(part);
    for (let at = 0; at < part.length; at++) if (part[at] === 0) part[at] = 1;
  }
  return { disk, data: RangeList.from(ranges) };
}

/** The same disk as a sparse raw file, made without the encoders. */
export async function writeRaw(path: string, disk: Buffer, ranges: Range[]): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.truncate(disk.length);
    for (const { offset, length } of ranges) await file.write(disk, offset, length, offset);
  } finally {
    await file.close();
  }
}

export function qemuImg(...args: string[]): unknown {
  return JSON.parse(execFileSync('qemu-img', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Throws where `qemu-img check` finds anything (its return code is not 0 then); gives its report. */
export function check(path: string): unknown {
  return qemuImg('check', '--output=json', '-f', 'qcow2', path);
}

/** Throws where the contents differ. */
export function compare(raw: string, image: string, format: string): void {
  execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', format, raw, image], { stdio: 'pipe' });
}
