import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SparseFile, freeBytes } from '../../src/disk/index.js';
import { tempFolders } from '../support/temp-folder.js';

const temp = tempFolders();
const KIB = 1024;

describe('SparseFile', () => {
  it('holds what was written, in any order, over whatever was there', async () => {
    const folder = await temp();
    const write = fc.record({
      position: fc.integer({ min: 0, max: 400 * KIB }),
      length: fc.integer({ min: 1, max: 200 * KIB }),
      byte: fc.constantFrom(0, 0, 7),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 6 }), fc.boolean(), async (writes, keep) => {
        const path = join(folder, `f${run++}`);
        const size = 600 * KIB + 1;
        const expected = Buffer.alloc(size);
        if (keep) {
          const old = Buffer.alloc(300 * KIB, 5);
          await writeFile(path, old);
          old.copy(expected);
        }
        const file = await SparseFile.open(path, { size, keep });
        for (const { position, length, byte } of writes) {
          await file.write(position, Buffer.alloc(length, byte), true);
          expected.fill(byte, position, position + length);
        }
        await file.finish();
        await file.close();
        expect((await readFile(path)).equals(expected)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves holes', async () => {
    const path = join(await temp(), 'f');
    const file = await SparseFile.open(path, { size: 64 * 1024 * KIB, keep: false });
    const chunk = Buffer.alloc(4096 * KIB);
    chunk[2048 * KIB] = 1;
    for (let at = 0; at < 64 * 1024 * KIB; at += chunk.length)
      await file.write(at, at === 0 ? chunk : Buffer.alloc(chunk.length));
    await file.finish();
    await file.close();
    const { size, blocks } = await stat(path);
    expect(size).toBe(64 * 1024 * KIB);
    expect(blocks * 512).toBeLessThanOrEqual(128 * KIB);
  });

  it('refuses to write past its size, and names a folder that is not there', async () => {
    const folder = await temp();
    const file = await SparseFile.open(join(folder, 'f'), { size: 10, keep: false });
    await expect(file.write(5, Buffer.alloc(6))).rejects.toThrow(RangeError);
    await file.close();
    await expect(SparseFile.open(join(folder, 'no', 'f'), { size: 1, keep: false })).rejects.toMatchObject({
      code: 'file.unwritable',
    });
  });

  it('says how much space is free, also for a folder to be made', async () => {
    const folder = await temp();
    expect(await freeBytes(join(folder, 'a', 'b'))).toBeGreaterThan(0);
  });

  it('tells a full disk as converter.space, with what to do', async () => {
    const file = await SparseFile.open('/dev/full', { size: 4096 * KIB, keep: false });
    await expect(file.write(512 * KIB, Buffer.alloc(1024 * KIB, 1))).rejects.toMatchObject({
      code: 'converter.space',
      message: expect.stringContaining('up to 3.5 MiB more are needed') as string,
      hint: expect.stringContaining('--output DIR') as string,
    });
    await file.close();
  });
});
