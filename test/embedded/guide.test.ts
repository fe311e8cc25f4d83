import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keygen } from '../esxi/ssh/harness.js';
import { MIB } from '../lab/esxi/index.js';
import { fakePrograms, type FakePrograms } from '../migration/guide/fake-programs.js';
import { contentHash, migrateArgs, resultOf, smallVm, sourceHashes, usePeers, type Lab } from '../support/embedded.js';

/**
 * `stackferry guide` through the whole program. Its scripts are run with the real ssh client against the embedded host
 * and with the real qemu-img; only `openstack` is one that writes down how it is called.
 */

const ODD = 'Daten größer (2)';
const NAME = "web's 01 (größe)";

const peers = usePeers({
  shellTimeoutSeconds: 3600,
  datastores: [
    { name: 'datastore1', type: 'VMFS-6' },
    { name: ODD, type: 'VMFS-5' },
  ],
  vms: [
    smallVm('web01'),
    smallVm(NAME, {
      datastore: ODD,
      disks: [{ sizeBytes: 8 * MIB, mbr: true }],
      snapshots: [{ name: 'one' }, { name: 'two' }],
    }),
    smallVm('snap', { disks: [{ sizeBytes: 8 * MIB, mbr: true }], snapshots: [{ name: 'only' }] }),
    smallVm('db01', { power: 'on', tools: 'running' }),
    smallVm('no-nic', { nics: [] }),
  ],
});

let dir: string;
let key: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-guide-'));
  key = join(dir, 'key');
  keygen('-t', 'ecdsa', '-N', '', '-f', key);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function openLab(): Promise<Lab> {
  return peers.lab({ host: { authorizedKeys: [await readFile(`${key}.pub`, 'utf8')] } });
}

/** What a person has who runs the script: their ssh with a key, their qemu-img, and the client of the cloud. */
async function desk(lab: Lab): Promise<FakePrograms> {
  const programs = await fakePrograms(await mkdtemp(join(dir, 'desk-')), {
    project: lab.cloud.state.projects.find(({ name }) => name === 'lab')?.id ?? '',
    uuid: '',
    power: 'off',
    size: 0,
    links: 0,
  });
  const bin = programs.env['PATH']?.split(':', 1)[0] ?? '';
  for (const name of ['qemu-img', 'ssh-keygen', 'ssh-keyscan']) await rm(join(bin, name));
  const options = `-i '${key}' -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -F /dev/null`;
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh ${options} "$@"\n`);
  await chmod(join(bin, 'ssh'), 0o755);
  return programs;
}

const TO_LAB = ['--network', 'VM Network=lab-net'];

async function guide(lab: Lab, ...args: string[]): Promise<string> {
  const ended = await lab.run(['guide', ...args]);
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout;
}

const changing = (lab: Lab) =>
  lab.cloud.requests().filter(({ method, service }) => method !== 'GET' && method !== 'HEAD' && service !== 'identity');

describe('the script', () => {
  it.each([
    ['a VM with two disks', 'web01'],
    ['a chain of vmfsSparse links, in a place with odd names', NAME],
    ['a chain of seSparse links', 'snap'],
  ])('reads %s as its guest does', async (_, name) => {
    const lab = await openLab();
    const script = await guide(lab, '--vm', name, ...TO_LAB, '--image-format', 'raw', '-f', 'sh');
    expect(changing(lab)).toEqual([]);
    const programs = await desk(lab);
    const ran = await programs.run('sh', script);
    expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    const folder = /^mkdir -p (\S+)\ncd \1$/m.exec(script)?.[1] ?? '';
    const images = [...script.matchAll(/^qemu-img compare -f vmdk -F raw .* (\S+\.raw) \|\|$/gm)].map(
      ([, file]) => file ?? '',
    );
    const sizes = [...script.matchAll(/"virtual-size": (\d+)/g)].map(([, size]) => Number(size));
    const hashes = await Promise.all(
      images.map((file, index) => contentHash(join(programs.cwd, folder, file), sizes[index] ?? 0)),
    );
    expect(hashes).toEqual(await sourceHashes(lab, name));
    expect(hashes.length).toBeGreaterThan(0);
  });

  it('shuts a running VM down, and copies it then', async () => {
    const lab = await openLab();
    const script = await guide(lab, '--vm', 'db01', ...TO_LAB, '-f', 'sh');
    expect(script).toContain('---- 2. Shut db01 down ----');
    const programs = await desk(lab);
    const ran = await programs.run('sh', script);
    expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    expect(lab.host.commands.some(({ command }) => command.startsWith('vim-cmd vmsvc/power.shutdown'))).toBe(true);
  });
});

describe('a guide', () => {
  /** Without the lines that say when and from what it was made. */
  const lasting = (text: string) =>
    text
      .replace(/^.*Made by stackferry .*$/gm, '')
      .replace(/image_build_date=[\d-]+ [\d:]+/g, '')
      .replace(/\s*\\\n\s*/g, ' ');

  it('is the same out of a plan file', async () => {
    const lab = await openLab();
    const made = await lab.run(['plan', '--vm', 'web01', '--vm', 'no-nic', ...TO_LAB, '-o', 'plan.yaml']);
    expect(made.code, made.stderr).toBe(0);
    for (const format of ['md', 'sh']) {
      const fromPlan = await guide(lab, 'plan.yaml', '--vm', 'web01', '-f', format);
      expect(lasting(fromPlan)).toBe(lasting(await guide(lab, '--vm', 'web01', ...TO_LAB, '-f', format)));
    }
    expect(await guide(lab, 'plan.yaml', '--vm', 'no-nic')).toContain('--nic none');
    const several = await lab.run(['guide', 'plan.yaml']);
    expect(several.code).toBe(2);
    expect(several.stderr).toMatch(/A guide is for one VM, and these are 2: web01 \(id:\d+\), no-nic \(id:\d+\)\./);
    expect(changing(lab)).toEqual([]);
  });

  it('is the same out of a saved inventory, without the host', async () => {
    const lab = await openLab();
    expect((await lab.run(['inventory', '--save', 'esx1.json', '-c', 'name'])).code).toBe(0);
    expect((await lab.run(['plan', '--vm', NAME, '--vm', 'snap', ...TO_LAB, '-o', 'plan.yaml'])).code).toBe(0);
    const live = await Promise.all(
      [NAME, 'snap'].map((vm) =>
        guide(lab, '--vm', vm, ...TO_LAB, '-f', 'sh', '--esxi-fingerprint', lab.host.fingerprint),
      ),
    );
    const asked = lab.host.connectionCount;
    const offline = {
      ...lab,
      run: (args: string[]) => lab.run(args, { STACKFERRY_ESXI: '', STACKFERRY_ESXI_PASSWORD: '' }),
    };
    const from = ['--from', 'esx1.json', '-f', 'sh', '--esxi-fingerprint', lab.host.fingerprint];
    const body = (text: string) => lasting(text.slice(text.indexOf('\n# VM ')));
    for (const [index, vm] of [NAME, 'snap'].entries()) {
      for (const which of [
        ['--vm', vm, ...TO_LAB],
        ['plan.yaml', '--vm', vm],
      ]) {
        const text = await guide(offline, ...which, ...from);
        expect(body(text)).toBe(body(live[index] ?? ''));
        expect(text.replace(/\n# /g, ' ')).toMatch(
          /Made by .*, of a saved inventory of \d{4}-\d\d-\d\d \d\d:\d\d UTC, less than a day ago: the host was not asked/,
        );
      }
    }
    const nobodyKnows = await guide(offline, '--vm', 'web01', ...TO_LAB, '--from', 'esx1.json');
    expect(nobodyKnows).toContain("The host's key is one that the host itself shows");
    expect(lab.host.connectionCount).toBe(asked);
    expect(changing(lab)).toEqual([]);
  });

  it('refuses a plan whose VM has changed since', async () => {
    const lab = await openLab();
    expect((await lab.run(['plan', '--vm', 'web01', ...TO_LAB, '-o', 'plan.yaml'])).code).toBe(0);
    const path = join(lab.dir, 'plan.yaml');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/memory_mib: 256/, 'memory_mib: 512'));
    const ended = await lab.run(['guide', 'plan.yaml']);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('web01 has changed since the plan was made: memory_mib 512 -> 256.');
  });

  it('says by hand what a run did, without host and cloud', async () => {
    const lab = await openLab();
    const before = await guide(lab, '--vm', 'web01', ...TO_LAB, '-f', 'sh');
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    const text = await guide(
      { ...lab, run: (args) => lab.run(args, { OS_AUTH_URL: 'http://127.0.0.1:1/v3' }) },
      '--run',
      run,
      '-f',
      'sh',
    );
    const commands = (script: string) =>
      lasting(script)
        .split('\n')
        .filter((line) => /^ *(\w+=\$\(|qemu-img|ssh|test|openstack)/.test(line) && !line.includes('ssh-keyscan'))
        .map((line) => line.replace(/--(network|flavor) \S+/g, '--$1 X'));
    expect(commands(text)).toEqual(commands(before));
  });

  it.each([
    [['guide'], 'No VM is named.'],
    [['guide', '--run', 'r1', '--vm', 'web01'], 'A run has its VM and its plan.'],
    [['guide', '--run', 'r1', '--flavor', 'x'], 'The run says what goes where'],
    [['guide', '--run', 'r1', '--from', 'esx1.json'], 'The guide of a run is made of its journal'],
    [['guide', '--run', 'nope'], 'There is no run nope'],
    [['guide', '--vm', '*', '--network', '*=lab-net'], 'A guide is for one VM, and these are 5:'],
    [['guide', '--vm', 'web01', '-f', 'pdf'], "argument 'pdf' is invalid"],
  ])('%j is refused', async (args, message) => {
    const lab = await openLab();
    const ended = await lab.run(args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(message);
    expect(ended.stdout).toBe('');
  });
});
