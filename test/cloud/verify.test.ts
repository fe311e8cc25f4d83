import { open } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { imageFile, volumeFile } from '../support/real-cloud.js';
import { TO_LAB_NET, VM, cloudBench, expectDone, resultOf } from './bench.js';

/** `verify` against a real Glance, and a real Cinder whose volumes os-brick connects to this machine. */

const bench = cloudBench();
const CHUNK = 4 * 1024 ** 2;
const MIGRATE = ['migrate', '--vm', VM, ...TO_LAB_NET, '--no-start', '--again', '--yes', '-f', 'json'];
const checksSchema = z.object({
  checks: z.array(
    z.object({
      label: z.string(),
      side: z.string(),
      state: z.string(),
      first_difference: z.object({ offset_bytes: z.number() }).nullable(),
    }),
  ),
});

async function migrated(...more: string[]) {
  const ended = await bench.run([...MIGRATE, ...more]);
  expectDone(ended);
  return resultOf(ended);
}

async function verify(code: number, ...args: string[]) {
  const ended = await bench.run(['verify', ...args, '-f', 'json']);
  expect(ended.code, ended.stderr).toBe(code);
  return checksSchema.parse(JSON.parse(ended.stdout)).checks;
}

const shape = (checks: Awaited<ReturnType<typeof verify>>) =>
  checks.map(({ label, side, state }) => [label, side, state].join(' '));

/** Flips one bit of the second chunk where the cloud keeps its bytes. */
async function flip(path: string): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, CHUNK + 100);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, CHUNK + 100);
  await file.close();
}

describe('verify', () => {
  test('reads the source and attached volumes, finds one flipped bit, and leaves nothing attached', async () => {
    const { run, volumes } = await migrated('--via', 'cinder');
    const [first = '', ...others] = volumes.map((volume) => volume.volume_id);
    expect(shape(await verify(0, run, '--source', '--target'))).toEqual([
      'scsi0:0 source equal',
      'scsi0:0 target equal',
      'scsi0:1 source equal',
      'scsi0:1 target equal',
    ]);
    await flip(volumeFile(first));
    const [spoiled, ...rest] = await verify(1, run);
    expect(spoiled).toMatchObject({ state: 'differs', first_difference: { offset_bytes: CHUNK } });
    expect(shape(rest)).toEqual(['scsi0:1 target equal']);
    const attached = (await bench.cloud.list('attachment')).map((row) => row['volume_id']);
    for (const id of [first, ...others]) {
      expect(attached).not.toContain(id);
      expect(await bench.cloud.show('volume', id)).toMatchObject({ status: 'available' });
    }
  });

  test('reads raw images back from Glance, and finds one flipped bit in its store', async () => {
    const { run, image_ids: images } = await migrated('--via', 'glance', '--image-format', 'raw');
    // What Cinder made of an image is not attached to look.
    const good = ['scsi0:0', 'scsi0:1'].flatMap((disk) => [`${disk} target equal`, `${disk} target not_verified`]);
    expect(shape(await verify(0, run))).toEqual(good);
    await flip(imageFile(images[0] ?? ''));
    const spoiled = (await verify(1, run)).filter(({ state }) => state === 'differs');
    expect(spoiled).toMatchObject([{ label: 'scsi0:0', first_difference: { offset_bytes: CHUNK } }]);
  });
});
