import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { addSshClients, makeReader, writeClouds, type Reader } from '../support/guide-reader.js';
import { CLOUDS_FILE, type Resource } from '../support/real-cloud.js';
import { PATIENCE, VM, cloudBench, expectDone, resultOf, type VmResult } from './bench.js';
import { pictureOf } from './picture.js';

/**
 * `stackferry guide -f sh` against the real sshd, the real `openstack` client and the real OpenStack: what its script
 * makes is what `migrate` makes, and its `undo` leaves nothing of it.
 */

const NAME = 'by-hand-web01';
const NETWORK = 'by-hand';
const CHOICES = ['--network', `VM Network=${NETWORK}`, '--security-group', 'web_ssh', '--name', NAME];
const bench = cloudBench();
let dir: string;
let reader: Reader;
const made: { network?: string } = {};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-guide-'));
  reader = await makeReader(dir);
  const {
    STACKFERRY_ESXI: address = '',
    STACKFERRY_ESXI_SSH_PORT: port = '',
    STACKFERRY_ESXI_PASSWORD: password = '',
    STACKFERRY_STATE_DIR: stateDir = '',
  } = bench.env();
  const { stdout } = await promisify(execFile)('ssh-keyscan', ['-p', port, '-t', 'ecdsa', address]);
  const key = stdout.replace(/^#.*\n/gm, '').replace(/^\S+ /, '');
  await addSshClients(reader, { address, port, password, knownHosts: `esx1 ${key}[esx1]:${port} ${key}` });
  // What a reader's DNS does for it, too.
  const scan = join(reader.env['PATH']?.split(':', 1)[0] ?? '', 'ssh-keyscan');
  await writeFile(
    scan,
    `#!/bin/sh\nfor last; do :; done\n[ "$last" = esx1 ] && exec /usr/bin/ssh-keyscan -p ${port} ${address}\n`,
  );
  await chmod(scan, 0o755);
  const file = z.object({ clouds: z.record(z.string(), z.unknown()) });
  await writeClouds(reader, { scs: file.parse(parse(await readFile(CLOUDS_FILE, 'utf8'))).clouds['lab'] });
  Object.assign(reader.env, {
    STACKFERRY_ESXI: 'esx1',
    STACKFERRY_ESXI_SSH_PORT: port,
    STACKFERRY_ESXI_PASSWORD: password,
    STACKFERRY_STATE_DIR: stateDir,
    OS_CLOUD: 'scs',
  });
  const answer = await bench.cloud.request('network', 'POST', '/v2.0/networks', { network: { name: NETWORK } });
  const { id } = z.object({ network: z.object({ id: z.string() }) }).parse(answer).network;
  made.network = id;
  const subnet = { name: `${NETWORK}-subnet`, network_id: id, ip_version: 4, cidr: '10.176.0.0/24' };
  await bench.cloud.request('network', 'POST', '/v2.0/subnets', { subnet });
});

afterAll(async () => {
  // A script that broke off has left things; its own undo knows them best.
  if ((await ours()).length > 0) await shell(`echo ${NAME} | sh guide.sh undo`).catch(() => undefined);
  if (made.network !== undefined) {
    await bench.cloud.removeRuns(await bench.runs());
    await bench.cloud.request('network', 'DELETE', `/v2.0/networks/${made.network}`);
  }
  await rm(dir, { recursive: true, force: true });
});

async function shell(text: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', text], {
    cwd: reader.home,
    env: reader.env,
    maxBuffer: 2 ** 26,
  }).catch((error: unknown) => {
    const said = z.object({ stdout: z.string(), stderr: z.string() }).parse(error);
    throw new Error(`${text}\n${said.stdout}\n${said.stderr}`);
  });
  return `${stdout}${stderr}`;
}

/** All of the project that bears the test's name. */
async function ours(): Promise<Resource[]> {
  return (await bench.cloud.everything()).filter(({ kind, ...row }) => {
    return kind !== 'network' && kind !== 'subnet' && String(row['name']).startsWith(NAME);
  });
}

/** What the script notes of what it has made. */
async function idsOf(folder: string): Promise<Record<string, string>> {
  const text = await readFile(join(reader.home, folder, 'ids'), 'utf8');
  return Object.fromEntries([...text.matchAll(/^(\w+)=(.+)$/gm)].map(([, name, id]) => [name ?? '', id ?? '']));
}

/** The same without the marks by which a run finds again what it made. */
function withoutMarks(picture: unknown): unknown {
  const text = JSON.stringify(picture, (key, value: unknown) => {
    if (/^stackferry_(run|step)$/.test(key)) return undefined;
    if (key === 'description' && typeof value === 'string') return value.replace(/^stackferry_run=.*$/, '');
    if (key === 'tags' && Array.isArray(value))
      return value.filter((tag: unknown) => !/^stackferry_(run|step)=/.test(String(tag))) as unknown[];
    return value;
  });
  return JSON.parse(text) as unknown;
}

test('the script makes what migrate makes, goes on where it was, and takes all of it back', async () => {
  await shell(`stackferry guide --vm ${VM} ${CHOICES.map((word) => `'${word}'`).join(' ')} -f sh > guide.sh`);
  const script = await readFile(join(reader.home, 'guide.sh'), 'utf8');
  expect(script).not.toContain(reader.env['STACKFERRY_ESXI_PASSWORD']);
  const said = await shell('sh guide.sh');
  expect(said).toContain('lab-guest login:');
  const folder = /^mkdir -p (\S+)\ncd \1$/m.exec(script)?.[1] ?? '';
  const ids = await idsOf(folder);
  expect(Object.keys(ids).sort()).toEqual(['IMAGE0', 'IMAGE1', 'PORT0', 'SERVER', 'VOLUME0', 'VOLUME1']);

  // Again: nothing is made anew.
  await shell('sh guide.sh');
  expect(await idsOf(folder)).toEqual(ids);

  const server = await bench.cloud.show('server', ids['SERVER'] ?? '');
  const sizes = [...script.matchAll(/"virtual-size": (\d+)/g)].map(([, size]) => Number(size));
  const byScript: VmResult & { run: string } = {
    run: 'no run',
    vm: VM,
    id: '',
    state: 'done',
    server_id: server.id,
    image_ids: [ids['IMAGE0'] ?? '', ids['IMAGE1'] ?? ''],
    volumes: [0, 1].map((index) => ({
      label: `scsi0:${index}`,
      volume_id: ids[`VOLUME${index}`] ?? '',
      size_gib: 1,
      capacity_bytes: sizes[index] ?? 0,
      content_hash: '',
    })),
    ports: [{ label: 'ethernet0', port_id: ids['PORT0'] ?? '', mac: '', ip_addresses: [] }],
    error: null,
  };
  const pictureByHand = withoutMarks(await pictureOf(bench, byScript));

  await shell(`echo ${NAME} | sh guide.sh undo`);
  await expect.poll(async () => (await ours()).map(({ kind, id }) => `${kind} ${id}`), { timeout: 60_000 }).toEqual([]);
  await expect(readFile(join(reader.home, folder, 'ids'))).rejects.toThrow(/ENOENT/);

  const choices = [...CHOICES, ...PATIENCE].map((word) => `'${word}'`).join(' ');
  await shell(`stackferry migrate --vm ${VM} ${choices} --yes -f json > migrate.json`);
  const stdout = await readFile(join(reader.home, 'migrate.json'), 'utf8');
  const byMigrate = resultOf({ code: 0, signal: null, stdout, stderr: '' });
  expect(pictureByHand).toEqual(withoutMarks(await pictureOf(bench, byMigrate)));
  expect(pictureByHand).toMatchObject({
    server: { name: NAME, status: 'ACTIVE', metadata: { stackferry_vm: VM } },
    volumes: [{ bootable: 'true' }, { bootable: 'false' }],
    images: [{ hw_disk_bus: 'scsi', visibility: 'private' }, {}],
  });

  // And the same again, out of the run's journal.
  const fromRun = await shell(`stackferry guide --run ${byMigrate.run} -f sh`);
  expect(fromRun).toContain(`--network ${made.network ?? ''}`);
  expect(fromRun).toContain('/vmfs/volumes/datastore1/web01/web01_1-flat.vmdk');
  expectDone(await bench.run(['rollback', byMigrate.run, '--discard', VM]));
}, 1_800_000); // some sixty runs of the client, each of which takes seconds
