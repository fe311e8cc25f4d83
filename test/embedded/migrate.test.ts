import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdir, readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MIB, sampleHost } from '../lab/esxi/index.js';
import { migrationResult } from '../support/contract.js';
import {
  counts,
  diskReads,
  expectSourceBytes,
  migrateArgs,
  requests,
  resultOf,
  usePeers,
  type Lab,
} from '../support/embedded.js';
import { journal } from '../support/program.js';

const peers = usePeers(sampleHost());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Every file below a folder with its size, mode, modification time and content; links by their target. */
async function treeDigest(root: string): Promise<string> {
  const hash = createHash('sha256');
  const walk = async (path: string) => {
    const info = await lstat(path);
    if (info.isDirectory()) {
      for (const name of (await readdir(path)).sort()) await walk(join(path, name));
    } else if (info.isSymbolicLink()) {
      hash.update(`${path} -> ${await readlink(path)}\n`);
    } else if (info.isFile()) {
      // A mapped LUN of 2 GiB is all one hole: its time and size say enough.
      const content = info.size > 64 * MIB ? '-' : sha256(await readFile(path));
      hash.update(`${path} ${info.size} ${info.mode} ${info.mtimeMs} ${content}\n`);
    }
  };
  await walk(root);
  return hash.digest('hex');
}

/** The text of every regular file below a folder, but of disks. */
async function allText(root: string): Promise<string> {
  let text = '';
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) text += await readFile(join(entry.parentPath, entry.name), 'latin1');
  }
  return text;
}

/** A folder with a `qemu-img` that notes how it was called, and then is the real one. */
async function notedQemuImg(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const real = (await execa('which', ['qemu-img'])).stdout;
  const script = `#!/bin/sh\nprintf '%s\\n' "$*" >> '${folder}/argv'\nexec '${real}' "$@"\n`;
  await writeFile(join(bin, 'qemu-img'), script, { mode: 0o755 });
  return bin;
}

/** Commands that would change something on the host. */
function changingCommands(lab: Lab): string[] {
  return lab.host.commands
    .map(({ command }) => command)
    .filter((text) => /vmsvc\/(power\.(on|off|shut|re|sus)|snapshot\.(c|rem|rev)|reg|unreg|destroy)/.test(text));
}

describe.concurrent('one VM, whole', () => {
  test('becomes a server that boots from volumes with the same bytes, and the source is not touched', async () => {
    const lab = await peers.lab();
    const before = await treeDigest(join(lab.tree.dir, 'vmfs'));
    const ended = await lab.run([...migrateArgs('web01'), '--security-group', 'web_ssh']);
    const result = resultOf(ended);
    const [vm] = result.vms;
    if (!vm) throw new Error('no VM in the result');

    expect(result.state).toBe('done');
    expect(vm).toMatchObject({ vm: 'web01', id: String(lab.tree.vm('web01').id), state: 'done', error: null });
    expect(vm.volumes.map((volume) => [volume.label, volume.size_gib, volume.capacity_bytes])).toEqual([
      ['scsi0:0', 1, 48 * 1024 * 1024],
      ['scsi0:1', 1, 16 * 1024 * 1024],
    ]);
    expect(vm.boot).toEqual({ proved: true, by: 'console', seen: 'web01 login:' });
    await expectSourceBytes(lab, 'web01', result);

    const { state } = lab.cloud;
    const server = state.servers.find((one) => one.id === vm.server_id);
    expect(server).toMatchObject({ name: 'web01', hostname: 'web01', status: 'ACTIVE', image_id: null });
    expect(server?.volumes.map((one) => [one.volume_id, one.delete_on_termination])).toEqual(
      vm.volumes.map((volume) => [volume.volume_id, false]),
    );
    expect(server?.volumes[0]?.boot_index).toBe(0);
    expect(server?.ports.map((one) => one.port_id)).toEqual(vm.ports.map((port) => port.port_id));
    const flavor = state.flavors.find((one) => one.id === server?.flavor_id);
    expect(flavor).toMatchObject({ vcpus: 2, disk: 0 });

    const vmx = await readFile(lab.tree.vm('web01').vmxFile, 'utf8');
    const mac = /ethernet0\.(?:generatedAddress|address) = "([^"]+)"/i.exec(vmx)?.[1]?.toLowerCase();
    const [port] = state.ports.filter((one) => one.id === vm.ports[0]?.port_id);
    expect(vm.ports[0]?.mac).toBe(mac);
    expect(port?.mac_address).toBe(mac);
    expect(vm.ports[0]?.ip_addresses).toEqual(port?.fixed_ips.map((ip) => ip.ip_address));
    const group = state.securityGroups.find((one) => one.name === 'web_ssh' && one.project_id === port?.project_id);
    expect(port?.security_groups).toEqual([group?.id]);

    expect(await treeDigest(join(lab.tree.dir, 'vmfs'))).toBe(before);
    expect(await lab.tree.power('web01')).toBe('off');
    expect(changingCommands(lab)).toEqual([]);
  });

  test('carries properties and its mark on everything it makes', async () => {
    const lab = await peers.lab();
    const result = resultOf(await lab.run(migrateArgs('web01')));
    const { state } = lab.cloud;
    const [vm] = result.vms;
    const images = vm?.image_ids.map((id) => state.images.find((one) => one.id === id)) ?? [];
    const volumes = vm?.volumes.map((item) => state.volumes.find((one) => one.id === item.volume_id)) ?? [];
    expect(images).toHaveLength(2);
    for (const [index, label] of ['scsi0:0', 'scsi0:1'].entries()) {
      const properties = {
        hw_disk_bus: 'scsi',
        hw_scsi_model: 'virtio-scsi',
        hw_vif_model: 'virtio',
        hw_rng_model: 'virtio',
        architecture: 'x86_64',
        os_type: 'linux',
        os_distro: 'debian',
        image_source: 'private',
        stackferry_run: result.run,
        stackferry_step: `image:${label}`,
      };
      expect(images[index]).toMatchObject({ status: 'active', min_disk: 1, properties });
      // What Nova reads lies on the volume: Cinder carries it over from the image.
      expect(volumes[index]?.image_metadata).toMatchObject({ hw_disk_bus: 'scsi', hw_scsi_model: 'virtio-scsi' });
      expect(volumes[index]).toMatchObject({
        status: 'in-use',
        bootable: index === 0,
        metadata: { stackferry_run: result.run, stackferry_step: `volume:${label}` },
      });
    }
    const port = state.ports.find((one) => one.id === vm?.ports[0]?.port_id);
    expect(port?.tags.sort()).toEqual([`stackferry_run=${result.run}`, 'stackferry_step=port:ethernet0']);
    expect(state.servers[0]?.metadata).toMatchObject({
      stackferry_run: result.run,
      stackferry_step: 'server',
      stackferry_vm: 'web01',
      stackferry_vm_uuid: lab.tree.vm('web01').uuid,
      stackferry_vm_id: String(lab.tree.vm('web01').id),
      stackferry_vm_host: lab.host.host,
    });
  });

  test('leaves a report, and neither staged disks nor secrets', async () => {
    const lab = await peers.lab();
    const password = 'cloud-s3cret-9f27';
    for (const user of lab.cloud.state.users) user.password = password;
    const env = {
      OS_PASSWORD: password,
      PATH: `${await notedQemuImg(lab.dir)}:${process.env['PATH'] ?? ''}`,
    };
    const ended = await lab.run([...migrateArgs('web01'), '--verbose'], env);
    // One pass calls no other program; a conversion does.
    expect(existsSync(join(lab.dir, 'argv'))).toBe(false);
    const other = ['export', '--vm', 'web01', '--disk-format', 'qcow2', '--compress', '--output', join(lab.dir, 'out')];
    expect((await lab.run(other, env)).code).toBe(0);
    const result = resultOf(ended);

    const folder = join(lab.stateDir, 'runs', result.run);
    const kept = ['chunks-scsi0-0', 'chunks-scsi0-1', 'journal.jsonl', 'progress.json', 'report.json'];
    expect((await readdir(folder)).sort()).toEqual(kept);
    expect(existsSync(join(folder, 'disks'))).toBe(false);
    const report: unknown = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'));
    expect(migrationResult.extend({ version: z.literal(1) }).parse(report)).toEqual({ version: 1, ...result });
    for (const path of [lab.stateDir, join(lab.stateDir, 'runs'), folder]) {
      expect((await lstat(path)).mode & 0o777, path).toBe(0o700);
    }
    for (const name of await readdir(folder)) {
      expect((await lstat(join(folder, name))).mode & 0o777, name).toBe(0o600);
    }

    const argv = await readFile(join(lab.dir, 'argv'), 'utf8');
    expect(argv).toContain('convert ');
    const secrets = [lab.host.password, password, ...lab.cloud.state.tokens.map((token) => token.value)];
    expect(secrets.length).toBeGreaterThan(2);
    const places = {
      state: await allText(lab.stateDir),
      stdout: ended.stdout,
      stderr: ended.stderr,
      argv,
      commands: lab.host.commands.map(({ command }) => command).join('\n'),
    };
    for (const [place, text] of Object.entries(places)) {
      for (const secret of secrets) expect(text.includes(secret), `a secret is in ${place}`).toBe(false);
    }
  });

  test('run again makes nothing again; --again makes another', async () => {
    const lab = await peers.lab();
    const first = resultOf(await lab.run(migrateArgs('web01')));
    const changes = lab.cloud.changingRequests().length;
    lab.host.resetLog();
    const second = await lab.run(migrateArgs('web01'));
    expect(resultOf(second)).toEqual(first);
    expect(second.stderr).toContain('--again');
    expect(lab.cloud.changingRequests().length).toBe(changes);
    expect(diskReads(lab.host)).toEqual([]);

    const third = await lab.run(migrateArgs('web01', '--again', '--name', 'web01b'));
    const result = resultOf(third);
    expect(result.run).not.toBe(first.run);
    expect(counts(lab)).toEqual({ images: 4, volumes: 4, ports: 2, servers: 2 });
    // The first server has the MAC on that network.
    expect(result.vms[0]?.ports[0]?.mac).not.toBe(first.vms[0]?.ports[0]?.mac);
    expect(result.vms[0]?.warnings.map((warning) => warning.code)).toEqual([
      'cloud.default_security_group',
      'cloud.mac_taken',
    ]);
    await expectSourceBytes(lab, 'web01', result);
  });

  test('says beforehand what it would do, and changes nothing', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(migrateArgs('web01', '--dry-run'));
    expect(ended.code, ended.stderr).toBe(0);
    const plan = JSON.parse(ended.stdout) as Record<string, unknown>;
    expect(plan).toMatchObject({
      vm: { name: 'web01' },
      volumes: [
        { label: 'scsi0:0', size_gib: 1, boot: true },
        { label: 'scsi0:1', size_gib: 1, boot: false },
      ],
      ports: [{ label: 'ethernet0', network_name: 'lab-net' }],
      server: { name: 'web01', start: true },
    });
    expect(lab.cloud.changingRequests()).toEqual([]);
    expect(diskReads(lab.host)).toEqual([]);
    expect(existsSync(join(lab.stateDir, 'runs'))).toBe(false);
  });

  test('says beforehand what would stop it: the quota, with all that was resolved', async () => {
    const lab = await peers.lab();
    for (const project of lab.cloud.state.projects) project.quotas.volumes = 1;
    const ended = await lab.run(migrateArgs('web01', '--dry-run'));
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toContain('(cloud.quota)');
    const plan = JSON.parse(ended.stdout) as { volumes: unknown[]; findings: { code: string; severity: string }[] };
    expect(plan.volumes).toHaveLength(2);
    expect(plan.findings).toContainEqual(
      expect.objectContaining({ code: 'cloud.quota', severity: 'blocker', subject: 'cloud' }) as unknown,
    );
    expect(plan.findings.map((finding) => finding.code)).toContain('cloud.default_security_group');
    const table = await lab.run(['migrate', '--vm', 'web01', '--network', 'VM Network=lab-net', '--dry-run']);
    expect(table.code).toBe(3);
    expect(table.stdout).toMatch(/^blocker +cloud\.quota .*openstack quota set/m);
    expect(table.stdout).toMatch(/^warning +cloud\.default_security_group /m);
    expect(table.stdout).toContain('It would not begin');
    expect(lab.cloud.changingRequests()).toEqual([]);
    expect(changingCommands(lab)).toEqual([]);
    expect(existsSync(join(lab.stateDir, 'runs'))).toBe(false);
  });

  test('says beforehand which run it would go on with, and leaves that as it is', async () => {
    const lab = await peers.lab({ cloud: { volumeOutcome: 'error' } });
    const first = await lab.run(migrateArgs('web01'));
    expect(first.code).toBe(1);
    const { run } = migrationResult.parse(JSON.parse(first.stdout));
    const dry = async () => {
      const changes = lab.cloud.changingRequests().length;
      const before = await treeDigest(lab.stateDir);
      lab.host.resetLog();
      const ended = await lab.run([
        'migrate',
        '--vm',
        'web01',
        '--network',
        'VM Network=lab-net',
        '--dry-run',
        '-f',
        'json',
      ]);
      expect(ended.code, ended.stderr).toBe(0);
      expect(lab.cloud.changingRequests()).toHaveLength(changes);
      expect(changingCommands(lab)).toEqual([]);
      expect(diskReads(lab.host)).toEqual([]);
      expect(await treeDigest(lab.stateDir)).toBe(before);
      return JSON.parse(ended.stdout) as Record<string, unknown>;
    };
    expect(await dry()).toMatchObject({ earlier: { run, state: 'failed', would: 'go_on' } });
    lab.cloud.settings.volumeOutcome = 'ok';
    resultOf(await lab.run(migrateArgs('web01')));
    expect(await dry()).toMatchObject({ earlier: { run, state: 'done', would: 'make_nothing' } });
  });

  test('moves chosen disks only where that is said, and stages them where it is told', async () => {
    const lab = await peers.lab();
    const output = join(lab.dir, 'staged');
    const ended = await lab.run(
      migrateArgs('web01', '--skip-disk', 'scsi0:1', '--output', output, '--image-format', 'qcow2'),
    );
    const result = resultOf(ended);
    expect(result.vms[0]?.volumes.map((volume) => volume.label)).toEqual(['scsi0:0']);
    expect(counts(lab)).toEqual({ images: 1, volumes: 1, ports: 1, servers: 1 });
    expect(lab.cloud.state.images[0]).toMatchObject({ disk_format: 'qcow2', virtual_size: 48 * 1024 * 1024 });
    // A folder of the user's own is not ours to remove.
    expect((await readdir(output)).sort()).toContain('scsi0-0.qcow2');
    expect(requests(lab, 'PUT', 'image', /\/file$/)).toHaveLength(1);
  });

  test('with --no-start everything is ready and no server is made', async () => {
    const lab = await peers.lab();
    const result = resultOf(await lab.run(migrateArgs('web01', '--no-start')));
    expect(result.vms[0]).toMatchObject({ server_id: null, boot: null });
    expect(counts(lab)).toEqual({ images: 2, volumes: 2, ports: 1, servers: 0 });
    const server = await lab.run(['server', '--run', result.run, '-f', 'json']);
    expect(server.code, server.stderr).toBe(0);
    expect(counts(lab).servers).toBe(1);
    expect((await journal(lab.stateDir, result.run)).at(-1)).toMatchObject({ kind: 'run.closed', state: 'done' });
  });

  test('without --no-start goes on with the run that made all but the server', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(migrateArgs('web01', '--no-start')));
    const again = await lab.run(migrateArgs('web01', '--no-start'));
    expect(resultOf(again).run).toBe(run);
    expect(counts(lab).servers).toBe(0);
    lab.host.resetLog();
    const started = resultOf(await lab.run(migrateArgs('web01')));
    expect(started).toMatchObject({ run, state: 'done', vms: [{ boot: { proved: true } }] });
    expect(diskReads(lab.host)).toEqual([]);
    expect(counts(lab)).toEqual({ images: 2, volumes: 2, ports: 1, servers: 1 });
  });

  test('begins nothing beside a run that cannot be read, which status shows', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    const path = join(lab.stateDir, 'runs', run, 'journal.jsonl');
    const lines = await readFile(path, 'utf8');
    await writeFile(path, lines.replace('"kind":"session"', '').replace('"step.started"', '"step.begun"'));
    const changes = lab.cloud.changingRequests().length;
    for (const args of [migrateArgs('web01'), ['export', '--vm', 'web01', '-f', 'json']]) {
      const refused = await lab.run(args);
      expect(refused.code, refused.stderr).toBe(3);
      expect(refused.stderr).toContain('(run.unreadable)');
      expect(refused.stderr).toContain(`mv ${join(lab.stateDir, 'runs', run)}`);
    }
    expect(lab.cloud.changingRequests()).toHaveLength(changes);
    const status = await lab.run(['status', '-f', 'json']);
    expect(JSON.parse(status.stdout)).toMatchObject({
      run: null,
      vms: [],
      runs: [{ run, vm: 'web01', state: 'unreadable', error: { code: 'run.journal_damaged' } }],
    });
    const table = await lab.run(['status', '--vm', 'web01']);
    expect(table.stdout).toMatch(new RegExp(`^${run} +web01 .* unreadable `, 'm'));
    expect(table.stderr).toContain(`${run} cannot be read: Line `);
    // Another VM is none of its business.
    expect((await lab.run(['export', '--vm', 'id:2', '--disk', 'none'])).stderr).not.toContain('run.unreadable');
  });
});
