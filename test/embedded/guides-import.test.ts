import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { startCloud, type EmbeddedCloud } from '../lab/cloud/index.js';
import { guideCommands, missingLines, runGuide } from '../support/guide-blocks.js';
import { makeReader, writeClouds } from '../support/guide-reader.js';
import { bootDisk, descriptorOf, streamOptimized, vmxOf, writeOva } from '../support/import-files.js';
import { patterned, writeFlat } from '../support/vmdk-files.js';

const MIB = 1024 ** 2;
const page = fileURLToPath(new URL('../../guides/import.md', import.meta.url));

let dir: string;
let cloud: EmbeddedCloud;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-guide-import-'));
  cloud = await startCloud({ directory: join(dir, 'cloud') });
  for (const network of cloud.state.networks) if (network.name === 'lab-net') network.name = 'prod';
});
afterAll(async () => {
  await cloud.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The files of the page in the reader's home. */
async function putFiles(home: string): Promise<void> {
  await writeOva(home, 'web01', bootDisk('guide web01'));
  await writeOva(home, 'web02', bootDisk('guide web02'));
  for (const folder of ['vapp', 'db02']) await mkdir(join(home, folder));
  const vms = ['web03', 'db01'].map((name) => ({ name, file: `${name}.vmdk`, mebibytes: 8 }));
  await writeFile(join(home, 'vapp/vapp.ovf'), descriptorOf(vms));
  for (const { name, file } of vms) {
    await writeFile(join(home, 'vapp', file), await streamOptimized(home, bootDisk(`guide ${name}`)));
  }
  await writeFlat(join(home, 'db02'), 'db02', bootDisk('guide db02'));
  await writeFile(join(home, 'db02/db02.vmx'), vmxOf('db02'));
  await writeFile(join(home, 'old.raw'), bootDisk('guide old'));
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', 'old.raw', 'old.qcow2'], { cwd: home });
  await writeFile(join(home, 'data.img'), patterned(3 * MIB, 'guide data'));
}

it('runs every command of guides/import.md, and shows what it shows', async () => {
  const reader = await makeReader(dir);
  const file = z.object({ clouds: z.record(z.string(), z.unknown()) });
  await writeClouds(reader, { scs: file.parse(parse(await readFile(cloud.cloudsYaml, 'utf8'))).clouds['lab'] });
  await putFiles(reader.home);
  const commands = guideCommands(await readFile(page, 'utf8'));
  const results = await runGuide(commands, { env: reader.env, cwd: reader.home });
  expect(results.length + commands.filter(({ never }) => never !== null).length).toBe(commands.length);
  for (const { command, output } of results) {
    expect(missingLines(command.shown, output), `line ${command.line}: $ ${command.text}\n${output}`).toEqual([]);
  }
  const names = cloud.state.servers.map(({ name }) => name);
  expect(names.sort()).toEqual(['db01', 'db02', 'old', 'web01', 'web02']);
});
