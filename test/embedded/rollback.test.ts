import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rollbackResult } from '../support/contract.js';
import {
  counts,
  expectKilled,
  killAt,
  migrateArgs,
  ONE_OF_EACH,
  requests,
  resultOf,
  smallVm,
  usePeers,
  type Lab,
} from '../support/embedded.js';
import { journal, type Ended } from '../support/program.js';

const peers = usePeers({ vms: [smallVm('web01'), smallVm('it’s "web" 02', { folder: 'web02' })] });

async function runOf(lab: Lab): Promise<string> {
  const { stdout } = await lab.run(['status', '-f', 'json']);
  return (JSON.parse(stdout) as { runs: { run: string }[] }).runs[0]?.run ?? '';
}

function rolledBack(ended: Ended) {
  expect(ended.code, ended.stderr).toBe(0);
  const result = rollbackResult.parse(JSON.parse(ended.stdout));
  expect(result.state).toBe('rolled_back');
  expect(result.vms[0]).toMatchObject({ server_id: null, image_ids: [], volumes: [], ports: [] });
  return result;
}

describe.concurrent('rollback', () => {
  test.each<[string, RegExp, ...string[]]>([
    ['the copy', /"step.done","step":"recheck"/],
    ['the conversion of staged files', /"step.done","step":"convert:scsi0:1"/, '--output', 'out'],
    ['an image that was only announced', /"intent","step":"image:scsi0:1"/],
    ['the images', /"step.done","step":"image:scsi0:1"/],
    ['the volumes', /"step.done","step":"volume:scsi0:1"/],
    ['the ports', /"step.done","step":"port:ethernet0"/],
    ['a server that was only announced', /"intent","step":"server"/],
  ])('after %s leaves the cloud as it was', async (_what, match, ...more) => {
    const lab = await peers.lab();
    expectKilled(await lab.run(migrateArgs('web01', ...more), killAt('after', match)));
    const run = await runOf(lab);
    rolledBack(await lab.run(['rollback', run, '-f', 'json']));
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
    expect(existsSync(join(lab.stateDir, 'runs', run, 'disks'))).toBe(false);
    // Nothing is left to resume; the same VM may begin anew.
    const resumed = await lab.run(['migrate', '--resume', '--run', run]);
    expect(resumed.code).toBe(2);
  });

  test('of a server that has run wants the name of its VM, exactly', async () => {
    const lab = await peers.lab();
    const name = 'it’s "web" 02';
    const { run } = resultOf(await lab.run(migrateArgs(name)));
    const before = lab.cloud.inventory('lab');
    lab.cloud.clearLog();

    const asked = await lab.run(['rollback', run]);
    expect(asked.code, asked.stderr).not.toBe(0);
    expect(asked.stderr).toContain('--discard');
    for (const wrong of ['web01', 'It’s "web" 02', `${name} `, '*', '']) {
      const ended = await lab.run(['rollback', run, '--discard', wrong]);
      expect(ended.code, wrong).toBe(2);
    }
    const yes = await lab.run(['rollback', run, '--yes']);
    expect(yes.code, yes.stderr).not.toBe(0);
    expect(lab.cloud.changingRequests()).toEqual([]);
    expect(lab.cloud.inventory('lab')).toEqual(before);
    // It was not rolled back, so what is said of the run still holds.
    const again = await lab.run(migrateArgs(name));
    expect(resultOf(again).run).toBe(run);
    expect(counts(lab)).toEqual(ONE_OF_EACH);

    rolledBack(await lab.run(['rollback', run, '--discard', name, '-f', 'json']));
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
    const kinds = lab.cloud
      .requests()
      .filter((entry) => entry.method === 'DELETE')
      .map((entry) => `${entry.service} ${entry.path.split('/').at(-2) ?? ''}`);
    // Newest first: the server before its ports, the volumes before their images.
    const order = ['compute servers', 'network ports', 'block-storage volumes', 'image images'];
    expect(kinds.filter((kind, index) => kinds.indexOf(kind) === index)).toEqual(order);
  });

  test('says which files of --output stay, and shows no step any more', async () => {
    const lab = await peers.lab();
    const args = ['export', '--vm', 'web01', '--output', 'out', '--disk-format', 'raw', '-f', 'json'];
    const exported = JSON.parse((await lab.run(args)).stdout) as { run: string; disks: { path: string }[] };
    const ended = await lab.run(['rollback', exported.run, '-f', 'json']);
    rolledBack(ended);
    expect(ended.stderr).toContain('Its files stay, for they lie in a folder that was named with --output:');
    for (const { path } of exported.disks) {
      expect(ended.stderr).toContain(`  ${path}\n`);
      expect(existsSync(path)).toBe(true);
    }
    const { stdout } = await lab.run(['status', '-f', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({
      runs: [{ command: 'export', last_command: 'rollback', state: 'rolled_back', step: null, next: null }],
    });
  });

  test('twice does no harm', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    rolledBack(await lab.run(['rollback', run, '--discard', 'web01', '-f', 'json']));
    lab.cloud.clearLog();
    const second = await lab.run(['rollback', run, '-f', 'json']);
    expect(rolledBack(second).removed).toEqual([]);
    expect(lab.cloud.changingRequests()).toEqual([]);
    // And the VM may be moved again, as if for the first time.
    const next = resultOf(await lab.run(migrateArgs('web01')));
    expect(next.run).not.toBe(run);
    expect(counts(lab)).toEqual(ONE_OF_EACH);
  });

  test('lists what went, in the order in which it went, for a program and for a person', async () => {
    const lab = await peers.lab();
    const made = resultOf(await lab.run(migrateArgs('web01')));
    const [vm] = made.vms;
    const { removed, left, kept_files } = rolledBack(
      await lab.run(['rollback', made.run, '--discard', 'web01', '-f', 'json']),
    );
    const ids = (kind: string) => removed.filter((one) => one.kind === kind).map(({ id }) => id);
    expect(removed.map(({ kind }) => kind)).toEqual(['server', 'port', 'volume', 'volume', 'image', 'image']);
    expect(ids('server')).toEqual([vm?.server_id]);
    expect(ids('port')).toEqual(vm?.ports.map(({ port_id }) => port_id));
    expect(ids('volume')).toEqual(vm?.volumes.map(({ volume_id }) => volume_id).reverse());
    expect(ids('image')).toEqual(vm?.image_ids.toReversed());
    expect(removed.map(({ name }) => name)).toContain('web01-scsi0:1');
    expect([left, kept_files]).toEqual([[], []]);

    const again = resultOf(await lab.run(migrateArgs('web01')));
    const text = await lab.run(['rollback', again.run, '--discard', 'web01']);
    expect(text.stdout.split('\n').filter((line) => line.startsWith('removed  '))).toHaveLength(6);
    expect(text.stdout).toContain(`removed  server  web01  ${again.vms[0]?.server_id ?? ''}\n`);

    const copied = await lab.run(['export', '--vm', 'web01', '-f', 'json']);
    const { run } = JSON.parse(copied.stdout) as { run: string };
    const folder = join(lab.stateDir, 'runs', run, 'disks');
    expect(rolledBack(await lab.run(['rollback', run, '-f', 'json'])).removed).toEqual([
      { kind: 'folder', id: null, name: folder },
    ]);
  });

  test('killed in the middle goes on where it was', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    const killed = await lab.run(['rollback', run, '--discard', 'web01'], killAt('before', /"gone".*"volume"/));
    expectKilled(killed);
    expect(counts(lab).servers).toBe(0);
    rolledBack(await lab.run(['rollback', run, '-f', 'json']));
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
  });

  test('leaves alone what others made, even under the same names', async () => {
    const lab = await peers.lab();
    const first = resultOf(await lab.run(migrateArgs('web01')));
    const second = resultOf(await lab.run(migrateArgs('web01', '--again')));
    const { state } = lab.cloud;
    const others = state.images.filter((one) => first.vms[0]?.image_ids.includes(one.id));
    // Names and a mark that is nearly ours.
    for (const image of others) image.properties['stackferry_note'] = second.run;
    rolledBack(await lab.run(['rollback', second.run, '--discard', 'web01', '-f', 'json']));
    expect(counts(lab)).toEqual(ONE_OF_EACH);
    expect(state.servers.map((one) => one.id)).toEqual([first.vms[0]?.server_id]);
    expect(state.images.map((one) => one.id).sort()).toEqual(first.vms[0]?.image_ids.toSorted());
  });

  test('reports an image that a volume was cloned from, and removes it later', async () => {
    const lab = await peers.lab({ cloud: { imageInUseWhileCloned: true } });
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    // Somebody made a volume of their own of our image.
    const [image] = lab.cloud.state.images;
    const own = await lab.run(['volume', '--image', image?.id ?? '', '--name', 'own', '-f', 'json'], {
      STACKFERRY_STATE_DIR: join(lab.dir, 'elsewhere'),
    });
    const volume = resultOf(own).vms[0]?.volumes[0]?.volume_id;

    const first = await lab.run(['rollback', run, '--discard', 'web01', '-f', 'json']);
    expect(first.code, first.stderr).toBe(1);
    expect(first.stderr).toContain('(cloud.image_in_use)');
    const row = (JSON.parse((await lab.run(['status', '-f', 'json'])).stdout) as { runs: unknown[] }).runs[0];
    expect(row).toMatchObject({ run, state: 'stopped', next: `stackferry rollback ${run}` });
    expect(counts(lab)).toEqual({ images: 1, volumes: 1, ports: 0, servers: 0 });
    expect(lab.cloud.state.images[0]?.id).toBe(image?.id);

    const elsewhere = { STACKFERRY_STATE_DIR: join(lab.dir, 'elsewhere') };
    const other = resultOf(own).run;
    rolledBack(await lab.run(['rollback', other, '-f', 'json'], elsewhere));
    expect(lab.cloud.state.volumes.some((one) => one.id === volume)).toBe(false);
    rolledBack(await lab.run(['rollback', run, '-f', 'json']));
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
  });

  test('takes what is gone already for gone', async () => {
    const lab = await peers.lab();
    const { run, vms } = resultOf(await lab.run(migrateArgs('web01')));
    const { state } = lab.cloud;
    // Deleted by hand: the server with its attachments, one volume, one image.
    state.servers.length = 0;
    state.attachments.length = 0;
    for (const volume of state.volumes) volume.status = 'available';
    state.volumes = state.volumes.filter((one) => one.id !== vms[0]?.volumes[0]?.volume_id);
    state.images = state.images.filter((one) => one.id !== vms[0]?.image_ids[1]);
    rolledBack(await lab.run(['rollback', run, '-f', 'json']));
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
  });

  test('knows its run by the beginning of the id, and other clouds from its own', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    const unknown = await lab.run(['rollback', 'rzzzzzzzzz']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('stackferry status');
    const short = await lab.run(['rollback', run.slice(0, 3), '--discard', 'web01']);
    expect(short.code, short.stderr).toBe(2);
    expect(short.stderr).toContain('at least 4 characters');
    const admin = await lab.run(['rollback', run, '--discard', 'web01'], lab.cloud.environment('lab-admin'));
    expect(admin.code, admin.stderr).toBe(1);
    expect(admin.stderr).toContain('(run.other_cloud)');
    expect(counts(lab)).toEqual(ONE_OF_EACH);
    expect(requests(lab, 'DELETE', 'compute', /./)).toEqual([]);
    rolledBack(await lab.run(['rollback', run.slice(0, 5), '--discard', 'web01', '-f', 'json']));
    expect((await journal(lab.stateDir, run)).at(-1)).toMatchObject({ kind: 'run.closed', state: 'rolled_back' });
  });
});
