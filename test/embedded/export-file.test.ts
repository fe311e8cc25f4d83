import { existsSync } from 'node:fs';
import { open, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { MIB } from '../lab/esxi/index.js';
import { filesResult } from '../support/contract.js';
import {
  contentHash,
  diskReads,
  expectKilled,
  expectSourceBytes,
  forEachOf,
  killAt,
  resultOf,
  smallVm,
  sourceHashes,
  usePeers,
  type Lab,
} from '../support/embedded.js';
import { journal, killWhen } from '../support/program.js';

/** `export --disk-format raw|qcow2`: from the host into an image file, in one pass. */

const LARGE = 600 * MIB;
const THIN = 160 * MIB;
const CHUNKS = LARGE / (4 * MIB);
const peers = usePeers({
  vms: [
    smallVm('web01'),
    smallVm('large', { disks: [{ sizeBytes: LARGE, mbr: true, dataBytes: 450 * MIB }] }),
    smallVm('thin', { disks: [{ sizeBytes: THIN, mbr: true, dataBytes: 2 * MIB }] }),
  ],
});

type Format = 'raw' | 'qcow2';
const exportArgs = (vm: string, format: Format, ...more: string[]) => [
  ...['export', '--vm', vm, '--disk-format', format, '-o', 'out', '-f', 'json'],
  ...more,
];

/** What the host has sent by all shells that read ranges. */
const sentByHost = (lab: Lab): number =>
  lab.host.commands
    .filter(({ command }) => command.includes('read -r i n b s c'))
    .reduce((sum, { stdoutBytes }) => sum + stdoutBytes, 0);

async function expectImages(lab: Lab, stdout: string, vm: string, format: Format): Promise<string[]> {
  const { disks } = filesResult.parse(JSON.parse(stdout));
  const wanted = await sourceHashes(lab, vm);
  expect(disks.map((disk) => disk.content_hash)).toEqual(wanted);
  for (const [index, disk] of disks.entries()) {
    expect(disk).toMatchObject({ format, bytes: (await stat(disk.path)).size });
    if (format === 'qcow2') await execa('qemu-img', ['check', '-f', 'qcow2', disk.path]);
    const raw = join(lab.dir, 'judge.raw');
    await execa('qemu-img', ['convert', '-f', format, '-O', 'raw', disk.path, raw]);
    expect(await contentHash(raw, disk.capacity_bytes)).toBe(wanted[index]);
  }
  expect((await readdir(join(lab.dir, 'out'))).filter((name) => name.endsWith('.part'))).toEqual([]);
  return disks.map((disk) => disk.path);
}

/** Flips one bit of a file. */
async function flip(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
  await file.close();
}

describe.concurrent('export into an image file', () => {
  test.each<Format>(['raw', 'qcow2'])(
    '%s: one pass, without a copy of the files, and the steps go on',
    async (format) => {
      const lab = await peers.lab();
      const ended = await lab.run(exportArgs('web01', format, '--sha256'));
      expect(ended.code, ended.stderr).toBe(0);
      const paths = await expectImages(lab, ended.stdout, 'web01', format);
      expect((await readdir(join(lab.dir, 'out'))).sort()).toEqual([`scsi0-0.${format}`, `scsi0-1.${format}`]);
      const { run, disks } = filesResult.parse(JSON.parse(ended.stdout));
      if (format === 'raw') {
        expect(disks[0]?.sha256).toBe((await execa('sha256sum', [paths[0] ?? ''])).stdout.slice(0, 64));
        expect((await stat(paths[0] ?? '')).blocks * 512).toBeLessThan(3 * MIB);
      }
      const refused = await lab.run(['convert', '--run', run ?? '']);
      expect(refused.code, refused.stderr).toBe(2);
      const next = await lab.run(['status', run ?? '', '-f', 'table']);
      expect(next.stdout).toContain(`stackferry upload --run ${run ?? ''}`);
      resultOf(await lab.run(['upload', '--run', run ?? '', '-f', 'json']));
      resultOf(await lab.run(['volume', '--run', run ?? '', '-f', 'json']));
      const server = await lab.run(['server', '--run', run ?? '', '--network', 'VM Network=lab-net', '-f', 'json']);
      await expectSourceBytes(lab, 'web01', resultOf(server));
      for (const path of paths) expect(existsSync(path)).toBe(true);
    },
  );

  test('says what it would do, and does not', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(exportArgs('web01', 'qcow2', '--dry-run'));
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toContain(join('out', 'scsi0-0.qcow2'));
    expect(sentByHost(lab)).toBe(0);
    expect(existsSync(join(lab.dir, 'out'))).toBe(false);
  });

  test('writes over nothing that is not its own', async () => {
    const lab = await peers.lab();
    await execa('mkdir', [join(lab.dir, 'out')]);
    await writeFile(join(lab.dir, 'out', 'scsi0-0.raw'), 'mine');
    const ended = await lab.run(exportArgs('web01', 'raw'));
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('(convert.file_exists)');
    expect(await readFile(join(lab.dir, 'out', 'scsi0-0.raw'), 'utf8')).toBe('mine');
  });

  test('said again, gives again what is there; what somebody wrote to is left alone', async () => {
    const lab = await peers.lab();
    const first = await lab.run(exportArgs('web01', 'raw'));
    expect(first.code, first.stderr).toBe(0);
    lab.host.resetLog();
    const again = await lab.run(exportArgs('web01', 'raw'));
    expect(again.stdout).toBe(first.stdout);
    expect(sentByHost(lab)).toBe(0);
    const path = join(lab.dir, 'out', 'scsi0-0.raw');
    await flip(path, 4096);
    const touched = await readFile(path);
    const refused = await lab.run(exportArgs('web01', 'raw'));
    expect(refused.stderr).toContain('(convert.file_exists)');
    expect((await readFile(path)).equals(touched)).toBe(true);
    // Another format is another run.
    const other = await lab.run(exportArgs('web01', 'qcow2'));
    expect(other.code, other.stderr).toBe(0);
  });

  test('compressed, it is converted from a copy as before', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(exportArgs('web01', 'qcow2', '--compress'));
    expect(ended.code, ended.stderr).toBe(0);
    expect(await readdir(join(lab.dir, 'out'))).toContain('scsi0-0');
  });

  test('holds a limit of the rate', async () => {
    const lab = await peers.lab();
    const start = Date.now();
    const args = exportArgs('web01', 'raw', '--bandwidth', '5MiB/s', '--streams', '2', '--trust-map', 'never');
    const ended = await lab.run(args);
    expect(ended.code, ended.stderr).toBe(0);
    expect(Date.now() - start).toBeGreaterThan(2500);
    await expectImages(lab, ended.stdout, 'web01', 'raw');
  });
});

describe.concurrent('export of the files as they lie', () => {
  const readOf = (lab: Lab) => diskReads(lab.host).reduce((sum, { bytes }) => sum + bytes, 0);
  const args = (...more: string[]) => ['export', '--vm', 'thin', '-o', 'out', '-f', 'json', ...more];

  test('leaves out what the block map calls empty, unless it is not to be trusted', async () => {
    const lab = await peers.lab();
    const wanted = await sourceHashes(lab, 'thin');
    const ended = await lab.run(args());
    expect(ended.code, ended.stderr).toBe(0);
    const { disks } = filesResult.parse(JSON.parse(ended.stdout));
    expect(disks.map((disk) => disk.content_hash)).toEqual(wanted);
    expect(readOf(lab)).toBeLessThan(THIN - 40 * MIB);
    const raw = join(lab.dir, 'judge.raw');
    await execa('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', disks[0]?.path ?? '', raw]);
    expect(await contentHash(raw, THIN)).toBe(wanted[0]);

    lab.host.resetLog();
    const whole = await lab.run(args('-o', 'out2', '--trust-map', 'never'));
    expect(whole.code, whole.stderr).toBe(0);
    // All of it, each byte once; the words between the ranges are counted, too.
    expect(readOf(lab)).toBeGreaterThanOrEqual(THIN);
    expect(readOf(lab)).toBeLessThan(THIN + 64 * 1024);
  });

  test('goes on after a kill, clears what has got into a hole, and holds a limit of the rate', async () => {
    const lab = await peers.lab();
    // The samples of what the map calls empty count, too.
    lab.host.faults.stallAfterBytes(12 * MIB);
    const running = lab.start(args('--streams', '1'));
    await killWhen(running, () => readOf(lab) >= 6 * MIB);
    await lab.host.faults.clear();
    const part = join(lab.dir, 'out', 'scsi0-0', 'thin-flat.vmdk.part');
    const file = await open(part, 'r+');
    await file.write(Buffer.from('not zero'), 0, 8, THIN - 32 * MIB);
    await file.close();
    const start = Date.now();
    const again = await lab.run(args('--bandwidth', '10MiB/s'));
    expect(again.code, again.stderr).toBe(0);
    const { disks } = filesResult.parse(JSON.parse(again.stdout));
    expect(disks.map((disk) => disk.content_hash)).toEqual(await sourceHashes(lab, 'thin'));
    const raw = join(lab.dir, 'judge.raw');
    await execa('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', disks[0]?.path ?? '', raw]);
    expect(await contentHash(raw, THIN)).toBe(disks[0]?.content_hash);
    expect(Date.now() - start).toBeGreaterThan(1000);
  });
});

describe('kill -9', () => {
  test('at every line of the journal: the same command ends with the same images', async () => {
    const whole = await peers.lab();
    const first = await whole.run(exportArgs('web01', 'qcow2'));
    expect(first.code, first.stderr).toBe(0);
    const lines = await journal(whole.stateDir, filesResult.parse(JSON.parse(first.stdout)).run ?? '');
    const points = lines.flatMap((line, index) => [
      { when: 'after' as const, line: index + 1 },
      ...(line['kind'] === 'step.done' ? [{ when: 'before' as const, line: index + 1 }] : []),
    ]);
    await forEachOf(points.slice(0, -1), 3, async ({ when, line }) => {
      const lab = await peers.lab();
      expectKilled(await lab.run(exportArgs('web01', 'qcow2'), killAt(when, line)));
      const again = await lab.run(exportArgs('web01', 'qcow2'));
      expect(again.code, again.stderr).toBe(0);
      await expectImages(lab, again.stdout, 'web01', 'qcow2');
    });
  }, 300_000);

  test.each<Format>(['raw', 'qcow2'])(
    'in the middle of a %s: goes on at the chunk; a chunk that was spoiled meanwhile is read again',
    async (format) => {
      const lab = await peers.lab();
      const args = exportArgs('large', format, '--streams', '2');
      lab.host.faults.stallAfterBytes(340 * MIB);
      const running = lab.start(args);
      const [run] = await until(() => readdir(join(lab.stateDir, 'runs')));
      const manifest = join(lab.stateDir, 'runs', run ?? '', 'chunks-scsi0-0');
      await killWhen(running, async () => (await knownChunks(manifest)) > 0);
      await lab.host.faults.clear();
      const part = join(lab.dir, 'out', `scsi0-0.${format}.part`);
      const marked = await readFile(part);
      const at = marked.findIndex((byte, index) => byte !== 0 && index > MIB);
      await flip(part, at);
      lab.host.resetLog();
      const again = await lab.run(args);
      expect(again.code, again.stderr).toBe(0);
      await expectImages(lab, again.stdout, 'large', format);
      expect(sentByHost(lab)).toBeGreaterThan(0);
      expect(sentByHost(lab)).toBeLessThan(LARGE - 200 * MIB);
    },
    120_000,
  );
});

/** Whether a bit is set at the end of a manifest. */
async function knownChunks(path: string): Promise<number> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return bytes.subarray(4096 + 3 * CHUNKS + 8 * Math.ceil(CHUNKS / 64)).some((byte) => byte !== 0) ? 1 : 0;
}

async function until<T>(look: () => Promise<T[]>): Promise<T[]> {
  for (let tries = 0; tries < 2000; tries++) {
    const found = await look().catch(() => []);
    if (found.length > 0) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it has not come');
}
