import { appendFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { FolderServer } from '../esxi/folder/folder-server.js';
import { MIB } from '../lab/esxi/index.js';
import { expectKilled, killAt, smallVm, sourceHashes, usePeers, type Lab } from '../support/embedded.js';
import { journal } from '../support/program.js';

/** `--esxi-transport auto` beside an open SSH: the datastores of the same host over HTTPS, in the form of its `/folder`. */

const peers = usePeers({
  vms: [smallVm('web01'), smallVm('large', { disks: [{ sizeBytes: 176 * MIB, mbr: true, dataBytes: 170 * MIB }] })],
});
const servers: FolderServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function withFolder(): Promise<{ lab: Lab; server: FolderServer; https: Record<string, string> }> {
  const lab = await peers.lab({ host: { password: 'secret' } });
  const server = new FolderServer(join(lab.tree.dir, 'vmfs', 'volumes'));
  servers.push(server);
  const port = await server.listen();
  const authority = join(lab.dir, 'authority.pem');
  await writeFile(authority, server.cert);
  return { lab, server, https: { STACKFERRY_ESXI: `127.0.0.1:${port}`, STACKFERRY_ESXI_CACERT: authority } };
}

const exportArgs = (lab: Lab, vm: string) => [
  ...['export', '--vm', vm, '--disk-format', 'raw', '--output', join(lab.dir, 'out'), '-f', 'json'],
];

function hashesOf(stdout: string): string[] {
  const { disks } = JSON.parse(stdout) as { disks: { content_hash: string }[] };
  return disks.map((disk) => disk.content_hash);
}

/** Begins a run that is killed when its source was looked at, and has it say that it read over HTTPS. */
async function begunOverHttps(lab: Lab, env: Record<string, string> = {}): Promise<string> {
  const kill = killAt('after', /"kind":"step\.done".*"step":"source"/);
  expectKilled(await lab.run(exportArgs(lab, 'web01'), { ...env, ...kill }));
  const [run = ''] = await readdir(join(lab.stateDir, 'runs'));
  const line = { kind: 'plan', at: new Date().toISOString(), section: 'source_door', value: 'https' };
  await appendFile(join(lab.stateDir, 'runs', run, 'journal.jsonl'), `${JSON.stringify(line)}\n`);
  return run;
}

describe('both doors open', () => {
  test('are timed, one line says which is taken, and the bytes are the same', async () => {
    const { lab, server, https } = await withFolder();
    const ended = await lab.run(exportArgs(lab, 'large'), https);
    expect(ended.code, ended.stderr).toBe(0);
    expect(hashesOf(ended.stdout)).toEqual(await sourceHashes(lab, 'large'));
    expect(ended.stderr).toMatch(/^large is read over (?:SSH|HTTPS) \(.* for .*, about .*\), not over /m);
    expect(server.seen[0]?.range).toBe(`bytes=0-${8 * MIB - 1}`);
  });

  test('SSH alone is used, without a word, where the certificate is not trusted', async () => {
    const { lab, server, https } = await withFolder();
    const ended = await lab.run(exportArgs(lab, 'large'), { STACKFERRY_ESXI: https['STACKFERRY_ESXI'] ?? '' });
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).not.toContain('HTTPS');
    expect(server.seen).toEqual([]);
  });

  test('a run goes on over HTTPS where it has begun so', async () => {
    const { lab, server, https } = await withFolder();
    const run = await begunOverHttps(lab, https);
    expect(server.seen).toEqual([]); // so little is not worth the timing
    const ended = await lab.run(exportArgs(lab, 'web01'), https);
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ run });
    expect(hashesOf(ended.stdout)).toEqual(await sourceHashes(lab, 'web01'));
    expect(server.seen.some(({ path }) => path.endsWith('-flat.vmdk'))).toBe(true);
  });
});

test('a run whose door is closed by now reads by the other one again, and says so', async () => {
  const lab = await peers.lab();
  const run = await begunOverHttps(lab);
  const ended = await lab.run(exportArgs(lab, 'web01'));
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toMatch(/scsi0:0 was read by https before, and is now by ssh, .*; it is read again/);
  expect(hashesOf(ended.stdout)).toEqual(await sourceHashes(lab, 'web01'));
  const doors = (await journal(lab.stateDir, run)).filter(({ section }) => section === 'source_door');
  expect(doors.map(({ value }) => value)).toEqual(['https', 'ssh']);
});
