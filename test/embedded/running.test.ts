import { open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { GIB } from '../../src/core/index.js';
import { MIB, type BuiltVm } from '../lab/esxi/index.js';
import { expectKilled, forEachOf, killAt, smallVm, usePeers, type Lab } from '../support/embedded.js';
import { journal } from '../support/program.js';

/** A VM that is copied while it runs: what comes of it, and that nothing of it stays on the host, however it ends. */

const disks = [{ sizeBytes: MIB, mbr: true, dataBytes: 256 * 1024 }, { sizeBytes: MIB + 512 }];
const running = (name: string, more: Parameters<typeof smallVm>[1] = {}) =>
  smallVm(name, { power: 'on', disks, ...more });
const KILLED = Array.from({ length: 36 }, (_, index) => `killed${index}`);
const peers = usePeers({
  datastores: [{ name: 'datastore1' }, { name: 'full', freeBytes: 200 * MIB }, { name: 'tight', freeBytes: GIB + MIB }],
  vms: [
    ...['web 01', 'staged', 'stop', 'slow', 'refused', 'broken', 'stuck', 'again'].map((name) => running(name)),
    running('full', { datastore: 'full' }),
    running('tight', { datastore: 'tight', disks: [{ sizeBytes: 4 * MIB, dataBytes: 3 * MIB, thin: false }] }),
    running('apart', { disks: [{ sizeBytes: MIB }, { sizeBytes: MIB, mode: 'independent_persistent' }] }),
    running('snapped', { disks: [{ sizeBytes: MIB }], snapshots: [{ name: 'mine' }] }),
    ...KILLED.map((name) => running(name)),
  ],
});

const copyArgs = (name: string, dir: string, ...more: string[]) => {
  const to = ['--output', dir, '--disk-format', 'raw', '-f', 'json'];
  return ['export', '--vm', name, '--while-running', ...to, ...more];
};

/** A file of the embedded host's own, which makes the VM's snapshots fail. */
const knob = (lab: Lab, { id }: BuiltVm, name: string) => join(lab.tree.dir, 'etc/lab/vms', String(id), name);
const cloneFaults = (lab: Lab) => join(lab.tree.dir, 'etc/lab/clone-faults');

/** Commands that reached the host and change something there. */
const changes = (lab: Lab) =>
  lab.host.commands
    .map(({ command }) => command)
    .filter((command) => /^'(mkdir|rm|rmdir)'|vmsvc\/snapshot\.(create|remove)|vmkfstools' '-i'/.test(command));

async function folders(lab: Lab): Promise<string[]> {
  const stores = ['datastore1', 'full', 'tight'].map((name) => lab.tree.local(`/vmfs/volumes/${name}`));
  const names = (await Promise.all(stores.map((store) => readdir(store)))).flat();
  return names.filter((name) => name.startsWith('stackferry-'));
}

/** Nothing of this run is on the host, and the VM runs on its own files. */
async function expectClean(lab: Lab, name: string, run?: string): Promise<void> {
  const vm = lab.tree.vm(name);
  expect(await readFile(knob(lab, vm, 'snapshot.get'), 'utf8')).toBe('Get Snapshot:\n');
  expect(await readFile(vm.vmxFile, 'utf8')).not.toContain('-000001.vmdk');
  expect((await folders(lab)).filter((folder) => run === undefined || folder.includes(run))).toEqual([]);
}

const contentOf = (vm: BuiltVm) => Promise.all(vm.disks.map(({ extents }) => readFile(extents[0] ?? '')));

async function expectContent(dir: string, wanted: Buffer[]): Promise<void> {
  const files = (await readdir(dir)).filter((name) => name.endsWith('.raw')).sort();
  const read = await Promise.all(files.map((name) => readFile(join(dir, name))));
  expect(read.map((bytes, index) => bytes.equals(wanted[index] ?? Buffer.alloc(0)))).toEqual(wanted.map(() => true));
}

/** The guest: writes to whatever file its VM runs on, again and again, from the moment that its snapshot is there. */
async function writeAsGuest(lab: Lab, vm: BuiltVm, over: AbortSignal): Promise<Set<string>> {
  const written = new Set<string>();
  const taken = () =>
    lab.host.commands.some(({ command, exitCode }) => exitCode === 0 && command.includes('snapshot.create'));
  while (!taken() && !over.aborted) await sleep(2);
  while (!over.aborted) {
    const onDelta = (await readFile(vm.vmxFile, 'utf8')).includes('-000001.vmdk');
    for (const { extents } of vm.disks) {
      const file = onDelta ? (extents[0] ?? '').replace('-flat.vmdk', '-000001-sesparse.vmdk') : (extents[0] ?? '');
      const handle = await open(file, 'r+').catch(() => null); // it may be gone by now
      await handle?.write(Buffer.alloc(4096, 0x77), 0, 4096, 8192);
      await handle?.close();
      if (handle) written.add(onDelta ? 'delta' : 'own file');
    }
    await sleep(2);
  }
  return written;
}

const runOf = async (lab: Lab) => (await readdir(join(lab.stateDir, 'runs')))[0] ?? '';

describe('a running VM is copied', () => {
  test('as it was when the snapshot was taken, while its guest writes on', async () => {
    const lab = await peers.lab();
    const vm = lab.tree.vm('web 01');
    const before = await contentOf(vm);
    const over = new AbortController();
    const guest = writeAsGuest(lab, vm, over.signal);
    const out = join(lab.dir, 'out');
    const ended = await lab.run(copyArgs('web 01', out));
    over.abort();
    expect(ended.code, ended.stderr).toBe(0);
    expect([...(await guest)].sort()).toEqual(['delta', 'own file']);
    await expectContent(out, before);
    expect((await contentOf(vm))[0]?.equals(before[0] ?? Buffer.alloc(0))).toBe(false);
    expect(await lab.tree.power('web 01')).toBe('on');
    await expectClean(lab, 'web 01');
    // The snapshot was gone before the first byte was read.
    const order = lab.host.commands.map(({ command }) => command);
    const removed = order.findIndex((command) => command.includes('snapshot.remove'));
    const read = order.findIndex((command) => /dd if=.*stackferry-r/s.test(command) || command.startsWith('set -- '));
    expect(removed).toBeGreaterThan(0);
    expect(read === -1 || read > removed).toBe(true);

    const { run } = JSON.parse(ended.stdout) as { run: string };
    const server = await lab.run(['server', '--run', run, '--network', '*=lab-net']);
    expect(server.code).toBe(3);
    expect(server.stderr).toContain('(vm.copied_while_running)');
  });

  test('as its files, quiesced, and with the commands shown before', async () => {
    const lab = await peers.lab();
    const args = ['export', '--vm', 'staged', '--while-running', '--quiesce', '--output', join(lab.dir, 'out')];
    const shown = await lab.run([...args, '--dry-run', '-f', 'json']);
    expect(shown.code, shown.stderr).toBe(0);
    expect(changes(lab)).toEqual([]);
    expect(shown.stdout).toMatch(/snapshot\.create \d+ stackferry-\S+ … 0 1/);
    const ended = await lab.run(args);
    expect(ended.code, ended.stderr).toBe(0);
    expect(changes(lab).find((command) => command.includes('snapshot.create'))).toMatch(/ '0' '1'$/);
    const flat = await readFile(join(lab.dir, 'out/scsi0-0/scsi0-0-flat.vmdk'));
    expect(flat.equals((await contentOf(lab.tree.vm('staged')))[0] ?? Buffer.alloc(0))).toBe(true);
    await expectClean(lab, 'staged');
  });

  test('again, as it is then', async () => {
    const lab = await peers.lab();
    const vm = lab.tree.vm('again');
    for (const out of ['one', 'two']) {
      const before = await contentOf(vm);
      const ended = await lab.run(copyArgs('again', join(lab.dir, out)));
      expect(ended.code, ended.stderr).toBe(0);
      await expectContent(join(lab.dir, out), before);
      const handle = await open(vm.disks[0]?.extents[0] ?? '', 'r+');
      await handle.write(Buffer.alloc(4096, 0x55), 0, 4096, 4096);
      await handle.close();
    }
  });
});

describe('is refused, with nothing made on the host', () => {
  test.each([
    ['full', [], 'host.space', /full has 200 MiB free and needs/],
    ['tight', [], 'host.space', /tight has .* free and needs .* for the clones of 1 disk\(s\) and 1 GiB to stay free/],
    ['apart', [], 'disk.independent', /scsi0:1 is independent persistent/],
    ['snapped', [], 'vm.snapshots', /it has 1 snapshot\(s\) already/],
    ['refused', ['--power-off'], 'usage', /either copied while it runs or shut down/],
  ] as const)('%s', async (name, more, code, message) => {
    const lab = await peers.lab();
    const ended = await lab.run(copyArgs(name, join(lab.dir, 'out'), ...more));
    expect(ended.code).toBe(code === 'usage' ? 2 : 3);
    expect(ended.stderr).toMatch(message);
    if (code !== 'usage') expect(ended.stderr).toContain(`(${code})`);
    expect(changes(lab)).toEqual([]);
  });

  test('but for the clones on another datastore, and for the disks that take part', async () => {
    const lab = await peers.lab();
    for (const [name, ...more] of [
      ['tight', '--clone-datastore', 'datastore1'],
      ['apart', '--disk', 'scsi0:0'],
    ] as const) {
      const ended = await lab.run(copyArgs(name, join(lab.dir, name), ...more));
      expect(ended.code, ended.stderr).toBe(0);
      await expectClean(lab, name);
    }
  });
});

describe('nothing stays on the host', () => {
  test('when the snapshot cannot be taken', async () => {
    const lab = await peers.lab();
    const fail = knob(lab, lab.tree.vm('refused'), 'fail.create');
    await writeFile(fail, 'The operation is not allowed in the current state.');
    const ended = await lab.run(copyArgs('refused', join(lab.dir, 'out')));
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('No snapshot of refused could be taken: The operation is not allowed');
    await expectClean(lab, 'refused', await runOf(lab));
    await rm(fail);
    const again = await lab.run(copyArgs('refused', join(lab.dir, 'out')));
    expect(again.code, again.stderr).toBe(0);
  });

  test('when a clone fails on its way', async () => {
    const lab = await peers.lab();
    await writeFile(cloneFaults(lab), 'fail /vmfs/volumes/datastore1/broken/broken_1.vmdk\n');
    const ended = await lab.run(copyArgs('broken', join(lab.dir, 'out')));
    await rm(cloneFaults(lab));
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('Disk scsi0:1 could not be cloned on the host: Failed to clone disk: No space left');
    await expectClean(lab, 'broken', await runOf(lab));
  });

  test('at Ctrl-C in the middle of a clone, which ends with it', async () => {
    const lab = await peers.lab();
    await writeFile(cloneFaults(lab), 'hang /vmfs/volumes/datastore1/stop/stop_1.vmdk\n');
    const program = lab.start(copyArgs('stop', join(lab.dir, 'out')));
    const cloning = () => lab.host.commands.filter(({ command }) => command.includes("'vmkfstools' '-i'"))[1];
    while (!(await folders(lab)).length || (cloning()?.stdoutBytes ?? 0) < 20) await sleep(5);
    program.child.kill('SIGINT');
    const ended = await program.ended;
    await rm(cloneFaults(lab));
    expect(ended.code, ended.stderr).toBe(130);
    expect(cloning()?.exitCode).not.toBeNull();
    await expectClean(lab, 'stop', await runOf(lab));
  });

  test('at Ctrl-C while the clones are read; the next run copies it anew', async () => {
    const lab = await peers.lab();
    const program = lab.start(copyArgs('slow', join(lab.dir, 'out'), '--bandwidth', '50KiB/s'));
    const reading = () => lab.host.commands.some(({ command }) => /^set -- .*stackferry-/s.test(command));
    while (!reading()) await sleep(5);
    program.child.kill('SIGINT');
    const ended = await program.ended;
    expect(ended.code, ended.stderr).toBe(130);
    await expectClean(lab, 'slow', await runOf(lab));
    const again = await lab.run(copyArgs('slow', join(lab.dir, 'out')));
    expect(again.code, again.stderr).toBe(0);
    await expectContent(join(lab.dir, 'out'), await contentOf(lab.tree.vm('slow')));
  });

  test('but what cannot be removed is named, and found later', async () => {
    const lab = await peers.lab();
    const vm = lab.tree.vm('stuck');
    const fail = knob(lab, vm, 'fail.remove');
    await writeFile(fail, 'The operation is not allowed in the current state.');
    const ended = await lab.run(copyArgs('stuck', join(lab.dir, 'out')));
    const run = await runOf(lab);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`The snapshot stackferry-${run}-1 of stuck could not be removed`);
    expect(ended.stderr).toContain(`vim-cmd vmsvc/snapshot.remove ${vm.id} 1`);
    expect((await folders(lab)).filter((name) => name.includes(run))).toEqual([]);

    const failed = await lab.run(['doctor', '--cleanup', '--yes', '-f', 'json']);
    expect(failed.code).toBe(1);
    await rm(fail);
    // Without a terminal nobody can be asked, and a machine that does not know the run leaves it alone.
    expect((await lab.run(['doctor', '--cleanup'])).code).toBe(2);
    const stranger = { STACKFERRY_STATE_DIR: join(lab.dir, 'other') };
    const seen = await lab.run(['doctor', '--cleanup', '--yes'], stranger);
    expect(seen.code, seen.stderr).toBe(0);
    expect(seen.stderr).toContain(`This machine does not know run ${run}`);
    expect(await readFile(knob(lab, vm, 'snapshot.get'), 'utf8')).toContain(`stackferry-${run}-1`);
    const gone = await lab.run(['doctor', '--cleanup', '--yes', '--run', run, '-f', 'json'], stranger);
    expect(JSON.parse(gone.stdout)).toMatchObject({ ok: true });
    await expectClean(lab, 'stuck', run);
    const none = await lab.run(['rollback', run]);
    expect(none.code, none.stderr).toBe(0);
  });
});

describe('kill -9 at every line of the journal', () => {
  test('is cleaned up by doctor, by rollback, or by the same command', async () => {
    const whole = await peers.lab();
    const first = await whole.run(copyArgs('killed0', join(whole.dir, 'out')));
    expect(first.code, first.stderr).toBe(0);
    const lines = await journal(whole.stateDir, await runOf(whole));
    const from = lines.findIndex((line) => line['kind'] === 'intent');
    const to = lines.findLastIndex((line) => line['kind'] === 'gone');
    expect(to - from).toBeGreaterThan(8);
    const points = lines.flatMap((line, index) => {
      if (index < from || index > to) return [];
      const results = ['made', 'gone'].includes(String(line['kind']));
      return [
        ...(results ? [{ when: 'before' as const, line: index + 1 }] : []),
        { when: 'after' as const, line: index + 1 },
      ];
    });
    expect(points.length).toBeLessThan(KILLED.length);
    const cases = points.map((point, index) => ({ ...point, name: KILLED[index + 1] ?? '', way: index % 3 }));
    await forEachOf(cases, 3, async ({ when, line, name, way }) => {
      const lab = await peers.lab();
      const args = copyArgs(name, join(lab.dir, 'out'));
      expectKilled(await lab.run(args, killAt(when, line)));
      const run = await runOf(lab);
      const next = [['doctor', '--cleanup', '--yes'], ['rollback', run], args][way] ?? [];
      const ended = await lab.run(next);
      expect(ended.code, ended.stderr).toBe(0);
      await expectClean(lab, name, run);
      if (way === 2) await expectContent(join(lab.dir, 'out'), await contentOf(lab.tree.vm(name)));
    });
  }, 900_000);
});
