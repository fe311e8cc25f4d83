import { execFileSync } from 'node:child_process';
import { mkdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkSource } from '../../src/convert/index.js';
import { recordingContext } from '../support/recording-context.js';
import { tempFolders } from '../support/temp-folder.js';
import {
  descriptorText,
  patterned,
  writeCowd,
  writeFlat,
  writeSeSparse,
  writeSparse,
  writeStreamOptimized,
  type Written,
} from '../support/vmdk-files.js';

const temp = tempFolders();
const MIB = 1024 * 1024;
const ctx = recordingContext();
const content = patterned(2 * MIB, 'base');
const next = patterned(2 * MIB, 'next');
let folder: string;
let base: Written;

beforeEach(async () => {
  folder = join(await temp(), 'vm');
  await mkdir(folder);
  base = await writeFlat(folder, 'web', content);
  await writeFile(join(folder, '..', 'secret'), Buffer.alloc(2 * MIB, 's'));
});

const at = (name: string) => join(folder, name);
const check = async (name: string) => checkSource(at(name), undefined, join(await temp(), 'work'), ctx);
const refuses = (name: string, code: string) => expect(check(name), name).rejects.toMatchObject({ code });

const extent = (line: string, createType = 'vmfs') =>
  writeFile(at('evil.vmdk'), descriptorText({ createType, extents: [line], cid: '1' }));

describe('checkSource', () => {
  it('gives qemu-img nothing of the original text', async () => {
    const checked = await check('web.vmdk');
    expect(checked.files.map((file) => file.path)).toEqual([at('web.vmdk'), at('web-flat.vmdk')]);
    const text = await readFile(checked.path, 'utf8');
    expect(text).toContain('RW 4096 FLAT "0-0.extent" 0');
    expect(text).not.toContain('web');
  });

  it.each([
    'RW 4096 VMFS "../secret"',
    'RW 4096 VMFS "/etc/passwd"',
    'RW 4096 FLAT "sub/file" 0',
    'RW 4096 VMFS ".."',
    'RW 4096 VMFS "."',
    'RW 4096 VMFS "..\\secret"',
    'RW 4096 VMFS "json:{}/x"',
    'RW 4096 VMFS "nbd://127.0.0.1/x"',
    'RW 4096 VMFS "evil.vmdk"',
    'RW 4095 VMFS "web-flat.vmdk"',
    'RW 4097 VMFS "web-flat.vmdk"',
    'RW 4096 FLAT "web-flat.vmdk" 1',
    'RW 4096 VMFSSPARSE "web-flat.vmdk"',
    'RW 4096 SESPARSE "web-flat.vmdk"',
    'RW 4096 SPARSE "web-flat.vmdk"',
    'RW 4096 VMFS "link-out"',
    'RW 4096 VMFS "folder"',
  ])('refuses the extent %s', async (line) => {
    await symlink('../secret', at('link-out'));
    await mkdir(at('folder'));
    await extent(line);
    await refuses('evil.vmdk', 'disk.bad_descriptor');
  });

  it('refuses missing files, kinds that cannot be read and sizes beyond 62 TiB', async () => {
    await extent('RW 4096 VMFS "nbd:unix:x"');
    await refuses('evil.vmdk', 'disk.missing');
    await refuses('no.vmdk', 'disk.missing');
    await refuses('nbd:localhost:10809', 'disk.missing');
    await refuses('json:{"driver":"raw"}', 'disk.missing');
    await extent('RW 4096 ZERO');
    await refuses('evil.vmdk', 'disk.unsupported');
    await extent('NOACCESS 4096 VMFS "web-flat.vmdk"');
    await refuses('evil.vmdk', 'disk.unsupported');
    await extent('RW 4096 VMFSRDM "x-rdmp.vmdk"', 'vmfsPassthroughRawDeviceMap');
    await refuses('evil.vmdk', 'disk.rdm_physical');
    await extent(`RW ${2 ** 46 / 512} VMFS "web-flat.vmdk"`);
    await refuses('evil.vmdk', 'disk.too_large');
  });

  it('lets a symbolic link lead to a file beside the descriptor', async () => {
    await symlink('web-flat.vmdk', at('alias'));
    await extent('RW 4096 VMFS "alias"');
    expect((await check('evil.vmdk')).files.map((file) => file.path)).toContain(at('web-flat.vmdk'));
  });

  it('refuses a source cut short, which qemu-img would read as zeros', async () => {
    await writeCowd(folder, 'cowd', base, content, next);
    await writeSeSparse(folder, 'se', base, content, next);
    await writeSparse(at('x.raw'), content);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', at('x.raw'), at('mono.vmdk')]);
    await writeStreamOptimized(at('stream.vmdk'), content);
    const files = {
      'cowd.vmdk': 'cowd-delta.vmdk',
      'se.vmdk': 'se-sesparse.vmdk',
      'mono.vmdk': 'mono.vmdk',
      'stream.vmdk': 'stream.vmdk',
      'web.vmdk': 'web-flat.vmdk',
    };
    for (const [descriptor, file] of Object.entries(files)) {
      await check(descriptor);
      await truncate(at(file), (await stat(at(file))).size - 512);
      await refuses(descriptor, 'disk.bad_descriptor');
    }
  });

  it('refuses chains that do not hold', async () => {
    const delta = (name: string, parent: Written) => writeCowd(folder, name, parent, content, next);
    await delta('d1', { ...base, cid: '12345678' });
    await refuses('d1.vmdk', 'disk.chain_broken');
    await delta('d2', { ...base, descriptor: 'gone.vmdk' });
    await refuses('d2.vmdk', 'disk.chain_broken');
    await delta('d3', { ...base, descriptor: '../secret' });
    await refuses('d3.vmdk', 'disk.chain_broken');
    await delta('d4', { ...base, descriptor: 'x/..' });
    await refuses('d4.vmdk', 'disk.bad_descriptor');
    await delta('d5', { descriptor: 'd5.vmdk', extents: [], cid: '' });
    const own = await readFile(at('d5.vmdk'), 'utf8');
    await writeFile(at('d5.vmdk'), own.replace(/parentCID=.*/, `parentCID=${/^CID=(.*)$/m.exec(own)?.[1] ?? ''}`));
    await refuses('d5.vmdk', 'disk.chain_broken');
    await writeCowd(folder, 'd6', base, content, patterned(4 * MIB, 'large'));
    await refuses('d6.vmdk', 'disk.chain_broken');
    await delta('d7', base);
    await writeFile(at('d7.vmdk'), (await readFile(at('d7.vmdk'), 'utf8')).replace(/^parentFileNameHint.*\n/m, ''));
    await refuses('d7.vmdk', 'disk.chain_broken');
  });

  it('refuses a chain of more than 64 links', async () => {
    let parent = base;
    for (let number = 1; number <= 64; number++) {
      parent = await writeCowd(folder, `l${number}`, parent, content, content);
    }
    await refuses('l64.vmdk', 'disk.chain_broken');
    expect((await check('l63.vmdk')).files).toHaveLength(128);
  });

  it('finds a parent that is hidden in a file’s own descriptor', async () => {
    const text = descriptorText({ createType: 'streamOptimized', extents: ['RDONLY 4096 SPARSE "x"'], cid: '1' });
    await writeStreamOptimized(at('hidden.vmdk'), content, `${text}# parentFileNameHint="/etc/passwd"\n`);
    await refuses('hidden.vmdk', 'disk.bad_descriptor');
    await writeStreamOptimized(at('behind.vmdk'), content, `${text}\0parentFileNameHint="/etc/passwd"\n`);
    await refuses('behind.vmdk', 'disk.bad_descriptor');
    await writeStreamOptimized(
      at('open.vmdk'),
      content,
      text.replace('version=1', 'version=1\nparentFileNameHint="web.vmdk"'),
    );
    await refuses('open.vmdk', 'disk.chain_broken');
  });

  it('tells the user to give the descriptor where a data file is given', async () => {
    await writeCowd(folder, 'web-000001', base, content, next);
    await writeSeSparse(folder, 'se', base, content, next);
    for (const name of ['web-flat.vmdk', 'web-000001-delta.vmdk', 'se-sesparse.vmdk']) {
      await expect(check(name), name).rejects.toMatchObject({ code: 'disk.bad_descriptor' });
    }
  });

  it('refuses images that name other files, are encrypted, empty or unknown', async () => {
    const qemu = (...args: string[]) => execFileSync('qemu-img', args);
    await writeSparse(at('x.raw'), content);
    qemu('create', '-f', 'qcow2', '-b', at('x.raw'), '-F', 'raw', at('backed.qcow2'));
    await refuses('backed.qcow2', 'convert.unsafe_source');
    qemu('create', '-f', 'qcow2', '-o', `data_file=${at('data')}`, at('external.qcow2'), '1M');
    await refuses('external.qcow2', 'convert.unsafe_source');
    qemu('create', '-f', 'qcow2', at('huge.qcow2'), '63T');
    await refuses('huge.qcow2', 'disk.too_large');
    const vhd = Buffer.alloc(1024);
    vhd.write('conectix', 512);
    vhd.writeUInt32BE(4, 512 + 60);
    await writeFile(at('diff.vhd'), vhd);
    await refuses('diff.vhd', 'convert.unsafe_source');
    await writeFile(at('empty.raw'), '');
    await writeFile(at('x.iso'), content);
    await writeFile(at('x.gz'), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]));
    await writeFile(at('short.qcow2'), 'QFI\xfb\0\0\0\x03', 'latin1');
    for (const name of ['empty.raw', 'x.iso', 'x.gz']) await refuses(name, 'convert.unknown_format');
    await refuses('short.qcow2', 'convert.unsafe_source');
  });

  it.each(['qcow2', 'vdi', 'vhdx', 'vpc'])('refuses a %s that was cut short, by a byte or by half', async (format) => {
    await writeFile(at('x.raw'), content);
    const name = `x.${format}`;
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, at('x.raw'), at(name)]);
    await check(name);
    const { size } = await stat(at(name));
    // Of a VHDX's last block of 8 MiB the disk takes up the first 2 alone.
    for (const left of [format === 'vhdx' ? size - 7 * MIB : size - 1, size / 2]) {
      await truncate(at(name), Math.floor(left));
      await expect(check(name), `${left}`).rejects.toMatchObject({
        code: expect.stringMatching(/^convert\.(damaged_source|failed|unsafe_source)$/) as string,
      });
    }
  });

  it('refuses a qcow2 with errors, and takes one with leaks', async () => {
    await writeFile(at('x.raw'), content);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', at('x.raw'), at('x.qcow2')]);
    const whole = await readFile(at('x.qcow2'));
    const place = (at: number) => Number(whole.readBigUInt64BE(at) & 0x00ff_ffff_ffff_fe00n);
    const l2 = place(place(40));
    const refcounts = place(place(48));
    // The entry of the first cluster is emptied: what it names is leaked.
    await writeFile(at('leak.qcow2'), Buffer.from(whole).fill(0, l2, l2 + 8));
    await check('leak.qcow2');
    const count = refcounts + (place(l2) / 65_536) * 2;
    await writeFile(at('error.qcow2'), Buffer.from(whole).fill(0, count, count + 2));
    await refuses('error.qcow2', 'convert.damaged_source');
    await writeFile(at('short.qcow2'), whole.subarray(0, whole.length - 1));
    await refuses('short.qcow2', 'convert.damaged_source');
  });

  it('takes raw for raw when told so, whatever it begins with', async () => {
    const raw = Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(MIB - 4)]);
    await writeFile(at('x.raw'), raw);
    const work = await temp();
    expect(await checkSource(at('x.raw'), 'raw', work, ctx)).toMatchObject({ format: 'raw', capacityBytes: MIB });
    await refuses('x.raw', 'convert.unsafe_source');
    await expect(checkSource(at('x.raw'), 'vhdx', work, ctx)).rejects.toMatchObject({ code: 'usage' });
  });
});
