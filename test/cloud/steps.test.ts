import { stat } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Ended } from '../support/program.js';
import {
  MIGRATE,
  PATIENCE,
  TO_LAB_NET,
  VM,
  cloudBench,
  contentHash,
  expectDone,
  resultOf,
  sourceDisk,
  type VmResult,
} from './bench.js';
import { pictureOf } from './picture.js';

interface Files {
  run: string;
  disks: { label: string; path: string; format: string; capacity_bytes: number; content_hash: string }[];
}
const filesOf = ({ stdout }: Ended) => JSON.parse(stdout) as Files;

const bench = cloudBench();

describe('the five steps one after another, and migrate', () => {
  let exported: Files;
  let converted: Files;
  let steps: VmResult & { run: string };
  let bySteps: unknown;
  let byMigrate: unknown;

  async function step(...args: string[]): Promise<Ended> {
    const ended = await bench.run([...args, '-f', 'json']);
    expectDone(ended);
    return ended;
  }

  beforeAll(async () => {
    exported = filesOf(await step('export', '--vm', VM, '--output', bench.path('export')));
    const { run } = exported;
    converted = filesOf(await step('convert', '--run', run));
    await step('upload', '--run', run);
    await step('volume', '--run', run);
    steps = resultOf(await step('server', '--run', run, ...TO_LAB_NET, ...PATIENCE));
    bySteps = await pictureOf(bench, steps);
    // The MAC is kept by both, so the one must have gone before the other comes.
    expectDone(await bench.run(['rollback', run, '--discard', VM]));

    const ended = await bench.run(MIGRATE);
    expectDone(ended);
    byMigrate = await pictureOf(bench, resultOf(ended));
  });

  test('give the same server, volumes, images, ports, properties and bytes', () => {
    expect(bySteps).toEqual(byMigrate);
  });

  test('what is compared is not empty', () => {
    expect(bySteps).toMatchObject({
      server: { name: VM, status: 'ACTIVE', metadata: { stackferry_run: 'RUN' } },
      volumes: [{ id: 'VOLUME scsi0:0', volume_image_metadata: { image_id: 'IMAGE 0' } }, { id: 'VOLUME scsi0:1' }],
      ports: [{ id: 'PORT ethernet0', device_id: 'SERVER' }],
      images: [{ hw_disk_bus: 'scsi', os_hash_algo: 'sha512' }, { status: 'active' }],
    });
  });

  test.each([0, 1])('disk %i: each step says the hash of the source', async (index) => {
    const source = await sourceDisk(VM, index);
    const { size } = await stat(source);
    const hash = await contentHash(source, size);
    expect(exported.disks[index]).toMatchObject({ format: 'vmdk', capacity_bytes: size, content_hash: hash });
    expect(converted.disks[index]).toMatchObject({ format: 'raw', capacity_bytes: size, content_hash: hash });
    expect(steps.volumes[index]).toMatchObject({ capacity_bytes: size, content_hash: hash });
  });

  test('the files that --output asked for stay, also after the rollback', async () => {
    for (const { path } of exported.disks) {
      expect(path.startsWith(bench.path('export'))).toBe(true);
      expect((await stat(path)).isFile()).toBe(true);
    }
  });
});
