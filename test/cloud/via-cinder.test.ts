import { readdir, stat } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { journal, killWhen } from '../support/program.js';
import { runOf, volumeFile } from '../support/real-cloud.js';
import {
  PATIENCE,
  TO_LAB_NET,
  VM,
  cloudBench,
  contentHash,
  expectDone,
  firstMib,
  isZero,
  resultOf,
  sourceDisk,
} from './bench.js';

/** Without a server: what is looked at is the bytes. */
const BYTES_ONLY = ['migrate', '--vm', VM, ...TO_LAB_NET, '--via', 'cinder', '--no-start', '--yes', '-f', 'json'];
const RESUME = ['migrate', '--resume', '--vm', VM, '--yes', '-f', 'json'];
const KILL = new URL('../support/kill-at-line.mjs', import.meta.url).href;
const GIB = 1024 ** 3;
const bench = cloudBench();

/** What a run of this file that was killed has left here. */
let left: readonly string[] = [];

/** What os-brick mounted for us and nobody unmounted. */
const mounts = (): Promise<string[]> =>
  readdir('/run/stackferry').then(
    (names) => names.filter((name) => name !== 'locks' && !left.includes(name)),
    () => [],
  );

beforeAll(async () => {
  left = await mounts();
});

/** A run that is killed once its first volume holds bytes and is still attached. Its id. */
async function killedWhileWriting(): Promise<string> {
  const before = await bench.runs();
  let run = '';
  const killed = await killWhen(bench.start([...BYTES_ONLY, '--again', '--bandwidth', '2MiB/s']), async () => {
    run = [...(await bench.runs())].find((id) => !before.has(id)) ?? '';
    const made = run === '' ? [] : await journal(bench.stateDir, run).catch(() => []);
    const attachment = made.find((line) => line['kind'] === 'made' && line['resource'] === 'attachment');
    if (typeof attachment?.['name'] !== 'string') return false;
    return (await stat(volumeFile(attachment['name']))).blocks > 0;
  });
  expect(killed.signal).toBe('SIGKILL');
  expect(await bench.made(run)).toEqual({ volume: 2 });
  expect(await mounts()).toHaveLength(1);
  return run;
}

async function expectBytes(vm: ReturnType<typeof resultOf>): Promise<void> {
  for (const [index, { volume_id, capacity_bytes }] of vm.volumes.entries()) {
    const source = await contentHash(await sourceDisk(VM, index), capacity_bytes);
    expect(await contentHash(volumeFile(volume_id), capacity_bytes)).toBe(source);
    expect(await isZero(volumeFile(volume_id), capacity_bytes, GIB)).toBe(true);
    expect(await bench.cloud.show('volume', volume_id)).toMatchObject({ status: 'available' });
  }
  const mine = new Set(vm.volumes.map((volume) => volume.volume_id));
  const attachments = await bench.cloud.list('attachment');
  expect(attachments.filter((row) => mine.has(String(row['volume_id'])))).toEqual([]);
  expect(await mounts()).toEqual([]);
}

describe('migrate --via cinder: os-brick connects the volumes of a real Cinder to this machine', () => {
  test('the server boots from volumes that were written here, and no image is made', async () => {
    const ended = await bench.run([
      'migrate',
      '--vm',
      VM,
      ...TO_LAB_NET,
      ...PATIENCE,
      '--via',
      'cinder',
      '--yes',
      '-f',
      'json',
    ]);
    expectDone(ended);
    const vm = resultOf(ended);
    expect(ended.stderr).toContain('straight to the attached volumes: --via cinder, connected by os-brick');
    expect(ended.stderr).toContain('console: "lab-guest login:"');
    expect(vm.image_ids).toEqual([]);
    expect(await bench.made(vm.run)).toEqual({ server: 1, volume: 2, port: 1 });
    for (const [index, { volume_id, capacity_bytes, content_hash }] of vm.volumes.entries()) {
      const source = await contentHash(await sourceDisk(VM, index), capacity_bytes);
      expect(content_hash).toBe(source);
      // In use by the guest, which writes nothing to it.
      expect(await contentHash(volumeFile(volume_id), capacity_bytes)).toBe(source);
      expect(await isZero(volumeFile(volume_id), capacity_bytes, GIB)).toBe(true);
      const volume = await bench.cloud.show('volume', volume_id);
      expect(volume).toMatchObject({ status: 'in-use', bootable: index === 0 ? 'true' : 'false' });
      expect(volume['volume_image_metadata']).toMatchObject({
        hw_disk_bus: 'scsi',
        hw_scsi_model: 'virtio-scsi',
        os_distro: 'debian',
        min_disk: '1',
      });
    }
    const console = await bench.cloud.console(vm.server_id ?? '');
    for (const index of [0, 1]) expect(console).toContain(await firstMib(await sourceDisk(VM, index)));
    expect(await mounts()).toEqual([]);
    // Holes stay holes: a volume of 1 GiB takes what its disk holds.
    const { blocks } = await stat(volumeFile(vm.volumes[0]?.volume_id ?? ''));
    expect(blocks * 512).toBeLessThan(70 * 1024 ** 2);
    const undone = await bench.run(['rollback', vm.run, '--discard', VM, '--yes']);
    expectDone(undone);
    expect(await bench.made(vm.run)).toEqual({});
    expect(
      (await bench.cloud.list('attachment')).filter((row) => vm.volumes.some((v) => v.volume_id === row['volume_id'])),
    ).toEqual([]);
  });

  test('killed while it writes: the same command goes on, and every byte is right', async () => {
    const run = await killedWhileWriting();
    const ended = await bench.run(RESUME);
    expectDone(ended);
    const vm = resultOf(ended);
    expect(vm.run).toBe(run);
    expect(await bench.made(run)).toEqual({ volume: 2, port: 1 });
    await expectBytes(vm);
    expectDone(await bench.run(['rollback', run, '--yes']));
  });

  test('killed when a volume was written and not noted: it is proved and kept, not read from the host again', async () => {
    const ended = await bench.run([...BYTES_ONLY, '--again'], {
      NODE_OPTIONS: `--import=${KILL}`,
      KILL_WHEN: 'before',
      KILL_MATCH: '"kind":"gone".*"attachment"',
    });
    expect(ended.signal, ended.stderr).toBe('SIGKILL');
    const resumed = await bench.run(RESUME);
    expectDone(resumed);
    expect(resumed.stderr).toMatch(/disk scsi0:0 into volume .* 0 B read and written, 20 MiB there from before/);
    const vm = resultOf(resumed);
    await expectBytes(vm);
    expectDone(await bench.run(['rollback', vm.run, '--yes']));
  });

  test('killed while it writes, and rolled back: nothing is left in the cloud or mounted here', async () => {
    const before = await bench.listing();
    const run = await killedWhileWriting();
    expectDone(await bench.run(['rollback', run, '--yes']));
    const after = await bench.listing();
    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(after.filter((row) => runOf(row) === run)).toEqual([]);
    expect(await mounts()).toEqual([]);
  });
});
