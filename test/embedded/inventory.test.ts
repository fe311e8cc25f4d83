import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { startCloud } from '../lab/cloud/index.js';
import { MIB, ODD_DATASTORE, ODD_NAME, buildTree, sampleHost, startHost, vm, type VmSpec } from '../lab/esxi/index.js';
import { usePeers, type Lab } from '../support/embedded.js';
import { guideCommands, missingLines, runGuide } from '../support/guide-blocks.js';
import { makeReader, writeClouds } from '../support/guide-reader.js';

const GIB = 1024 * MIB;
const of = (name: string, more: Partial<VmSpec> = {}) =>
  vm({
    name,
    cpus: 1,
    memoryMib: 512,
    guestId: 'debian11_64Guest',
    disks: [{ sizeBytes: GIB, dataBytes: MIB }],
    ...more,
  });

const peers = usePeers({
  ...sampleHost(),
  vms: [
    of('web02', { memoryMib: 4096 }),
    of('web10', { disks: [{ sizeBytes: GIB }, { sizeBytes: 2 * GIB, datastore: ODD_DATASTORE }] }),
    of('db', {
      power: 'on',
      tools: 'running',
      cpus: 8,
      nics: [{ network: 'VM Network', ipAddresses: ['192.0.2.30', 'fe80::30'] }, { network: 'prod (20)' }],
    }),
    of(ODD_NAME, { folder: 'odd', disks: [] }),
    of('gone', { vmxFault: 'missing' }),
  ],
});

interface Printed {
  vms: { id: string; name: string; findings: { code: string }[] }[];
  skipped: { name: string }[];
}

async function printed(lab: Lab, ...args: string[]): Promise<string> {
  const ended = await lab.run(['inventory', ...args]);
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout;
}
const names = async (lab: Lab, ...args: string[]) =>
  (JSON.parse(await printed(lab, ...args, '-f', 'json')) as Printed).vms.map(({ name }) => name);
const lines = (text: string) => text.trimEnd().split('\n');

describe.concurrent('which VMs, and in which order', () => {
  test('--vm takes names, globs and ids, each VM once', async () => {
    const lab = await peers.lab();
    const id = String(lab.tree.vm('db').id);
    expect(await names(lab, '--vm', 'web??', '--vm', `id:${id}`, '--vm', 'web02')).toEqual(['web02', 'web10', 'db']);
    const none = await lab.run(['inventory', '--vm', 'mail*']);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('(vm.not_found)');
    const unreadable = await lab.run(['inventory', '--vm', 'gone']);
    expect(unreadable.code).toBe(3);
    expect(unreadable.stderr).toContain('(vm.unreadable)');
  });

  test('--sort-column sorts numbers as numbers and names as people count, up and down, by several', async () => {
    const lab = await peers.lab();
    expect(await names(lab, '--sort-column', 'name')).toEqual(
      [ODD_NAME, 'db', 'web02', 'web10'].sort((a, b) => new Intl.Collator('en', { numeric: true }).compare(a, b)),
    );
    expect((await names(lab, '--sort-column', 'capacity_bytes:desc')).slice(0, 1)).toEqual(['web10']);
    expect(await names(lab, '--sort-column', 'disks:desc', '--sort-column', 'Memory_MiB:DESC')).toEqual([
      'web10',
      'web02',
      'db',
      ODD_NAME,
    ]);
    expect((await names(lab, '--sort-column', 'ready:asc')).slice(0, 2)).toEqual(['web02', 'web10']);
    const wrong = await lab.run(['inventory', '--sort-column', 'colour:desc']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/--sort-column colour is no column.*\n.*Columns: name, id, power, used_size_gib/s);
    expect(lab.host.commands.filter(({ command }) => command.includes('colour'))).toEqual([]);
  });
});

describe.concurrent('which columns', () => {
  test('the table, --long, and -c in the order given', async () => {
    const lab = await peers.lab();
    const [head, ...rows] = lines(await printed(lab));
    expect(head).toMatch(/^NAME +ID +POWER +USED\/SIZE GiB +DISKS +NICS +READY$/i);
    expect(rows).toHaveLength(4);
    const long = lines(await printed(lab, '--long'));
    expect(long[0]).toMatch(
      /^NAME .*NICS +CPUS +MEMORY MIB +GUEST +FIRMWARE +SNAPSHOTS +NETWORKS +ADDRESSES +FINDINGS +READY$/,
    );
    expect(long.find((line) => line.startsWith('db '))).toMatch(
      / 8 +512 +debian11_64Guest +bios +0 +VM Network, prod \(20\) +192\.0\.2\.30, fe80::30 +vm\.powered_on /,
    );
    const chosen = lines(await printed(lab, '-c', 'Memory MiB', '-c', 'name', '--vm', 'web??'));
    expect(chosen.map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['MEMORY MIB', 'NAME'],
      ['4096', 'web02'],
      ['512', 'web10'],
    ]);
  });

  test('csv: fixed columns, --long adds some, -c chooses', async () => {
    const lab = await peers.lab();
    const [plain, long] = [lines(await printed(lab, '-f', 'csv')), lines(await printed(lab, '-f', 'csv', '--long'))];
    expect(plain[0]).toBe(
      'id,name,uuid,vmx_path,guest_id,hardware_version,power_state,cpus,memory_mib,firmware,snapshots,disks,capacity_bytes,allocated_bytes,nics,networks,findings',
    );
    expect(long[0]).toBe(
      `${plain[0] ?? ''},annotation,cores_per_socket,secure_boot,vtpm,encrypted,change_tracking,disk_paths,macs,ip_addresses,blockers,warnings,ready`,
    );
    expect(await printed(lab, '-f', 'csv', '-c', 'name', '-c', 'ip_addresses', '-c', 'disks', '--vm', 'db')).toBe(
      'name,ip_addresses,disks\ndb,192.0.2.30 fe80::30,scsi0:0\n',
    );
  });

  test('json and yaml: a list of objects that hold these columns, fields of the contract as they are', async () => {
    const lab = await peers.lab();
    const args = ['-c', 'name', '-c', 'nics', '-c', 'capacity_bytes', '-c', 'ready', '--vm', 'web10'];
    const json = JSON.parse(await printed(lab, ...args, '-f', 'json')) as unknown;
    expect(json).toEqual([
      {
        name: 'web10',
        nics: [expect.objectContaining({ label: 'ethernet0', network: 'VM Network' })],
        capacity_bytes: 3 * GIB,
        ready: 'yes',
      },
    ]);
    expect(parse(await printed(lab, ...args, '-f', 'yaml'))).toEqual(json);
    const wrong = await lab.run(['inventory', '-c', 'nmae', '-f', 'json']);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('--column nmae is no column');
    const listed = await lab.run(['inventory', '-c', 'power,name']);
    expect(listed).toMatchObject({ code: 2, stdout: '' });
    expect(listed.stderr).toContain('Repeat the option: --column power --column name. Columns: name, ');
  });
});

describe.concurrent('--save and --from', () => {
  test('a saved inventory is printed again without any host, judged anew', async () => {
    const lab = await peers.lab();
    const live = await lab.run(['inventory', '--save', 'esx1.json', '-f', 'json', '--vm', 'web??']);
    expect(live.code, live.stderr).toBe(0);
    expect(live.stderr).toBe('Saved esx1.json: 4 VMs. Nothing was changed.\n');
    const file = join(lab.dir, 'esx1.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const saved = JSON.parse(await readFile(file, 'utf8')) as Printed & { version: number };
    expect(saved.version).toBe(1);
    expect(saved.skipped.map(({ name }) => name)).toEqual(['gone']);
    expect(JSON.stringify(saved)).not.toContain(lab.host.password);

    const asked = lab.host.commands.length;
    const nowhere = { STACKFERRY_ESXI: '', STACKFERRY_ESXI_PASSWORD: '' };
    const offline = async (...args: string[]) => {
      const ended = await lab.run(['inventory', '--from', 'esx1.json', ...args], nowhere);
      expect(ended.code, ended.stderr).toBe(0);
      return ended;
    };
    expect((await offline('-f', 'json', '--vm', 'web??')).stdout).toBe(live.stdout);
    const table = await offline();
    expect(table.stdout).toMatch(/^db .* shut it down first \(vm\.powered_on\)$/m);
    expect(table.stderr).toMatch(/^Saved on .*\nskipped {2}id:\d+ gone: /);
    expect((await offline('-c', 'name', '--sort-column', 'name:desc', '-f', 'csv')).stdout).toMatch(
      /^name\nweb10\nweb02\n/,
    );

    // What is found follows from the facts, not from what stood there before.
    const changed = saved.vms.map((one) =>
      one.name === 'db' ? { ...one, power_state: 'off', findings: [] } : { ...one, power_state: 'suspended' },
    );
    await writeFile(file, JSON.stringify({ ...saved, vms: changed }));
    const again = JSON.parse((await offline('-f', 'json')).stdout) as Printed;
    const codes = Object.fromEntries(again.vms.map((one) => [one.name, one.findings.map(({ code }) => code)]));
    expect(codes['web02']).toEqual(['vm.suspended']);
    expect(codes['db']).not.toContain('vm.powered_on');
    expect(lab.host.commands.length).toBe(asked);
    expect(lab.host.connectionCount).toBe(1);
  });

  test('writes as a whole or not at all', async () => {
    const lab = await peers.lab();
    const file = join(lab.dir, 'kept.json');
    await writeFile(file, 'old', { mode: 0o644 });
    await chmod(file, 0o644);
    await printed(lab, '--save', 'kept.json', '-c', 'name');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const nowhere = await lab.run(['inventory', '--save', 'no/such/folder/x.json']);
    expect(nowhere).toMatchObject({ code: 1, stdout: '' });
    expect(nowhere.stderr).toMatch(/\(output\.unwritable\)\n.*--save/);
    expect((await readdir(lab.dir)).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  test.each([
    ['a newer version', JSON.stringify({ version: 2, vms: [] }), 2, /newer stackferry.*\(inventory\.unreadable\)/],
    ['no JSON', 'NAME ID POWER', 2, /is not JSON/],
    ['an empty file', '', 2, /is empty/],
    ['something else', '{"version": 1}', 2, /is no inventory/],
  ])('refuses %s', async (_, text, code, words) => {
    const lab = await peers.lab();
    await writeFile(join(lab.dir, 'x.json'), text);
    const ended = await lab.run(['inventory', '--from', 'x.json'], { STACKFERRY_ESXI: '' });
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(words);
    expect(lab.host.connectionCount).toBe(0);
  });

  test.each([
    [['--from', 'nowhere.json'], /There is no file nowhere\.json/],
    [['--from', 'x.json', '--esxi', 'esx9'], /Both --from and --esxi/],
    [['--from', 'x.json', '--save', 'y.json'], /--save writes what was read from a host/],
    [['--save', ''], /--save is empty/],
  ])('%j is wrong usage', async (args, words) => {
    const lab = await peers.lab();
    const ended = await lab.run(['inventory', ...args]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(words);
    expect(lab.host.connectionCount).toBe(0);
  });
});

test('every command of guides/inventory.md runs, and shows what it shows', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'stackferry-inventory-guide-'));
  const reader = await makeReader(dir);
  // The host of guides/getting-started.md.
  const tree = await buildTree(join(dir, 'tree'), {
    vms: [
      vm({
        name: 'web01',
        cpus: 2,
        memoryMib: 4096,
        guestId: 'debian12_64Guest',
        disks: [{ sizeBytes: 48 * MIB, mbr: true }, { sizeBytes: 16 * MIB }],
      }),
      vm({
        name: 'db01',
        power: 'on',
        tools: 'running',
        cpus: 4,
        memoryMib: 16_384,
        guestId: 'rhel9_64Guest',
        disks: [{ sizeBytes: 24 * MIB, mbr: true }],
        nics: [{ network: 'VM Network', ipAddresses: ['192.0.2.30'] }],
      }),
      vm({ name: 'win-ad', firmware: 'efi', guestId: 'windows2019srv_64Guest', disks: [{ sizeBytes: 60 * GIB }] }),
      vm({ name: 'store01', disks: [{ sizeBytes: 16 * GIB }, { sizeBytes: 200 * GIB, rdm: 'physical' }] }),
    ],
  });
  const host = await startHost({ tree });
  const cloud = await startCloud({ directory: join(dir, 'cloud') });
  try {
    for (const network of cloud.state.networks) if (network.name === 'lab-net') network.name = 'prod';
    const clouds = z.object({ clouds: z.record(z.string(), z.unknown()) });
    await writeClouds(reader, { scs: clouds.parse(parse(await readFile(cloud.cloudsYaml, 'utf8'))).clouds['lab'] });
    Object.assign(reader.env, {
      STACKFERRY_ESXI_SSH_PORT: String(host.port),
      STACKFERRY_ESXI_PASSWORD: host.password,
      STACKFERRY_ESXI_FINGERPRINT: host.fingerprint,
    });
    const commands = guideCommands(await readFile(new URL('../../guides/inventory.md', import.meta.url), 'utf8'));
    const ran = await runGuide(commands, { env: reader.env, cwd: reader.home });
    expect(ran).toHaveLength(commands.length);
    for (const { command, output } of ran) {
      expect(missingLines(command.shown, output), `line ${command.line}: $ ${command.text}\n${output}`).toEqual([]);
    }
  } finally {
    await Promise.all([host.close(), cloud.stop()]);
    await rm(dir, { recursive: true, force: true });
  }
});

describe.concurrent('plans and checks of a saved inventory', () => {
  test('ask the cloud and not the host, and say the same', async () => {
    const lab = await peers.lab();
    await printed(lab, '--save', 'esx1.json', '-c', 'name');
    const how = ['--vm', 'web??', '--network', '*=lab-net'];
    const live = await lab.run(['plan', ...how, '-f', 'json']);
    expect(live.code, live.stderr).toBe(0);
    const asked = lab.host.commands.length;
    const offline = (...args: string[]) => lab.run(args, { STACKFERRY_ESXI: '', STACKFERRY_ESXI_PASSWORD: '' });

    const plan = await offline('plan', '--from', 'esx1.json', ...how, '-f', 'json');
    expect(plan.code, plan.stderr).toBe(0);
    const timeless = (text: string) => text.replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+Z)?/g, 'now');
    expect(timeless(plan.stdout.replace(/ *"inventory_saved_at": ".*",\n/, ''))).toBe(timeless(live.stdout));
    const file = await offline('plan', '--from', 'esx1.json', ...how, '-o', 'plan.yaml');
    expect(file.code, file.stderr).toBe(0);
    for (const subject of [['plan.yaml'], how]) {
      const checked = await offline('check', '--from', 'esx1.json', ...subject, '-f', 'json');
      expect(checked.code, checked.stderr).toBe(0);
      const { vms, host } = JSON.parse(checked.stdout) as { vms: { vm: string }[]; host: { name: string } };
      expect(vms.map((one) => one.vm)).toEqual(['web02', 'web10']);
      expect(host.name).toBe(lab.host.host);
    }
    const blocked = await offline('check', '--from', 'esx1.json', '--vm', 'db', '--network', '*=lab-net', '-f', 'json');
    expect(blocked.code, blocked.stderr).toBe(3);
    expect(blocked.stdout).toContain('"vm.powered_on"');
    expect(lab.host.commands.length).toBe(asked);
    expect(lab.cloud.changingRequests()).toEqual([]);
  });

  test('estimates of it ask nobody, and use what runs of that host have seen', async () => {
    const lab = await peers.lab();
    await printed(lab, '--save', 'esx1.json', '-c', 'name');
    const asked = lab.host.connectionCount;
    const offline = (...args: string[]) => lab.run(args, { STACKFERRY_ESXI: '', STACKFERRY_ESXI_PASSWORD: '' });
    const shape = z.object({
      rates: z.object({ copy: z.object({ value: z.number(), source: z.string() }) }),
      vms: z.array(z.object({ vm: z.string(), copy_bytes: z.number() })),
    });
    const estimate = async (...args: string[]) => {
      const ended = await offline('estimate', '--from', 'esx1.json', ...args, '-f', 'json');
      expect(ended.code, ended.stderr).toBe(0);
      return shape.parse(JSON.parse(ended.stdout));
    };
    const assumed = await estimate('--vm', 'web??');
    expect(assumed.vms.map(({ vm }) => vm)).toEqual(['web02', 'web10']);
    expect(assumed.rates.copy.source).toBe('assumed');
    expect((await estimate('--rate', '80MiB/s')).rates.copy).toEqual({ value: 80 * 1024 ** 2, source: 'given' });
    const live = await lab.run(['estimate', '--vm', 'web??', '--rate', '80MiB/s', '-f', 'json']);
    expect(shape.parse(JSON.parse(live.stdout)).vms).toEqual(assumed.vms);
    expect(lab.host.connectionCount).toBe(asked + 1);
    expect(lab.cloud.requests()).toEqual([]);
  });

  test('want what was saved whole', async () => {
    const lab = await peers.lab();
    await writeFile(join(lab.dir, 'printed.json'), await printed(lab, '-f', 'json'));
    const { connectionCount } = lab.host;
    const plan = await lab.run(['plan', '--from', 'printed.json', '--vm', 'web02', '--network', '*=lab-net']);
    expect(plan).toMatchObject({ code: 2, stdout: '' });
    expect(plan.stderr).toMatch(/not all that was read.*\(inventory\.unreadable\)\n.*--save/s);
    const diff = await lab.run(['plan', '--diff', 'plan.yaml', '--from', 'printed.json']);
    expect(diff).toMatchObject({ code: 2, stdout: '' });
    expect(diff.stderr).toContain('--diff compares a plan with the host itself');
    expect(lab.host.connectionCount).toBe(connectionCount);
  });
});
