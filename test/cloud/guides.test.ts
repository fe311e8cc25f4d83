import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { guideCommands, missingLines, runGuide } from '../support/guide-blocks.js';
import { addSshClients, makeReader, writeClouds, type Reader } from '../support/guide-reader.js';
import { CLOUDS_FILE, runOf, type Kind, type Resource } from '../support/real-cloud.js';
import { cloudBench } from './bench.js';

/**
 * guides/step-by-step.md against the real sshd and the real OpenStack: the raw commands (ssh, scp, qemu-img, openstack)
 * and the program's own, in the order of the page, in one shell.
 */

const GUIDE = fileURLToPath(new URL('../../guides/step-by-step.md', import.meta.url));
const bench = cloudBench();
let dir: string;
let reader: Reader;
let before: ReadonlySet<string> = new Set();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-guides-'));
  reader = await makeReader(dir);
  const {
    STACKFERRY_ESXI: address = '',
    STACKFERRY_ESXI_SSH_PORT: port = '',
    STACKFERRY_ESXI_PASSWORD: password = '',
    STACKFERRY_STATE_DIR: stateDir = '',
  } = bench.env();
  const { stdout } = await promisify(execFile)('ssh-keyscan', ['-p', port, '-t', 'ecdsa', address]);
  const key = stdout.replace(/^#.*\n/gm, '').replace(/^\S+ /, '');
  // ssh looks for the name that its configuration gives, stackferry for name and port.
  await addSshClients(reader, { address, port, password, knownHosts: `esx1 ${key}[esx1]:${port} ${key}` });
  const file = z.object({ clouds: z.record(z.string(), z.unknown()) });
  await writeClouds(reader, { scs: file.parse(parse(await readFile(CLOUDS_FILE, 'utf8'))).clouds['lab'] });
  Object.assign(reader.env, {
    STACKFERRY_ESXI_SSH_PORT: port,
    STACKFERRY_ESXI_PASSWORD: password,
    STACKFERRY_STATE_DIR: stateDir,
  });
  await removeAll(); // what an earlier run of this file left that was killed: the page wants its names for itself
  before = new Set((await bench.listing()).map(({ id }) => id));
  await makeNetwork('prod', '10.179.0.0/24');
});

afterAll(async () => {
  await removeAll();
  await rm(dir, { recursive: true, force: true });
});

/** The network of the guide, which the lab does not have. */
async function makeNetwork(name: string, cidr: string): Promise<void> {
  const answer = await bench.cloud.request('network', 'POST', '/v2.0/networks', { network: { name } });
  const { id } = z.object({ network: z.object({ id: z.string() }) }).parse(answer).network;
  const subnet = { name: `${name}-subnet`, network_id: id, ip_version: 4, cidr };
  await bench.cloud.request('network', 'POST', '/v2.0/subnets', { subnet });
}

const isOurs = (row: Resource) =>
  !before.has(row.id) && runOf(row) === undefined && /^(web01|prod)/.test(String(row['name']));

const PATHS: Partial<Record<Kind, [service: string, path: string]>> = {
  server: ['compute', '/servers'],
  port: ['network', '/v2.0/ports'],
  volume: ['volumev3', '/volumes'],
  image: ['image', '/v2/images'],
  subnet: ['network', '/v2.0/subnets'],
  network: ['network', '/v2.0/networks'],
};

/** In the order in which they let go of one another; what the page's own runs made is the bench's. */
async function removeAll(): Promise<void> {
  for (const kind of ['server', 'port', 'volume', 'image', 'subnet', 'network'] as const) await remove(kind);
}

/** Removes what a page that broke off has left. */
async function remove(kind: Kind): Promise<void> {
  const [service, path] = PATHS[kind] ?? ['', ''];
  for (let tries = 0; tries < 60; tries++) {
    const rows = (await bench.cloud.list(kind)).filter(isOurs);
    if (rows.length === 0) return;
    for (const { id } of rows) await bench.cloud.request(service, 'DELETE', `${path}/${id}`).catch(() => undefined);
    await sleep(2000);
  }
  throw new Error(`the ${kind}s of the guide do not go`);
}

test('every command of step-by-step.md runs, shows what the page shows, and the page undoes it all', async () => {
  const commands = guideCommands(await readFile(GUIDE, 'utf8'));
  const results = await runGuide(commands, { env: reader.env, cwd: reader.home, timeoutSeconds: 600 });
  expect(results.length + commands.filter(({ never }) => never !== null).length).toBe(commands.length);
  for (const { command, output } of results) {
    expect(missingLines(command.shown, output), `line ${command.line}: $ ${command.text}\n${output}`).toEqual([]);
  }
  const network = /^prod/;
  const left = (await bench.listing()).filter(
    ({ id, ...row }) => !before.has(id) && !network.test(String(row['name'])),
  );
  // Ports of DHCP, which Neutron makes for a network by itself, go with it.
  const named = left.filter(({ kind, ...row }) => kind !== 'port' || row['device_owner'] !== 'network:dhcp');
  expect(named.map(({ kind, id, ...row }) => `${kind} ${id} ${String(row['name'])}`)).toEqual([]);
});
