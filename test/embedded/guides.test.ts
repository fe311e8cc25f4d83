import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { guideCommands, missingLines, runGuide } from '../support/guide-blocks.js';
import { makeReader, writeClouds, type Reader } from '../support/guide-reader.js';
import { startCloud, type EmbeddedCloud } from '../lab/cloud/index.js';
import { MIB, buildTree, startHost, vm, type EmbeddedHost, type HostSpec } from '../lab/esxi/index.js';
import { keygen } from '../esxi/ssh/harness.js';

const repo = fileURLToPath(new URL('../../', import.meta.url));

/** The reader's host: one VM that is ready, one that runs, a Windows one, and one with a raw device. */
const GIB = 1024 * MIB;
const hostSpec: HostSpec = {
  shellTimeoutSeconds: 3600,
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
};

interface Peers {
  host: EmbeddedHost;
  cloud: EmbeddedCloud;
  reader: Reader;
}

let dir: string;
const opened: Peers[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-guides-'));
});

afterEach(async () => {
  for (const { host, cloud } of opened.splice(0)) await Promise.all([host.close(), cloud.stop()]);
  await rm(dir, { recursive: true, force: true });
});

/** The page's host and cloud, new, and its reader. */
async function openPeers(): Promise<Peers> {
  const reader = await makeReader(dir);
  // The guide has the reader make this key and put it on the host; that block is not run.
  const key = join(reader.home, '.ssh/esx1');
  keygen('-t', 'ecdsa', '-N', '', '-f', key);
  const [host, cloud] = await Promise.all([
    startHost({
      tree: await buildTree(join(dir, 'tree'), hostSpec),
      authorizedKeys: [await readFile(`${key}.pub`, 'utf8')],
    }),
    startCloud({ directory: join(dir, 'cloud') }),
  ]);
  const peers = { host, cloud, reader };
  opened.push(peers);
  for (const network of cloud.state.networks) if (network.name === 'lab-net') network.name = 'prod';
  const file = z.object({ clouds: z.record(z.string(), z.unknown()) });
  await writeClouds(reader, { scs: file.parse(parse(await readFile(cloud.cloudsYaml, 'utf8'))).clouds['lab'] });
  await writeFile(join(reader.home, 'esx1.password'), `${host.password}\n`, { mode: 0o600 });
  // What a reader types at the prompts; and SSH is not on port 22 here.
  Object.assign(reader.env, {
    STACKFERRY_ESXI_SSH_PORT: String(host.port),
    STACKFERRY_ESXI_PASSWORD: host.password,
    STACKFERRY_ESXI_FINGERPRINT: host.fingerprint,
  });
  return peers;
}

it.each([
  'guides/getting-started.md',
  'guides/plan.md',
  'guides/mapping.md',
  'guides/check.md',
  'guides/guide.md',
  'guides/verify.md',
  'guides/running-vm.md',
  'README.md',
])('runs every command of %s, and shows what it shows', async (page) => {
  const { reader, cloud } = await openPeers();
  const commands = guideCommands(await readFile(join(repo, page), 'utf8'));
  const results = await runGuide(commands, {
    env: reader.env,
    cwd: reader.home,
    before: ({ text }) => {
      // The guide's example of a guest that is slow to boot.
      cloud.settings.delays.boot = text.includes('--timeout-console 5') ? 12_000 : 0;
    },
  });
  expect(results.length + commands.filter(({ never }) => never !== null).length).toBe(commands.length);
  for (const { command, output } of results) {
    expect(missingLines(command.shown, output), `line ${command.line}: $ ${command.text}\n${output}`).toEqual([]);
  }
});

it('leaves out only what must not run here', async () => {
  const reasons: string[] = [];
  let count = 0;
  let ran = 0;
  for (const page of ['getting-started.md', 'step-by-step.md']) {
    for (const { never } of guideCommands(await readFile(join(repo, 'guides', page), 'utf8'))) {
      count += 1;
      if (never === null) ran += 1;
      else if (!reasons.includes(never)) reasons.push(never);
    }
  }
  expect(reasons).toEqual([
    "installs packages on the reader's machine",
    'waits for the password to be typed',
    "changes who may log in to the reader's host",
    'inside the guest',
  ]);
  expect(ran).toBeGreaterThan(55);
  expect(count - ran).toBeLessThanOrEqual(13);
});

it('explains only codes that the program has', async () => {
  const guide = await readFile(join(repo, 'guides/getting-started.md'), 'utf8');
  const rows = guide.slice(guide.indexOf('## Troubleshooting')).split('\n');
  const codes = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([a-z]+\.[a-z_]+)`/g)].flatMap(([, code]) => code ?? []),
  );
  expect(codes.length).toBeGreaterThan(30);
  const files = await readdir(join(repo, 'src'), { recursive: true });
  const sources = await Promise.all(
    files.filter((name) => name.endsWith('.ts')).map((name) => readFile(join(repo, 'src', name), 'utf8')),
  );
  const all = sources.join('\n');
  expect(codes.filter((code) => !all.includes(`'${code}'`))).toEqual([]);
});
