import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Client } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { MIB, buildTree, startHost, vm, type BuiltTree, type EmbeddedHost } from './index.js';
import { connect, exec } from './test-client.js';

let dir: string;
let tree: BuiltTree;
let host: EmbeddedHost;
let client: Client;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'stackferry-snapshot-'));
  const disks = [{ sizeBytes: 9 * MIB, mbr: true }, { sizeBytes: 5 * MIB + 512 }];
  tree = await buildTree(path.join(dir, 'tree'), { vms: [vm({ name: 'run 1', power: 'on', disks })] });
  host = await startHost({ tree });
  client = await connect(host);
});
afterAll(async () => {
  client.destroy();
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

const BASE = '/vmfs/volumes/datastore1/run 1/run 1.vmdk';
/** Both streams of a command. */
async function run(command: string): Promise<string> {
  const { stdout, stderr } = await exec(client, command);
  return stdout.toString() + stderr;
}

describe('a snapshot that is taken and removed', () => {
  it('frees the base for vmkfstools -i, and leaves no trace', async () => {
    const { id, dir: folder, vmxFile } = tree.vm('run 1');
    const before = await readdir(folder);
    const vmx = await readFile(vmxFile, 'utf8');
    const clone = `mkdir /vmfs/volumes/datastore1/c; vmkfstools -i '${BASE}' /vmfs/volumes/datastore1/c/x.vmdk -d thin`;
    expect(await run(clone)).toContain('Failed to lock the file (16392).');

    expect(await run(`vim-cmd vmsvc/snapshot.create ${id} 'a & b' 'why so' 0 0`)).toContain('Create Snapshot:');
    expect(await run(`vim-cmd vmsvc/snapshot.get ${id}`)).toMatch(
      /^Get Snapshot:\n\|-ROOT\n--Snapshot Name {8}: a & b\n--Snapshot Id {8}: 1\n--Snapshot Desciption {2}: why so\n--Snapshot Created On {2}: \d+\/\d+\/\d{4} \d+:\d+:\d+\n--Snapshot State {7}: powered on\n/,
    );
    expect(await readFile(vmxFile, 'utf8')).toContain('scsi0:1.fileName = "run 1_1-000001.vmdk"');
    expect(await run(`dd if='${BASE.replace('.vmdk', '-flat.vmdk')}' bs=512 count=1`)).toContain('busy');
    expect(await run(clone)).toContain('Clone: 100% done.');
    const [flat] = tree.vm('run 1').disks[0]?.extents ?? [];
    expect(
      (await readFile(tree.local('/vmfs/volumes/datastore1/c/x-flat.vmdk'))).equals(await readFile(flat ?? '')),
    ).toBe(true);

    expect(await run(`vim-cmd vmsvc/snapshot.remove ${id} 7`)).toContain('(vim.fault.NotFound)');
    await run(`vim-cmd vmsvc/snapshot.remove ${id} 1`);
    expect(await run(`vim-cmd vmsvc/snapshot.get ${id}`)).toBe('Get Snapshot:\n');
    expect(await readdir(folder)).toEqual(before);
    expect(await readFile(vmxFile, 'utf8')).toBe(vmx);
  });

  it('fails where it is told to', async () => {
    const { id } = tree.vm('run 1');
    const knob = path.join(tree.dir, 'etc/lab/vms', String(id), 'fail.create');
    await writeFile(knob, 'The operation is not allowed in the current state.');
    expect(await run(`vim-cmd vmsvc/snapshot.create ${id} a b 0 0`)).toContain('(vim.fault.SnapshotFault)');
    await rm(knob);
  });
});
