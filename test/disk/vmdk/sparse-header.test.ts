import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { leastFileBytes, readSparseHeader, type ReadAt } from '../../../src/disk/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { patterned, writeCowd, writeFlat, writeSeSparse, writeStreamOptimized } from '../../support/vmdk-files.js';

const temp = tempFolders();
const MIB = 1024 * 1024;

async function least(bytes: Buffer): Promise<number> {
  const header = readSparseHeader(bytes.subarray(0, 2048), 'x');
  if (!header) throw new Error('no header');
  const readAt: ReadAt = (position, length) => Promise.resolve(bytes.subarray(position, position + length));
  return leastFileBytes(header, readAt, bytes.length, 'x');
}

/** Files of each kind, with the number of bytes at their end that no table names. */
async function files(): Promise<[string, Buffer, number][]> {
  const folder = await temp();
  const content = patterned(40 * MIB, 'base');
  const next = Buffer.from(content);
  patterned(3 * MIB, 'next').copy(next, 30 * MIB);
  const base = await writeFlat(folder, 'web', content);
  await writeCowd(folder, 'cowd', base, content, next);
  await writeSeSparse(folder, 'se', base, content, next);
  await writeStreamOptimized(join(folder, 'stream.vmdk'), next);
  execFileSync('qemu-img', [
    'convert',
    '-f',
    'raw',
    '-O',
    'vmdk',
    join(folder, 'web-flat.vmdk'),
    join(folder, 'qemu.vmdk'),
  ]);
  const read = (name: string) => readFile(join(folder, name));
  return [
    ['cowd', await read('cowd-delta.vmdk'), 0],
    ['sesparse', await read('se-sesparse.vmdk'), 0],
    ['vmdk4', await read('qemu.vmdk'), 0],
    ['stream', await read('stream.vmdk'), 0],
  ];
}

describe('leastFileBytes', () => {
  it('is the size of a whole file, and more than that of one cut short anywhere', async () => {
    for (const [name, bytes] of await files()) {
      if (name === 'stream') {
        expect(await least(bytes), name).toBeLessThanOrEqual(bytes.length);
        for (const cut of [1, 512, 1024, 2048, 4096]) {
          await expect(least(bytes.subarray(0, bytes.length - cut)), `${name} -${cut}`).rejects.toMatchObject({
            code: 'disk.bad_descriptor',
          });
        }
        continue;
      }
      expect(await least(bytes), name).toBe(bytes.length);
      for (const part of [0.999, 0.9, 0.5, 0.1, 0.01, 0]) {
        const cut = Math.min(bytes.length - 2048, Math.ceil(bytes.length * (1 - part)));
        expect(await least(bytes.subarray(0, bytes.length - cut)), `${name} -${cut}`).toBeGreaterThan(
          bytes.length - cut,
        );
      }
    }
  });

  it('answers or gives its own error for any spoilt header', async () => {
    for (const [, bytes] of await files()) {
      await fc.assert(
        fc.asyncProperty(fc.nat(255), fc.uint8Array({ minLength: 1, maxLength: 8 }), async (at, put) => {
          const spoilt = Buffer.from(bytes.subarray(0, 300_000));
          spoilt.set(put, at);
          try {
            const header = readSparseHeader(spoilt.subarray(0, 2048), 'x');
            if (header) await least(spoilt);
          } catch (error) {
            expect(error).toBeInstanceOf(StackferryError);
          }
        }),
        { numRuns: 40 },
      );
    }
  });
});

describe('readSparseHeader', () => {
  it('knows what is no header, and refuses what cannot be one', () => {
    expect(readSparseHeader(Buffer.alloc(2048), 'x')).toBeNull();
    expect(readSparseHeader(Buffer.from('KDMV'), 'x')).toBeNull();
    const zeros = Buffer.alloc(2048);
    zeros.write('KDMV');
    expect(() => readSparseHeader(zeros, 'x')).toThrow(/impossible/);
    const cowd = Buffer.alloc(2048);
    cowd.write('COWD');
    [1, 3, 4_000_000, 1, 4, 1].forEach((value, at) => cowd.writeUInt32LE(value, 4 + at * 4));
    expect(() => readSparseHeader(cowd, 'x')).toThrow(/directory is too small/);
  });

  it('tells capacity and place of the descriptor', async () => {
    const path = join(await temp(), 's.vmdk');
    await writeStreamOptimized(path, patterned(MIB, 's'));
    expect(readSparseHeader((await readFile(path)).subarray(0, 2048), 'x')).toMatchObject({
      format: 'vmdk4',
      capacitySectors: 2048,
      compressed: true,
      directoryOffset: null,
      descriptor: { offset: 1, sectors: 20 },
    });
  });
});
