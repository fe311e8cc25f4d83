import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RangeList, openStreamOptimized, type DiskSource } from '../../../src/disk/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { patterned, writeStreamOptimized } from '../../support/vmdk-files.js';
import { MemoryBytes } from './reading.js';

const MIB = 1024 ** 2;
const folders = tempFolders();

async function read(disk: DiskSource, wanted: RangeList): Promise<Buffer> {
  const out = Buffer.alloc(disk.capacityBytes);
  for await (const { offset, bytes } of disk.pieces(wanted)) bytes.copy(out, offset);
  return out;
}

const whole = (disk: DiskSource) => RangeList.from([{ offset: 0, length: disk.capacityBytes }]);

async function written(content: Buffer): Promise<{ folder: string; bytes: Buffer }> {
  const folder = await folders();
  await writeStreamOptimized(join(folder, 'd.vmdk'), content);
  return { folder, bytes: await readFile(join(folder, 'd.vmdk')) };
}

describe('openStreamOptimized', () => {
  it('reads its own writer, by ranges and whole, and names only what holds data', async () => {
    const content = patterned(9 * MIB + 512, 'packed');
    const { bytes } = await written(content);
    const disk = await openStreamOptimized(new MemoryBytes('d.vmdk', bytes));
    expect(disk.capacityBytes).toBe(content.length);
    expect(disk.descriptor?.createType).toBe('streamOptimized');
    const data = await disk.dataRanges();
    expect(data.bytes).toBeLessThan(content.length);
    expect((await read(disk, data)).equals(content)).toBe(true);
    expect((await read(disk, whole(disk))).equals(content)).toBe(true);
  });

  it('reads the form of qemu-img, with its tables in front', async () => {
    const folder = await folders();
    const content = patterned(5 * MIB, 'qemu');
    await writeFile(join(folder, 'd.raw'), content);
    execFileSync('qemu-img', [
      ...['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized'],
      ...[join(folder, 'd.raw'), join(folder, 'd.vmdk')],
    ]);
    const disk = await openStreamOptimized(new MemoryBytes('d.vmdk', await readFile(join(folder, 'd.vmdk'))));
    expect((await read(disk, await disk.dataRanges())).equals(content)).toBe(true);
  });

  it('gives any part of the disk, whatever the range', async () => {
    const content = patterned(3 * MIB, 'parts');
    const { bytes } = await written(content);
    const disk = await openStreamOptimized(new MemoryBytes('d.vmdk', bytes));
    await fc.assert(
      fc.asyncProperty(fc.nat(content.length - 1), fc.nat(300_000), async (offset, most) => {
        const length = Math.min(most + 1, content.length - offset);
        const found: Buffer[] = [];
        for await (const piece of disk.pieces(RangeList.from([{ offset, length }]))) found.push(piece.bytes);
        expect(Buffer.concat(found).equals(content.subarray(offset, offset + length))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a file that was cut short anywhere', async () => {
    const { bytes } = await written(patterned(2 * MIB, 'cut'));
    for (const keep of [100, 600, 70_000, bytes.length >> 1, bytes.length - 512, bytes.length - 1024]) {
      const cut = new MemoryBytes('d.vmdk', bytes.subarray(0, keep));
      await expect(openStreamOptimized(cut), String(keep)).rejects.toMatchObject({
        code: expect.stringMatching(/^disk\.(short_file|bad_descriptor)$/) as string,
      });
    }
  });

  it('refuses tables that name a place twice, a place that is none, or another grain', async () => {
    const content = Buffer.alloc(4 * 65536, 1);
    const { bytes } = await written(content);
    // The one table follows the grains, its marker one sector before it; the directory names it.
    const directoryAt = Number(bytes.readBigUInt64LE(bytes.length - 1024 + 56)) * 512;
    const tableAt = bytes.readUInt32LE(directoryAt) * 512;
    const change = async (index: number, value: number) => {
      const bad = Buffer.from(bytes);
      bad.writeUInt32LE(value, tableAt + index * 4);
      const disk = await openStreamOptimized(new MemoryBytes('d.vmdk', bad));
      return read(disk, await disk.dataRanges());
    };
    const [first, second] = [bytes.readUInt32LE(tableAt), bytes.readUInt32LE(tableAt + 4)];
    await expect(change(1, first)).rejects.toMatchObject({ code: 'disk.bad_descriptor' });
    await expect(change(0, 0x7fffffff)).rejects.toMatchObject({ code: 'disk.short_file' });
    await expect(change(0, directoryAt / 512)).rejects.toMatchObject({ code: 'disk.bad_descriptor' });
    await expect(change(9, second + 1)).rejects.toMatchObject({ code: 'disk.bad_descriptor' });
    const other = Buffer.from(bytes);
    other.writeBigUInt64LE(9999n * 128n, first * 512);
    const disk = await openStreamOptimized(new MemoryBytes('d.vmdk', other));
    await expect(read(disk, whole(disk))).rejects.toThrow(/says that it is the disk's/);
    expect((await change(0, 0)).subarray(0, 65536).equals(Buffer.alloc(65536))).toBe(true);
  });
});
