import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { MIB } from '../lab/esxi/index.js';
import { contentHash, diskReads, smallVm, sourceHashes, usePeers, type Lab } from '../support/embedded.js';

/** `export --output -`: one disk's image on stdout, behind which programs of the system read. */

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const LARGE = 600 * MIB;
const THIN = 160 * MIB;
const peers = usePeers({
  vms: [
    smallVm('web01'),
    smallVm('large', { disks: [{ sizeBytes: LARGE, mbr: true, dataBytes: 300 * MIB }] }),
    smallVm('thin', { disks: [{ sizeBytes: THIN, mbr: true, dataBytes: 2 * MIB }] }),
    smallVm('late', { disks: [{ sizeBytes: 12 * MIB, mbr: true, dataBytes: 8 * MIB }] }),
    smallVm('one', { disks: [{ sizeBytes: 9 * MIB, mbr: true, dataBytes: MIB }] }),
  ],
});

/** A line of bash with `$CLI` for the program; fails where any part of a pipe does. */
async function shell(lab: Lab, line: string): Promise<{ code: number | undefined; stdout: string; stderr: string }> {
  const env = { ...lab.env, PATH: process.env['PATH'] ?? '', CLI: `${process.execPath} ${CLI}` };
  const ended = await execa('bash', ['-c', `set -o pipefail; ${line}`], {
    env,
    extendEnv: false,
    cwd: lab.dir,
    reject: false,
    stdin: 'ignore',
  });
  return { code: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr };
}

const toStdout = (vm: string, format: string, disk: string | null = 'scsi0:0') =>
  `$CLI export --vm ${vm} ${disk === null ? '' : `--disk ${disk}`} --disk-format ${format} --output -`;

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

describe.concurrent('export to stdout', () => {
  test('raw: what a reader gets is the disk, its content hash is on stderr, and no run is left', async () => {
    const lab = await peers.lab();
    const ended = await shell(lab, `${toStdout('web01', 'raw', 'scsi0:1')} | tee out.raw | sha256sum`);
    expect(ended.code, ended.stderr).toBe(0);
    const path = join(lab.dir, 'out.raw');
    expect((await stat(path)).size).toBe(5 * MIB + 512);
    const [, wanted] = await sourceHashes(lab, 'web01');
    expect(await contentHash(path, 5 * MIB + 512)).toBe(wanted);
    expect(ended.stdout).toBe(`${await sha256(path)}  -`);
    expect(ended.stderr.split('\n').at(-1)).toBe(`hash     scsi0:1  ${wanted ?? ''}`);
    expect(ended.stderr).toMatch(/recheck .* unchanged since the copy began/);
    expect(await readdir(lab.stateDir).catch(() => [])).not.toContain('runs');
  });

  test('qcow2: whole by qemu-img, also where stdout is a file; only what holds data is read', async () => {
    const lab = await peers.lab();
    const ended = await shell(lab, `${toStdout('thin', 'qcow2', null)} --quiet > out.qcow2`);
    expect(ended.code, ended.stderr).toBe(0);
    const path = join(lab.dir, 'out.qcow2');
    await execa('qemu-img', ['check', '-f', 'qcow2', path]);
    const raw = join(lab.dir, 'judge.raw');
    await execa('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, raw]);
    const [wanted] = await sourceHashes(lab, 'thin');
    expect(await contentHash(raw, THIN)).toBe(wanted);
    // Quiet, and still told: it is what the command is for.
    expect(ended.stderr.split('\n').at(-1)).toBe(`hash     scsi0:0  ${wanted ?? ''}`);
    expect((await stat(path)).size).toBeLessThan(80 * MIB);
  });

  test('a reader that reads slowly holds back what is read of the host', async () => {
    const lab = await peers.lab();
    const sent = () => lab.host.commands.reduce((sum, { stdoutBytes }) => sum + stdoutBytes, 0);
    const child = lab.start(['export', '--vm', 'large', '--disk-format', 'raw', '--output', '-', '--streams', '1']);
    child.child.stdout?.pause();
    await expect.poll(() => child.stderr(), { timeout: 120_000 }).toMatch(/source /);
    await expect.poll(sent, { timeout: 120_000 }).toBeGreaterThan(MIB);
    // What is not taken is not read: the same is sent, look after look.
    let before = -1;
    await expect
      .poll(
        () => {
          const now = sent();
          const still = now === before;
          before = now;
          return still;
        },
        { timeout: 120_000, interval: 1000 },
      )
      .toBe(true);
    expect(before).toBeLessThan(200 * MIB);
    // A stop is heard although the reader is stuck, and nobody waits for it.
    child.child.kill('SIGINT');
    child.child.stdout?.resume();
    const ended = await child.ended;
    expect(ended.code, ended.stderr).toBe(130);
  });

  test('a reader that goes away is an error in words, and the whole is none', async () => {
    const lab = await peers.lab();
    const ended = await shell(
      lab,
      `${toStdout('large', 'raw')} 2>err.txt | head -c 100000 >/dev/null; echo "\${PIPESTATUS[0]}"`,
    );
    expect(ended.stdout).toBe('1');
    const told = await shell(lab, 'cat err.txt');
    expect(told.stdout).toContain('(export.reader_gone)');
    expect(told.stdout).not.toMatch(/ {4}at |EPIPE|sha256-4m/);
  });

  test('a disk that gets full is an error in words', async () => {
    const lab = await peers.lab();
    const ended = await shell(lab, `ulimit -f 1000; trap '' XFSZ; ${toStdout('web01', 'raw')} > out.raw`);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('(export.write_failed)');
    expect(ended.stderr).not.toContain('sha256-4m');
    const full = await shell(lab, `${toStdout('one', 'raw')} > /dev/full`);
    expect([full.code, full.stderr]).toEqual([
      1,
      expect.stringContaining('stdout takes no more, after 0 of') as string,
    ]);
  });

  test('a source that is started meanwhile ends with an error, whatever was sent', async () => {
    const lab = await peers.lab();
    lab.host.faults.bytesPerSecond(MIB);
    const args = ['export', '--vm', 'late', '--disk-format', 'raw', '--output', '-'];
    const running = lab.start(args);
    await expect.poll(() => diskReads(lab.host).length, { timeout: 120_000 }).toBeGreaterThan(0);
    await lab.tree.setPower('late', 'on');
    await lab.host.faults.clear();
    const ended = await running.ended;
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('(vm.changed_during_copy)') as string]);
    expect(ended.stderr).not.toContain('sha256-4m');
  });

  test.each([
    ['vmdk', toStdout('web01', 'vmdk'), 'The files of a disk are several'],
    ['two disks', toStdout('web01', 'raw', null), '--disk scsi0:0, or --disk scsi0:1'],
    ['two disks by name', `${toStdout('web01', 'raw')} --disk scsi0:1`, 'stdout takes one'],
    ['a format', `${toStdout('web01', 'raw')} -f json`, '--format does not go together with --output -'],
    ['compressed', `${toStdout('web01', 'qcow2')} --compress`, '--compress does not go together with --output -'],
    ['sha256', `${toStdout('web01', 'raw')} --sha256`, '--sha256 does not go together with --output -'],
    ['convert', '$CLI convert x.vmdk --output - -f json', 'qemu-img writes an image here and there'],
  ])('refuses %s, and writes nothing to stdout', async (_what, line, said) => {
    const lab = await peers.lab();
    const ended = await shell(lab, line.includes('| ') ? line : `${line} | cat`);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining(said) as string]);
    expect(ended.stdout).toBe('');
  });

  test('refuses a terminal', async () => {
    const lab = await peers.lab();
    const ended = await shell(lab, `script -qec '${toStdout('one', 'raw')}' /dev/null </dev/null`);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toContain('Stdout is a terminal');
  });

  test('says on stderr what it would do, and does not', async () => {
    const lab = await peers.lab();
    const ended = await shell(lab, `${toStdout('one', 'raw')} --dry-run | cat`);
    expect([ended.code, ended.stdout]).toEqual([0, '']);
    expect(ended.stderr).toContain('raw image of scsi0:0');
  });
});
