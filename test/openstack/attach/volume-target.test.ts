import { appendFile, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { VolumeTarget } from '../../../src/openstack/attach/index.js';
import { failure } from '../support/connect.js';
import { testContext } from '../support/context.js';
import { tempFolders } from '../../support/temp-folder.js';

const tempFolder = tempFolders();
const MIB = 1024 ** 2;
const of = { name: 'volume web01', bytes: 16 * MIB };

async function sparse(bytes = of.bytes): Promise<string> {
  const path = join(await tempFolder(), 'volume');
  await writeFile(path, '');
  await truncate(path, bytes);
  return path;
}

async function target(path: string): Promise<VolumeTarget> {
  const opened = await VolumeTarget.open(testContext(), path, of);
  onTestFinished(() => opened.close());
  return opened;
}

test('a sparse file of a new volume is untouched, and takes only what is written', async () => {
  const path = await sparse();
  const volume = await target(path);
  expect(volume.isUntouched).toBe(true);
  await volume.write(5 * MIB, Buffer.alloc(4096, 7));
  await volume.zero(0, 5 * MIB);
  await volume.forget();
  const back = Buffer.alloc(4096);
  await volume.read(5 * MIB, back);
  expect(back.equals(Buffer.alloc(4096, 7))).toBe(true);
  // Zeros over a hole stay a hole.
  expect((await stat(path)).blocks * 512).toBeLessThan(64 * 1024);
});

test('what lay there before is made zeros, at any place and length, and nothing beside it', async () => {
  const path = await sparse();
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(of.bytes, 0xaa));
  await file.close();
  const volume = await target(path);
  expect(volume.isUntouched).toBe(false);
  await volume.zero(1000, 9 * MIB + 3);
  const all = await readFile(path);
  const end = 1000 + 9 * MIB + 3;
  expect(all.subarray(0, 1000).every((byte) => byte === 0xaa)).toBe(true);
  expect(all.subarray(1000, end).every((byte) => byte === 0)).toBe(true);
  expect(all.subarray(end).equals(Buffer.alloc(of.bytes - end, 0xaa))).toBe(true);
});

test.each([-512, 1, 4096])('a file that is %i bytes off is not the volume, and is not written to', async (more) => {
  const path = await sparse(of.bytes + more);
  const error = await failure(VolumeTarget.open(testContext(), path, of));
  expect(error.code).toBe('cloud.attach_failed');
  expect(error.message).toContain(`${of.bytes + more} bytes, and the volume ${of.bytes}`);
});

test('folders, character devices and what is not there are refused', async () => {
  for (const path of [await tempFolder(), '/dev/null', '/dev/nothing-here']) {
    expect((await failure(VolumeTarget.open(testContext(), path, of))).code).toBe('cloud.attach_failed');
  }
});

test('nothing is written past the end, and a file that was cut meanwhile is an error', async () => {
  const path = await sparse();
  const volume = await target(path);
  await expect(volume.write(of.bytes - 10, Buffer.alloc(11))).rejects.toThrow(RangeError);
  await truncate(path, 8 * MIB);
  expect((await failure(volume.read(8 * MIB, Buffer.alloc(16)))).code).toBe('cloud.volume_io');
  await appendFile(path, '');
});
