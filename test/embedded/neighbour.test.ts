import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readersFolder } from '../../src/migration/state/readers.js';
import { MIB } from '../lab/esxi/index.js';
import { filesResult } from '../support/contract.js';
import { migrateArgs, smallVm, sourceHashes, usePeers, type Lab } from '../support/embedded.js';
import { killWhen } from '../support/program.js';

/** Being a good neighbour: several that read from one host, limits, low priority. */

const peers = usePeers({
  vms: [smallVm('web01'), smallVm('large', { disks: [{ sizeBytes: 96 * MIB, mbr: true, dataBytes: 90 * MIB }] })],
});

const exportArgs = (vm: string, ...more: string[]) => [
  ...['export', '--vm', vm, '--disk-format', 'raw', '-o', 'out', '-f', 'json', '--verbose'],
  ...more,
];
const folderOf = (lab: Lab) => readersFolder(lab.stateDir, { host: lab.host.host, port: lab.host.port });

/** The nice value of every thread of a process (proc(5), field 19 of stat). */
function niceOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

describe('several that read from one host', () => {
  test('a run beside another reader takes half of the host, and its part of the limit that the other has', async () => {
    const lab = await peers.lab();
    const other = spawn('sleep', ['600']);
    await once(other, 'spawn');
    try {
      await mkdir(folderOf(lab), { recursive: true, mode: 0o700 });
      const stat = readFileSync(`/proc/${other.pid ?? 0}/stat`, 'utf8');
      const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
      await writeFile(
        join(folderOf(lab), `${other.pid ?? 0}.${started}.00000000`),
        JSON.stringify({ bandwidth: 64 * MIB, datastores: {} }),
      );
      const ended = await lab.run(exportArgs('large', '--streams', '8'));
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.stderr).toContain('4 stream(s) at the most, 32 MiB/s; other readers: 1');
      const { disks } = filesResult.parse(JSON.parse(ended.stdout));
      expect(disks.map((disk) => disk.content_hash)).toEqual(await sourceHashes(lab, 'large'));
      const shells = lab.host.commands.filter(({ command }) => command.includes('read -r i n b s c'));
      expect(shells.length).toBeGreaterThan(0);
      expect(shells.length).toBeLessThanOrEqual(4);
      // Its own place is given back; the other's is not touched.
      expect(await readdir(folderOf(lab))).toHaveLength(1);
    } finally {
      other.kill();
    }
  });

  test('the share of a run that was killed comes back', async () => {
    const lab = await peers.lab();
    await killWhen(lab.start(exportArgs('large', '--bandwidth', '2MiB/s')), () =>
      existsSync(folderOf(lab)) ? readdirSync(folderOf(lab)).length > 0 : false,
    );
    expect(await readdir(folderOf(lab))).toHaveLength(1);
    const ended = await lab.run(exportArgs('large'));
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('8 stream(s) at the most; other readers: 0');
    expect(await readdir(folderOf(lab))).toEqual([]);
  });

  test('files as they lie are read by the same share', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(['export', '--vm', 'web01', '-o', 'out', '-f', 'json', '--verbose']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('8 stream(s) at the most; other readers: 0');
    expect(await readdir(folderOf(lab))).toEqual([]);
  });
});

describe('limits of a datastore', () => {
  test('are said, kept, and refused where no disk lies on it', async () => {
    const lab = await peers.lab();
    const limits = ['--bandwidth', '64MiB/s', '--bandwidth', 'datastore1=8MiB/s'];
    const ended = await lab.run(exportArgs('web01', ...limits));
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain(
      'Reading from the host: at most 64 MiB/s from the host, at most 8 MiB/s from datastore datastore1.',
    );
    expect(ended.stderr).toContain('8 stream(s) at the most, 8 MiB/s; other readers: 0');
    const dry = await lab.run([...migrateArgs('web01'), ...limits, '--dry-run']);
    expect(dry.code, dry.stderr).toBe(0);
    expect(JSON.parse(dry.stdout)).toMatchObject({
      reading: 'at most 64 MiB/s from the host, at most 8 MiB/s from datastore datastore1',
    });
    const slip = await lab.run(exportArgs('web01', '--bandwidth', 'datastore2=8MiB/s'));
    expect(slip.code).toBe(2);
    expect(slip.stderr).toContain('no disk that moves lies on such a datastore');
    expect(slip.stderr).toContain('They lie on: datastore1.');
  });
});

describe('--low-priority', () => {
  test('reads by one stream, behind all other programs, and says so', async () => {
    const lab = await peers.lab();
    const running = lab.start(exportArgs('large', '--low-priority', '--bandwidth', '30MiB/s'));
    await expect.poll(() => running.stderr(), { timeout: 120_000 }).toContain('share of the host');
    expect(new Set(niceOf(running.child.pid ?? 0))).toEqual(new Set([19]));
    const ended = await running.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('low priority: one stream');
    expect(lab.host.commands.filter(({ command }) => command.includes('read -r i n b s c'))).toHaveLength(1);
    const more = await lab.run(exportArgs('web01', '--low-priority', '--streams', '4'));
    expect(more.code).toBe(2);
    expect(more.stderr).toContain('--low-priority reads with one stream');
  });
});
