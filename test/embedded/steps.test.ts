import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { MIB, diskContent } from '../lab/esxi/index.js';
import { filesResult, migrationResult, type MigrationResult } from '../support/contract.js';
import {
  addressIn,
  contentHash,
  counts,
  diskReads,
  expectSourceBytes,
  migrateArgs,
  ONE_OF_EACH,
  resultOf,
  smallVm,
  sourceHashes,
  usePeers,
  type Lab,
} from '../support/embedded.js';

const peers = usePeers({ vms: [smallVm('web01'), smallVm('web02')] });

const filesOf = (ended: { code: number | null; stdout: string; stderr: string }) => {
  expect(ended.code, ended.stderr).toBe(0);
  return filesResult.parse(JSON.parse(ended.stdout));
};

/** All that a run made, without what differs between any two runs: ids, times, the run's name, addresses. */
function shapeOf(lab: Lab, result: MigrationResult) {
  const { state } = lab.cloud;
  const ids = new Map<string, string>([[result.run, 'RUN']]);
  const resources = [...state.images, ...state.volumes, ...state.ports, ...state.servers];
  for (const item of resources) ids.set(item.id, `ID of ${item.name ?? ''}`);
  for (const one of [...state.networks, ...state.subnets, ...state.flavors, ...state.projects, ...state.users]) {
    ids.set(one.id, one.name);
  }
  for (const one of [...state.securityGroups, ...state.volumeTypes]) ids.set(one.id, one.name);
  for (const one of state.attachments) ids.set(one.id, 'ATTACHMENT');
  let text = JSON.stringify({
    images: state.images,
    volumes: state.volumes,
    ports: state.ports,
    servers: state.servers,
    result,
  });
  for (const [id, name] of ids) text = text.replaceAll(id, name);
  text = text
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?/g, 'TIME')
    .replace(/"started":\d+/g, '"started":0')
    // What was compared with what is another thing in one pass.
    .replace(/"(hash_value|binding_host|compared)":"[^"]*"/g, '"$1":"?"');
  return JSON.parse(text) as unknown;
}

describe.concurrent('the five steps', () => {
  test('one after another come to the same as migrate', async () => {
    const [whole, stepped] = await Promise.all([peers.lab(), peers.lab()]);
    const migrated = resultOf(await whole.run(migrateArgs('web01', '--security-group', 'web_ssh')));

    const exported = filesOf(await stepped.run(['export', '--vm', 'web01', '-f', 'json']));
    const run = exported.run ?? '';
    expect(exported.disks.map((disk) => [disk.label, disk.format, disk.capacity_bytes])).toEqual([
      ['scsi0:0', 'vmdk', 9 * MIB],
      ['scsi0:1', 'vmdk', 5 * MIB + 512],
    ]);
    expect(exported.disks.map((disk) => disk.content_hash)).toEqual(await sourceHashes(stepped, 'web01'));
    expect(stepped.cloud.requests()).toEqual([]);

    const converted = filesOf(await stepped.run(['convert', '--run', run, '-f', 'json']));
    expect(converted.disks.map((disk) => disk.content_hash)).toEqual(exported.disks.map((disk) => disk.content_hash));
    expect(converted.disks.map((disk) => disk.format)).toEqual(['raw', 'raw']);
    expect(stepped.cloud.requests()).toEqual([]);

    const uploaded = resultOf(await stepped.run(['upload', '--run', run, '-f', 'json']));
    expect(counts(stepped)).toEqual({ images: 2, volumes: 0, ports: 0, servers: 0 });
    expect(uploaded.vms[0]?.image_ids).toHaveLength(2);
    const volumes = resultOf(await stepped.run(['volume', '--vm', 'web01', '-f', 'json']));
    expect(counts(stepped)).toEqual({ images: 2, volumes: 2, ports: 0, servers: 0 });
    expect(volumes.vms[0]?.volumes.map((volume) => volume.size_gib)).toEqual([1, 1]);
    const mapping = ['--network', 'VM Network=lab-net', '--security-group', 'web_ssh'];
    const final = resultOf(await stepped.run(['server', '--run', run, ...mapping, '-f', 'json']));
    expect(final.state).toBe('done');
    expect(counts(stepped)).toEqual(ONE_OF_EACH);

    await expectSourceBytes(whole, 'web01', migrated);
    await expectSourceBytes(stepped, 'web01', final);
    expect(shapeOf(stepped, final)).toEqual(shapeOf(whole, migrated));
  });

  test('refuse to run before their turn, and say what comes first', async () => {
    const lab = await peers.lab();
    const run = filesOf(await lab.run(['export', '--vm', 'web01', '-f', 'json'])).run ?? '';
    for (const step of ['upload', 'volume', 'server']) {
      const ended = await lab.run([step, '--run', run]);
      expect(ended.code, ended.stderr).toBe(2);
      expect(ended.stderr).toContain(`First: stackferry`);
    }
    expect(lab.cloud.changingRequests()).toEqual([]);
  });

  test('export takes some disks, another folder, and formats', async () => {
    const lab = await peers.lab();
    const output = join(lab.dir, 'out');
    const flat = filesOf(
      await lab.run(['export', '--vm', 'web01', '--disk', 'scsi0:1', '-o', 'out', '--sha256', '-f', 'json']),
    );
    const [disk] = flat.disks;
    expect(flat.disks).toHaveLength(1);
    expect(disk?.path.startsWith(output)).toBe(true);
    const source = join(lab.dir, 'source.raw');
    const second = lab.tree.vm('web01').disks[1];
    if (!second || !disk) throw new Error('no second disk');
    await diskContent(second, source);
    const sha256 = (await execa('sha256sum', [source])).stdout.slice(0, 64);
    expect(disk.sha256).toBe(sha256);
    await execa('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', disk.path, source]);
    // What is there and proved is not read again.
    lab.host.resetLog();
    const converted = filesOf(
      await lab.run([
        'export',
        '--vm',
        'web01',
        '--disk',
        'scsi0:1',
        '-o',
        'out2',
        '--disk-format',
        'qcow2',
        '-f',
        'json',
      ]),
    );
    expect(converted.disks[0]).toMatchObject({ format: 'qcow2', capacity_bytes: second.capacityBytes });
    await execa('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', converted.disks[0]?.path ?? '', source]);
  });
});

describe.concurrent('a run and its steps', () => {
  test('of another VM are refused the same --output, before a byte moves', async () => {
    const lab = await peers.lab();
    const output = join(lab.dir, 'out');
    const first = filesOf(await lab.run(['export', '--vm', 'web01', '--output', output, '-f', 'json']));
    const before = diskReads(lab.host);
    for (const command of [
      ['export', '--vm', 'web02', '-f', 'json'],
      ['migrate', '--vm', 'web02', '--network', 'VM Network=lab-net', '--yes', '-f', 'json'],
    ]) {
      const ended = await lab.run([...command, '--output', output]);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toContain(`${output} holds disks of web01 (run ${first.run ?? ''})`);
      expect(ended.stdout).toContain('"output.in_use"');
    }
    expect(diskReads(lab.host)).toEqual(before);
    expect(counts(lab)).toEqual({ images: 0, volumes: 0, ports: 0, servers: 0 });
    filesOf(await lab.run(['export', '--vm', 'web02', '--output', join(output, 'web02'), '-f', 'json']));
    for (const { path } of first.disks) expect(existsSync(path)).toBe(true);
  });

  test('waits for its next step as ready, tells it, and is not hurt by a step too early', async () => {
    const lab = await peers.lab();
    const run = filesOf(await lab.run(['export', '--vm', 'web01', '-f', 'json'])).run ?? '';
    const row = async () => {
      const table = await lab.run(['status']);
      return table.stdout.split('\n')[1]?.replace(/ {2,}/g, '|').split('|') ?? [];
    };
    expect(await row()).toMatchObject([
      run,
      'web01',
      lab.host.host,
      'export',
      'ready',
      {},
      {},
      `stackferry convert --run ${run}`,
    ]);
    const before = (await lab.run(['status', '-f', 'json'])).stdout;
    expect(JSON.parse(before)).toMatchObject({ run, state: 'stopped', runs: [{ run, state: 'stopped' }] });
    const early = await lab.run(['server', '--run', run, '--network', 'VM Network=lab-net']);
    expect(early.code, early.stderr).toBe(2);
    expect(early.stderr).toContain(`First: stackferry convert --run ${run}`);
    expect((await row())[4]).toBe('ready');
    filesOf(await lab.run(['convert', '--vm', `uuid:${lab.tree.vm('web01').uuid.toUpperCase()}`, '-f', 'json']));
    expect(await row()).toMatchObject([
      run,
      'web01',
      lab.host.host,
      'convert',
      'ready',
      {},
      {},
      `stackferry upload --run ${run}`,
    ]);

    // migrate goes on with what the steps have done, and does not read the disks again.
    lab.host.resetLog();
    expect(resultOf(await lab.run(migrateArgs('web01'))).run).toBe(run);
    expect(diskReads(lab.host)).toEqual([]);
    expect((await row()).slice(0, 5)).toEqual([run, 'web01', lab.host.host, 'migrate', 'done']);
    // Its staged files are gone, so their paths are not told.
    const gone = await lab.run(['convert', '--run', run, '-f', 'json']);
    expect(gone.code, gone.stderr).toBe(2);
    expect(gone.stderr).toContain('its file is not kept');
    expect(gone.stdout).not.toContain('.raw');
    expect((await row())[4]).toBe('done');
    expect(counts(lab)).toEqual(ONE_OF_EACH);
  });

  test('with some of the disks make no server unasked', async () => {
    const lab = await peers.lab();
    const mapping = ['--network', 'VM Network=lab-net'];
    const args = ['export', '--vm', 'web01', '--disk', 'scsi0:0', '--disk-format', 'raw', '-f', 'json'];
    const run = filesOf(await lab.run(args)).run ?? '';
    const refused = await lab.run(['upload', '--run', run]);
    expect(refused.code, refused.stderr).toBe(2);
    expect(refused.stderr).toContain('(run.partial)');
    expect(refused.stderr).toContain('export --disk left out scsi0:1');
    const resumed = await lab.run(['migrate', '--resume', '--run', run, ...mapping, '--yes']);
    expect(resumed.code, resumed.stderr).toBe(2);
    expect(resumed.stderr).toContain(`stackferry migrate --resume --run ${run} --skip-disk scsi0:1`);
    expect(lab.cloud.changingRequests()).toEqual([]);

    resultOf(await lab.run(['upload', '--run', run, '--partial', '-f', 'json']));
    // It was said once, and holds for the run.
    resultOf(await lab.run(['volume', '--run', run, '-f', 'json']));
    const server = resultOf(await lab.run(['server', '--run', run, ...mapping, '-f', 'json']));
    expect(server.vms[0]?.volumes.map(({ label }) => label)).toEqual(['scsi0:0']);
    expect(server.state).toBe('done');
  });
});

describe.concurrent('each step alone', () => {
  test('convert FILE checks, converts and proves a descriptor; a lying one is refused', async () => {
    const lab = await peers.lab();
    const exported = filesOf(await lab.run(['export', '--vm', 'web01', '-o', 'disks', '-f', 'json']));
    const path = exported.disks[0]?.path ?? '';
    const done = filesOf(
      await lab.run(['convert', path, '--disk-format', 'raw', '-o', 'images', '--sha256', '-f', 'json']),
    );
    expect(done).toMatchObject({ run: null, vm: null });
    const [raw] = done.disks;
    expect(raw).toMatchObject({ format: 'raw', capacity_bytes: 9 * MIB, bytes: 9 * MIB });
    expect(raw?.content_hash).toBe(exported.disks[0]?.content_hash);
    expect(await contentHash(raw?.path ?? '', 9 * MIB)).toBe(raw?.content_hash);
    expect((await execa('sha256sum', [raw?.path ?? ''])).stdout.slice(0, 64)).toBe(raw?.sha256);
    const again = await lab.run([
      'convert',
      raw?.path ?? '',
      '--source-format',
      'raw',
      '--compress',
      '-o',
      'q',
      '-f',
      'json',
    ]);
    expect(filesOf(again).disks[0]).toMatchObject({ format: 'qcow2', content_hash: raw?.content_hash });

    const lying = join(lab.dir, 'lying.vmdk');
    const text = (await readFile(path, 'utf8')).replace(/"[^"]*-flat\.vmdk"/, '"../../../../etc/passwd"');
    await writeFile(lying, text);
    const refused = await lab.run(['convert', lying, '-f', 'json']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/\(\w+\.\w+\)/);
    expect(existsSync(join(lab.dir, 'lying.qcow2'))).toBe(false);
  });

  test('upload FILE…, volume --image, server --volume, and the way back', async () => {
    const lab = await peers.lab();
    const before = lab.cloud.inventory('lab');
    const exported = filesOf(
      await lab.run(['export', '--vm', 'web01', '-o', 'disks', '--disk-format', 'qcow2', '-f', 'json']),
    );
    const paths = exported.disks.map((disk) => disk.path);
    const uploaded = resultOf(
      await lab.run(['upload', ...paths, '--name', 'mine', '--property', 'hw_firmware_type=bios', '-f', 'json']),
    );
    const images = uploaded.vms[0]?.image_ids ?? [];
    expect(images.map((id) => lab.cloud.state.images.find((one) => one.id === id))).toMatchObject([
      { name: 'mine-0', disk_format: 'qcow2', properties: { hw_firmware_type: 'bios', hw_disk_bus: 'scsi' } },
      { name: 'mine-1', disk_format: 'qcow2' },
    ]);
    const small = await lab.run(['volume', '--image', images[0] ?? '', '--name', 'root', '--size', '3', '-f', 'json']);
    const root = resultOf(small).vms[0]?.volumes[0];
    expect(root).toMatchObject({ size_gib: 3 });
    const data = resultOf(
      await lab.run(['volume', '--image', images[1] ?? '', '--no-bootable', '--volume-type', 'lab-fast', '-f', 'json']),
    ).vms[0]?.volumes[0];
    const state = lab.cloud.state;
    const fast = state.volumeTypes.find((type) => type.name === 'lab-fast');
    expect(state.volumes.find((one) => one.id === data?.volume_id)).toMatchObject({
      bootable: false,
      volume_type_id: fast?.id,
    });
    const address = addressIn(lab, 'lab-net', 42);
    const made = await lab.run([
      ...['server', '--volume', root?.volume_id ?? '', '--volume', data?.volume_id ?? '', '--name', 'by-hand'],
      ...['--cpus', '2', '--memory', '1024', '--nic', `ethernet0=lab-net,ip=${address}`, '-f', 'json'],
    ]);
    const server = resultOf(made);
    expect(server.vms[0]).toMatchObject({ boot: { proved: true }, ports: [{ ip_addresses: [address] }] });
    const found = state.servers.find((one) => one.id === server.vms[0]?.server_id);
    expect(found?.name).toBe('by-hand');
    expect(found?.volumes.map((one) => one.volume_id)).toEqual([root?.volume_id, data?.volume_id]);
    const hashes = await sourceHashes(lab, 'web01');
    expect(await contentHash(lab.cloud.volumeFile(root?.volume_id ?? ''), 9 * MIB)).toBe(hashes[0]);
    expect(await contentHash(lab.cloud.volumeFile(data?.volume_id ?? ''), 5 * MIB + 512)).toBe(hashes[1]);

    // Each step's run takes back its own part, and no other's.
    const status = await lab.run(['status', '-f', 'json']);
    const rows = (JSON.parse(status.stdout) as { runs: { run: string; command: string; state: string }[] }).runs;
    // Only the export is a run that could be gone on with.
    expect(rows.map(({ command, state }) => [command, state])).toEqual([
      ['export', 'stopped'],
      ...['upload', 'volume', 'volume', 'server'].map((command) => [command, 'done']),
    ]);
    const runs = rows.map((item) => item.run);
    for (const run of runs.toReversed()) {
      const discard = run === server.run ? ['--discard', 'by-hand'] : [];
      const back = await lab.run(['rollback', run, ...discard, '-f', 'json']);
      expect(back.code, back.stderr).toBe(0);
    }
    expect(lab.cloud.inventory('lab')).toEqual(before);
    for (const path of paths) expect(existsSync(path)).toBe(true);
  });

  test('volume and upload say what does not fit', async () => {
    const lab = await peers.lab();
    const exported = filesOf(
      await lab.run(['export', '--vm', 'web01', '-o', 'disks', '--disk-format', 'raw', '-f', 'json']),
    );
    const unknown = await lab.run(['volume', '--image', '00000000-0000-4000-8000-000000000000']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('(cloud.not_found)');
    const missing = await lab.run(['upload', join(lab.dir, 'nothing.raw')]);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('nothing.raw');
    const zone = await lab.run(['volume', '--image', '00000000-0000-4000-8000-000000000000', '--volume-zone', 'moon']);
    expect(zone.code, zone.stderr).not.toBe(0);
    const up = resultOf(await lab.run(['upload', exported.disks[0]?.path ?? '', '--disk-format', 'raw', '-f', 'json']));
    expect(migrationResult.parse(up).vms[0]?.image_ids).toHaveLength(1);
    expect(counts(lab)).toEqual({ images: 1, volumes: 0, ports: 0, servers: 0 });
    // Beside the runs, only what readers of a host say to one another.
    expect((await readdir(lab.stateDir)).filter((name) => name !== 'readers')).toEqual(['runs']);
  });
});
