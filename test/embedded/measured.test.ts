import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { migrateArgs, resultOf, smallVm, usePeers, type Lab } from '../support/embedded.js';

/** What whole runs measure of a cloud, and what is told and chosen by it. */

const MIB = 1024 ** 2;
const CAPACITY = 256 * MIB;
// Large enough to tell something of a rate as either format, and with holes enough that qcow2 is what is smaller.
const peers = usePeers({
  vms: [smallVm('app01', { disks: [{ sizeBytes: CAPACITY, mbr: true, dataBytes: 160 * MIB, thin: true }] })],
});
const NETWORK = ['--network', 'VM Network=lab-net'];
const file = z.object({ version: z.literal(1), samples: z.array(z.record(z.string(), z.unknown())) });

/** Moves the VM, and gives the image that was made. */
async function migrated(lab: Lab, ...more: string[]) {
  const result = resultOf(await lab.run(migrateArgs('app01', '--no-start', '--again', '--via', 'glance', ...more)));
  const [id] = result.vms[0]?.image_ids ?? [];
  const image = lab.cloud.state.images.find((item) => item.id === id);
  if (!image) throw new Error('the run made no image');
  return image;
}

async function plan(lab: Lab): Promise<string> {
  const ended = await lab.run(['plan', '--vm', 'app01', ...NETWORK]);
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout;
}

describe.concurrent('what was measured of a cloud', () => {
  test('is told by the plan, and decides of the format once both are known', async () => {
    const lab = await peers.lab();
    expect(await plan(lab)).not.toContain('measured');

    // This cloud is slow to make a volume of a qcow2 image, and quick with a raw one.
    lab.cloud.settings.delays.volume = 25_000;
    const qcow2 = await migrated(lab);
    expect(qcow2.disk_format).toBe('qcow2');
    expect(await plan(lab)).toMatch(
      /measured in this cloud: qcow2 about .* until the volume is\s.*available \(1 volume\); raw is not measured yet/s,
    );
    lab.cloud.settings.delays.volume = 0;
    const raw = await migrated(lab, '--image-format', 'raw');
    expect(raw.disk_format).toBe('raw');

    const path = join(lab.stateDir, 'measured.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const { samples } = file.parse(JSON.parse(await readFile(path, 'utf8')));
    const sample = {
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      auth_url: lab.env['OS_AUTH_URL']?.replace(/\/v3$/, ''),
      region: lab.env['OS_REGION_NAME'] ?? null,
      volume_type: null,
      volume_gib: 1,
      image_seconds: expect.any(Number) as number,
      volume_seconds: expect.any(Number) as number,
    };
    expect(samples).toEqual([
      { ...sample, format: 'qcow2', image_bytes: qcow2.size },
      { ...sample, format: 'raw', image_bytes: CAPACITY },
    ]);

    const told = await plan(lab);
    expect(told).toContain('format: raw');
    expect(told.replace(/\s+#?\s*/g, ' ')).toMatch(
      /faster as measured in this cloud: qcow2 about .* \(1 volume\), raw about .* \(1 volume\)/,
    );
    expect((await migrated(lab)).disk_format).toBe('raw');
  });

  test('is not noted of an upload that was held back', async () => {
    const lab = await peers.lab();
    await migrated(lab, '--bandwidth', '100MiB/s');
    const path = join(lab.stateDir, 'measured.json');
    const { samples } = file.parse(JSON.parse(await readFile(path, 'utf8')));
    expect(samples).toMatchObject([{ format: 'qcow2', image_seconds: null }]);
  });

  test('a file made of a disk tells both rates', async () => {
    const lab = await peers.lab();
    // Held back, so that it takes long enough to tell of.
    const args = ['export', '--vm', 'app01', '--disk-format', 'raw', '--bandwidth', '64MiB/s'];
    const ended = await lab.run([...args, '--output', join(lab.dir, 'out')]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/equal to the source; .*B\/s read, .*B\/s of the disk's size/);
  });
});
