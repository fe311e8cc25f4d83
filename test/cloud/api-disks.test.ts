import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/core/index.js';
import { SoapSession } from '../../src/esxi/soap/session.js';
import type { InventoryVm } from '../../src/migration/read-inventory.js';
import { recorder } from '../esxi/ssh/harness.js';
import { startCloud, type EmbeddedCloud } from '../lab/cloud/index.js';
import { contentHash, migrateArgs, resultOf } from '../support/embedded.js';
import { journal, run, type Ended } from '../support/program.js';
import { patterned, writeFlat } from '../support/vmdk-files.js';
import { labEnv } from './lab-env.js';
import { createVm } from './sim-vm.js';

/**
 * The whole program over HTTPS alone: VMware's own simulator (`scripts/lab vcsim up`) gives out the files of a VM's disks,
 * the embedded cloud takes them.
 */

const MIB = 1024 * 1024;
const NAME = 'moved by api';
const DISKS = [
  { label: 'scsi0:0', file: 'moved by api', content: patterned(69 * MIB, 'boot') },
  { label: 'scsi0:1', file: 'moved by api_1', content: patterned(5 * MIB, 'data') },
] as const;

let dir: string;
let sim: Record<string, string>;
let env: Record<string, string>;
let cloud: EmbeddedCloud;
let hashes: string[];

const govc = async (...args: string[]) =>
  promisify(execFile)(sim['LAB_VCSIM_GOVC'] ?? '', args, { env: { ...process.env, ...sim }, timeout: 60_000 });
const call = (args: readonly string[], more: Record<string, string> = {}): Promise<Ended> =>
  run(args, { ...env, ...more }, dir);

function machine(): InventoryVm {
  const disks = DISKS.map(({ label, file, content }) => ({
    label,
    controller: 'pvscsi',
    path: `[datastore1] ${NAME}/${file}.vmdk`,
    capacity_bytes: content.length,
    mode: 'persistent',
  }));
  const nic = {
    label: 'ethernet0',
    model: 'vmxnet3',
    mac: '00:0c:29:aa:bb:cc',
    network: 'VM Network',
    connected: false,
  };
  return {
    name: NAME,
    hardware_version: 'vmx-13',
    uuid: '564d0000-1111-2222-3333-444455556666',
    guest_id: 'debian11_64Guest',
    annotation: null,
    vmx_path: `[datastore1] ${NAME}/${NAME}.vmx`,
    cpus: 1,
    cores_per_socket: 1,
    memory_mib: 256,
    firmware: 'bios',
    secure_boot: false,
    change_tracking: false,
    power_state: 'off',
    findings: [],
    disks,
    nics: [nic],
  } as unknown as InventoryVm;
}

const removeVm = () => govc('vm.destroy', NAME).catch(() => undefined);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-api-disks-'));
  sim = await labEnv('vcsim');
  cloud = await startCloud({
    directory: join(dir, 'cloud'),
    settings: { delays: { volume: 0, server: 0, power: 0 } },
  });
  env = { ...sim, ...cloud.environment(), HOME: dir, STACKFERRY_STATE_DIR: join(dir, 'state') };
  await removeVm(); // of a run that was killed
  const folder = join(sim['LAB_VCSIM_DATASTORE'] ?? '', NAME);
  await mkdir(folder, { recursive: true });
  hashes = [];
  for (const { file, content } of DISKS) {
    await writeFlat(folder, file, content);
    hashes.push(await contentHash(join(folder, `${file}-flat.vmdk`), content.length));
  }
  const [host = '', port = ''] = (sim['STACKFERRY_ESXI'] ?? '').split(':');
  const { ctx } = recorder();
  const session = await SoapSession.open(
    {
      host,
      port: Number(port),
      user: 'root',
      password: () => Promise.resolve(new Secret(sim['STACKFERRY_ESXI_PASSWORD'] ?? '')),
      fingerprint: sim['STACKFERRY_ESXI_FINGERPRINT'] ?? '',
      insecure: false,
    },
    ctx,
  );
  await createVm(session, ctx, machine());
  await session.close();
});

afterAll(async () => {
  await removeVm();
  await cloud.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('a VM whose host is reached over HTTPS alone', () => {
  test('is exported, file by file and as images, with equal bytes', async () => {
    const files = await call(['export', '--vm', NAME, '--output', join(dir, 'files'), '-f', 'json']);
    expect(files.code, files.stderr).toBe(0);
    const images = await call([
      'export',
      '--vm',
      NAME,
      '--disk-format',
      'raw',
      '--output',
      join(dir, 'raw'),
      '-f',
      'json',
    ]);
    expect(images.code, images.stderr).toBe(0);
    for (const { stdout } of [files, images]) {
      const { disks } = JSON.parse(stdout) as { disks: { content_hash: string; path: string }[] };
      expect(disks.map((disk) => disk.content_hash)).toEqual(hashes);
    }
    for (const [index, { label, content }] of DISKS.entries()) {
      const path = join(dir, 'raw', `${label.replace(':', '-')}.raw`);
      expect((await readFile(path)).equals(content), `${label}, disk ${index}`).toBe(true);
    }
  });

  test('is uploaded, and the run notes what it was read by', async () => {
    const own = { STACKFERRY_STATE_DIR: join(dir, 'upload') };
    const ended = await call(['upload', '--vm', NAME, '-f', 'json'], own);
    expect(ended.code, ended.stderr).toBe(0);
    const { run: id } = JSON.parse(ended.stdout) as { run: string };
    const lines = await journal(own.STACKFERRY_STATE_DIR, id);
    expect(lines).toContainEqual(expect.objectContaining({ kind: 'plan', section: 'source_door', value: 'https' }));
    expect((await call(['rollback', id, '--yes'], own)).code).toBe(0);
  });

  test('is moved: what would be done is told first, and the volumes hold its bytes', async () => {
    const args = migrateArgs(NAME, '--wait-for', 'active');
    const before = cloud.changingRequests().length;
    const own = { STACKFERRY_STATE_DIR: join(dir, 'migrate') };
    const dry = await call([...args, '--dry-run'], own);
    expect(dry.code, dry.stderr).toBe(0);
    expect(cloud.changingRequests()).toHaveLength(before);
    const result = resultOf(await call(args, own));
    const volumes = result.vms[0]?.volumes ?? [];
    expect(volumes.map((volume) => volume.content_hash)).toEqual(hashes);
    const arrived = volumes.map((volume) =>
      contentHash(cloud.volumeFile(volume.volume_id), volume.capacity_bytes ?? 0),
    );
    expect(await Promise.all(arrived)).toEqual(hashes);
  });

  test('is found by itself where SSH is closed, with one line that says why', async () => {
    const certificate = join(dir, 'certificate.pem');
    await writeFile(certificate, await readFile(sim['LAB_VCSIM_CERT'] ?? ''));
    // Nothing listens there: SSH is off.
    const auto = { STACKFERRY_ESXI_TRANSPORT: 'auto', STACKFERRY_ESXI_SSH_PORT: '1' };
    const { stdout, stderr, code } = await call(['inventory', '--vm', NAME], auto);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(NAME);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/is read by its API \(https\): .* refuses connections on port 1/);
    // The pin of another key opens neither door.
    const wrong = await call(['inventory'], { ...auto, STACKFERRY_ESXI_FINGERPRINT: `SHA256:${'A'.repeat(43)}` });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/SSH is off there[^]*Its API was tried, too: The certificate .* is not trusted/);
    const trusted = { ...auto, STACKFERRY_ESXI_FINGERPRINT: `SHA256:${'A'.repeat(43)}` };
    expect((await call(['inventory', '--esxi-cacert', certificate], trusted)).code).toBe(0);
  });

  test('has its doors told by doctor, which takes no lease', async () => {
    const auto = { STACKFERRY_ESXI_TRANSPORT: 'auto', STACKFERRY_ESXI_SSH_PORT: '1' };
    const { stdout, stderr, code } = await call(['doctor', '-f', 'json'], auto);
    expect(code, stderr).toBe(0);
    interface Row {
      area: string;
      what: string;
      state: string;
      seen: string;
      hint: string | null;
    }
    const rows = (JSON.parse(stdout) as { checks: Row[] }).checks.filter(({ area }) => area === 'host');
    const states = Object.fromEntries(rows.map(({ what, state }) => [what, state]));
    expect(states).toMatchObject({ ssh: 'warning', api: 'ok', 'https datastore': 'ok', 'nfc lease': 'ok' });
    const row = (what: string) => rows.find((one) => one.what === what);
    expect(row('ssh')?.hint).toContain('Turn SSH on');
    expect(row('https datastore')?.seen).toMatch(/ on one connection /);
    expect(await govc('tasks').then((answer) => answer.stdout)).not.toContain('Export');
  });
});
