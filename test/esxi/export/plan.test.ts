import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { planExport, recheckSource, shellProbe } from '../../../src/esxi/export/index.js';
import { extentPath, remotePath } from '../../../src/esxi/export/paths.js';
import type { DiskRecord } from '../../../src/esxi/inventory/schema.js';
import { localShell, type LocalShell } from '../../support/local-shell.js';
import { recordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';
import {
  descriptorText,
  patterned,
  writeCowd,
  writeFlat,
  writeSeSparse,
  writeSplit,
  writeStreamOptimized,
} from '../../support/vmdk-files.js';

const temp = tempFolders();
const MIB = 1024 * 1024;
const ctx = recordingContext();
const TRUNCATED = 3 * MIB + 512;

let root: string;
let vm: string;
let shell: LocalShell;
let outputDir: string;

beforeEach(async () => {
  root = await temp();
  vm = join(root, 'datastore1', "wéb '01");
  await mkdir(vm, { recursive: true });
  shell = localShell(root);
  outputDir = join(await temp(), 'out');
});

function record(names: string[], more: Partial<DiskRecord> = {}): DiskRecord {
  const chain = names.map((name) => (name.startsWith('[') ? name : `[datastore1] wéb '01/${name}`));
  return {
    label: 'scsi0:0',
    controller: 'pvscsi',
    path: chain.at(-1) ?? null,
    capacity_bytes: null,
    allocated_bytes: null,
    kind: 'flat',
    mode: 'persistent',
    shared: false,
    chain,
    ...more,
  };
}

const plan = (...disks: DiskRecord[]) => planExport(shellProbe(shell), disks, ctx, { outputDir });

describe('planExport', () => {
  it('reads disks and chains in two round trips', async () => {
    const content = patterned(4 * MIB, 'one');
    const base = await writeFlat(vm, 'web', content);
    const next = Buffer.from(content);
    next.fill('changed', 8192, 16384);
    await writeCowd(vm, 'web-000001', base, content, next);
    await writeFlat(vm, 'data', patterned(MIB, 'two'));
    const made = await plan(record(['web.vmdk', 'web-000001.vmdk']), record(['data.vmdk'], { label: 'sata0:1' }));
    expect(shell.roundTrips).toBe(2);
    expect(made.disks.map(({ label, kind, capacityBytes }) => ({ label, kind, capacityBytes }))).toEqual([
      { label: 'scsi0:0', kind: 'vmfs_sparse', capacityBytes: 4 * MIB },
      { label: 'sata0:1', kind: 'flat', capacityBytes: MIB },
    ]);
    const [first] = made.disks;
    expect(first?.path).toBe("[datastore1] wéb '01/web-000001.vmdk");
    expect(first?.links.map((link) => link.localName)).toEqual(['web.vmdk', 'web-000001.vmdk']);
    expect(first?.links.flatMap((link) => link.extents.map((extent) => extent.remotePath))).toEqual([
      "/vmfs/volumes/datastore1/wéb '01/web-flat.vmdk",
      "/vmfs/volumes/datastore1/wéb '01/web-000001-delta.vmdk",
    ]);
    expect(made.bytes).toBe(made.disks.reduce((sum, disk) => sum + disk.bytes, 0));
    expect(made.allocatedBytes).toBeGreaterThan(0);
  });

  it('needs neither stat nor vmkfstools on the host', async () => {
    await writeFlat(vm, 'web', patterned(MIB, 'one'));
    shell.before = 'stat() { return 127; }';
    const made = await plan(record(['web.vmdk']));
    expect(made.disks[0]?.links[0]?.extents[0]).toMatchObject({ bytes: MIB, allocatedBytes: null });
    await recheckSource(shellProbe(shell), made, ctx);
  });

  it('reads 60 disks with long names in a handful of round trips', async () => {
    const records: DiskRecord[] = [];
    for (let number = 0; number < 60; number++) {
      const name = `${'long name '.repeat(10)}${number}`;
      await writeFlat(vm, name, Buffer.alloc(512, number));
      records.push(record([`${name}.vmdk`], { label: `scsi${Math.floor(number / 15)}:${number % 15}` }));
    }
    const made = await plan(...records);
    expect(made.disks).toHaveLength(60);
    expect(made.disks[59]?.links[0]?.extents[0]?.localName).toMatch(/59-flat\.vmdk$/);
    expect(shell.roundTrips).toBeLessThanOrEqual(6);
  });

  it('takes split disks, seSparse deltas and files that hold their own descriptor', async () => {
    const content = patterned(2 * MIB, 'split');
    await writeSplit(vm, 'split', content, [MIB, 512, MIB - 512]);
    const base = await writeFlat(vm, 'base', content);
    await writeSeSparse(vm, 'base-000001', base, content, patterned(2 * MIB, 'other'));
    await writeStreamOptimized(join(vm, 'stream.vmdk'), content);
    const made = await plan(
      record(['split.vmdk']),
      record(['base.vmdk', 'base-000001.vmdk'], { label: 'scsi0:1' }),
      record(['stream.vmdk'], { label: 'scsi0:2' }),
    );
    expect(made.disks.map((disk) => disk.kind)).toEqual(['flat', 'se_sparse', 'stream_optimized']);
    expect(made.disks[2]?.links[0]).toMatchObject({ content: null, extents: [{ localName: 'stream.vmdk' }] });
  });

  it('gives files of one name in two folders two names', async () => {
    const content = patterned(MIB, 'golden');
    const golden = join(root, 'datastore1', 'golden');
    await mkdir(golden);
    const base = await writeFlat(golden, 'disk', content);
    const next = Buffer.from(content).fill(1, 0, 512);
    await writeCowd(vm, 'disk', { ...base, descriptor: '/vmfs/volumes/5f1-uuid/golden/disk.vmdk' }, content, next);
    const made = await plan(record(['[datastore1] golden/disk.vmdk', 'disk.vmdk']));
    expect(made.disks[0]?.links.map((link) => link.localName)).toEqual(['disk.vmdk', 'disk~2.vmdk']);
  });

  it('looks at the free space here before a byte moves', async () => {
    const { extents } = await writeFlat(vm, 'web', Buffer.alloc(512));
    const sectors = 2 ** 42 / 512;
    const text = await readFile(join(vm, 'web.vmdk'), 'utf8');
    await writeFile(join(vm, 'web.vmdk'), text.replace('RW 1 ', `RW ${sectors} `));
    await truncate(join(vm, extents[0] ?? ''), sectors * 512);
    // Thin on the host: fits. Thick there: all of it must fit here.
    expect((await plan(record(['web.vmdk']))).bytes).toBe(2 ** 42);
    shell.before = 'stat() { set -- $(command stat "$@"); echo "$1 $2 $1 1"; }';
    await expect(plan(record(['web.vmdk']))).rejects.toMatchObject({
      code: 'converter.space',
      exitCode: 3,
      message: expect.stringMatching(/more\)/) as string,
    });
  });
});

describe('planExport refuses, before a byte moves', () => {
  const code = (expected: string, ...disks: DiskRecord[]) =>
    expect(plan(...disks)).rejects.toMatchObject({ code: expected });

  it('what is not there', async () => {
    await code('disk.missing', record(['no.vmdk']));
    await code('disk.missing', record([], { path: null }));
    const { extents } = await writeFlat(vm, 'web', patterned(MIB, 'one'));
    await rm(join(vm, extents[0] ?? ''));
    await code('disk.missing', record(['web.vmdk']));
  });

  it('raw device mappings', async () => {
    await code('disk.rdm_physical', record(['x.vmdk'], { kind: 'rdm_physical' }));
    const rdm = (createType: string) =>
      writeFile(
        join(vm, 'rdm.vmdk'),
        descriptorText({ createType, extents: ['RW 2048 VMFSRDM "rdm-rdmp.vmdk"'], cid: '1' }),
      );
    await rdm('vmfsPassthroughRawDeviceMap');
    await code('disk.rdm_physical', record(['rdm.vmdk']));
    await rdm('vmfsRawDeviceMap');
    await code('disk.rdm_virtual', record(['rdm.vmdk']));
  });

  it('chains that do not hold', async () => {
    const content = patterned(MIB, 'one');
    const base = await writeFlat(vm, 'web', content);
    await writeCowd(vm, 'web-000001', { ...base, cid: '0badc1d0' }, content, content);
    await code('disk.chain_broken', record(['web.vmdk', 'web-000001.vmdk']));
    await writeCowd(vm, 'web-000001', { ...base, descriptor: 'other.vmdk' }, content, content);
    await code('disk.chain_broken', record(['web.vmdk', 'web-000001.vmdk']));
    await code('disk.chain_broken', record(['web-000001.vmdk']));
    await code('disk.chain_broken', record(['web.vmdk', 'web.vmdk']));
    await writeCowd(vm, 'web-000001', base, content, patterned(2 * MIB, 'larger'));
    await code('disk.chain_broken', record(['web.vmdk', 'web-000001.vmdk']));
  });

  it('files that disagree with their descriptor', async () => {
    const content = patterned(4 * MIB, 'one');
    const base = await writeFlat(vm, 'web', content);
    await truncate(join(vm, 'web-flat.vmdk'), TRUNCATED);
    await code('disk.bad_descriptor', record(['web.vmdk']));
    await writeFlat(vm, 'web', content);
    await writeCowd(vm, 'web-000001', base, content, patterned(4 * MIB, 'two'));
    await writeFile(join(vm, 'web-000001-delta.vmdk'), 'no header here'.padEnd(4096));
    await code('disk.bad_descriptor', record(['web.vmdk', 'web-000001.vmdk']));
  });

  it('descriptors that are none, and paths that lead away', async () => {
    await writeFile(join(vm, 'empty.vmdk'), '');
    await code('disk.bad_descriptor', record(['empty.vmdk']));
    await writeFile(join(vm, 'large.vmdk'), Buffer.alloc(70_000, 'a'));
    await code('disk.bad_descriptor', record(['large.vmdk']));
    await mkdir(join(vm, 'folder.vmdk'));
    await code('disk.bad_descriptor', record(['folder.vmdk']));
    await symlink('/etc/passwd', join(vm, 'link.vmdk'));
    await code('disk.bad_descriptor', record(['link.vmdk']));
    for (const fileName of [
      '../other/web-flat.vmdk',
      '/etc/shadow',
      '/vmfs/volumes/ds2/other/x-flat.vmdk',
      'a/b.vmdk',
      '..',
    ]) {
      const extents = [`RW 2048 VMFS "${fileName}"`];
      await writeFile(join(vm, 'evil.vmdk'), descriptorText({ createType: 'vmfs', extents, cid: '1' }));
      await code('disk.bad_descriptor', record(['evil.vmdk']));
    }
    await code('disk.bad_descriptor', record(['[datastore1] ../x.vmdk']));
    await code('disk.bad_descriptor', record(['/etc/passwd'].map((path) => `[${path}`)));
  });

  it('extents that cannot be copied, and disks beyond 62 TiB', async () => {
    const write = (line: string) =>
      writeFile(join(vm, 'odd.vmdk'), descriptorText({ createType: 'vmfs', extents: [line], cid: '1' }));
    await write('RW 2048 ZERO');
    await code('disk.unsupported', record(['odd.vmdk']));
    await write('NOACCESS 2048 VMFS "odd-flat.vmdk"');
    await code('disk.unsupported', record(['odd.vmdk']));
    await write(`RW ${2 ** 46 / 512} VMFS "odd-flat.vmdk"`);
    await code('disk.too_large', record(['odd.vmdk']));
  });

  it('locked files, by what dd says and by what vmkfstools says', async () => {
    await writeFlat(vm, 'web', patterned(MIB, 'one'));
    shell.before = `dd() { case "$*" in *flat*) echo "dd: can't open '$1': Device or resource busy" >&2; return 1;; *) command dd "$@";; esac; }`;
    await code('disk.locked', record(['web.vmdk']));
    const lock = (mode: number, owner: string) =>
      `vmkfstools() { printf 'Lock [type 10c00001 offset 1 v 2, hb offset 3\\ngen 7, mode ${mode}, owner ${owner} mtime 9\\nnHld 0 nOvf 0]\\nAddr <4, 3, 2>, gen 1, links 1, type reg, flags 0, uid 0, gid 0, mode 600\\n'; }`;
    shell.before = lock(1, '4f7b1c42-4b58f6dd-3e59-bcaec58ad83d');
    await expect(plan(record(['web.vmdk']))).rejects.toMatchObject({
      code: 'disk.locked',
      message: expect.stringContaining('bc:ae:c5:8a:d8:3d') as string,
    });
    shell.before = lock(0, '00000000-00000000-0000-000000000000');
    await plan(record(['web.vmdk']));
    shell.before = lock(2, '00000000-00000000-0000-000000000000');
    await plan(record(['web.vmdk']));
  });

  it('an answer that does not fit its frame', async () => {
    await writeFlat(vm, 'web', patterned(MIB, 'one'));
    shell.before = 'stat() { echo 100 1 1 1; }';
    await code('esxi.odd_answer', record(['web.vmdk']));
  });
});

describe('recheckSource', () => {
  const changed = { code: 'vm.changed_during_copy' };

  it('sees a new content id, a new size, a new time and a file that is gone', async () => {
    const content = patterned(MIB, 'one');
    await writeFlat(vm, 'web', content);
    const made = await plan(record(['web.vmdk']));
    await recheckSource(shellProbe(shell), made, ctx);
    const text = await readFile(join(vm, 'web.vmdk'), 'utf8');

    const [disk] = made.disks;
    const [link] = disk?.links ?? [];
    if (!disk || !link) throw new Error('no plan');
    const other = { ...link, descriptor: { ...link.descriptor, cid: '12345678' } };
    await expect(recheckSource(shellProbe(shell), { disks: [{ ...disk, links: [other] }] }, ctx)).rejects.toMatchObject(
      changed,
    );

    await writeFile(join(vm, 'web.vmdk'), `${text}ddb.more = "1"\n`);
    await expect(recheckSource(shellProbe(shell), made, ctx)).rejects.toMatchObject(changed);

    await writeFlat(vm, 'web', content);
    const again = await plan(record(['web.vmdk']));
    shell.before = `stat() { command stat "$@" | sed 's/ / 9/'; }`;
    await expect(recheckSource(shellProbe(shell), again, ctx)).rejects.toMatchObject(changed);
    shell.before = '';
    await rm(join(vm, 'web-flat.vmdk'));
    await expect(recheckSource(shellProbe(shell), again, ctx)).rejects.toMatchObject(changed);
  });
});

describe('paths', () => {
  it('become paths on the host only below a datastore', () => {
    expect(remotePath('[data store (1)] web 01/web 01.vmdk')).toBe('/vmfs/volumes/data store (1)/web 01/web 01.vmdk');
    for (const bad of ['web.vmdk', '[ds]x.vmdk', '[ds] /x.vmdk', '[ds] a/../../x', '[..] x', '[a/b] x', '[ds] a\0b']) {
      expect(() => remotePath(bad), bad).toThrow(/not followed/);
    }
  });

  it('of extents stay in the descriptor’s folder', () => {
    const at = '/vmfs/volumes/ds/vm/web.vmdk';
    expect(extentPath(at, 'web-flat.vmdk')).toBe('/vmfs/volumes/ds/vm/web-flat.vmdk');
    expect(extentPath(at, './web-flat.vmdk')).toBe('/vmfs/volumes/ds/vm/web-flat.vmdk');
    expect(extentPath(at, '/vmfs/volumes/5f-uuid/vm/web-flat.vmdk')).toBe('/vmfs/volumes/ds/vm/web-flat.vmdk');
    for (const bad of [
      '../vm2/x',
      '/vmfs/volumes/ds/vm2/x',
      '/etc/passwd',
      'x/',
      '.',
      '..',
      'a/../../b',
      '/vmfs/volumes/ds/vm/a/x',
    ]) {
      expect(() => extentPath(at, bad), bad).toThrow(/not followed/);
    }
  });
});
