import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { convertImage, qemuImgVersion } from '../../src/convert/index.js';
import { hashGuestView } from '../../src/convert/guest-view.js';
import type { ConvertRequest } from '../../src/convert/index.js';
import { ContentHasher } from '../../src/disk/index.js';
import { recordingContext, type RecordingContext } from '../support/recording-context.js';
import { tempFolders } from '../support/temp-folder.js';
import {
  patterned,
  writeCowd,
  writeFlat,
  writeSeSparse,
  writeSparse,
  writeSplit,
  writeStreamOptimized,
} from '../support/vmdk-files.js';

const temp = tempFolders();
const MIB = 1024 * 1024;
let folder: string;
let out: string;
let ctx: RecordingContext;

beforeEach(async () => {
  folder = join(await temp(), 'Größe "1": [x]');
  await mkdir(folder);
  out = join(await temp(), 'new', 'out');
  ctx = recordingContext();
});

function contentHash(content: Buffer): string {
  const hasher = new ContentHasher();
  hasher.update(content);
  return hasher.digest();
}

const convert = (name: string, more: Partial<ConvertRequest> = {}) =>
  convertImage({ source: join(folder, name), outputPath: join(out, 'disk.img'), outputFormat: 'raw', ctx, ...more });

describe('convertImage', () => {
  it('makes raw and qcow2 of a flat disk, with the content hash of the guest’s view', async () => {
    const content = patterned(9 * MIB + 512, 'flat');
    await writeFlat(folder, 'web 01', content);
    const expectedContentHash = contentHash(content);
    const raw = await convert('web 01.vmdk', { expectedContentHash, sha256: true });
    expect(raw).toEqual({
      path: join(out, 'disk.img'),
      format: 'raw',
      capacityBytes: content.length,
      bytes: content.length,
      contentHash: expectedContentHash,
      sha256: createHash('sha256').update(content).digest('hex'),
      fileSha512: null,
      reused: false,
    });
    expect((await readFile(raw.path)).equals(content)).toBe(true);
    for (const compress of [false, true]) {
      const outputPath = join(out, `disk-${compress}.qcow2`);
      const qcow2 = await convert('web 01.vmdk', { outputPath, outputFormat: 'qcow2', compress, expectedContentHash });
      expect(qcow2).toMatchObject({ format: 'qcow2', capacityBytes: content.length, contentHash: expectedContentHash });
      const bytes = await readFile(outputPath);
      expect(qcow2.bytes).toBe(bytes.length);
      expect(qcow2.fileSha512).toBe(createHash('sha512').update(bytes).digest('hex'));
    }
    expect((await readdir(out)).filter((name) => name.endsWith('.part'))).toEqual([]);
    const finished = ctx.seen.filter((event) => event.kind === 'bytes.finished');
    const [ofFile, ofDisk] = [true, false].map((is) =>
      finished.filter((event) => event.task.startsWith('read ') === is),
    );
    expect(ofFile?.map((event) => event.ok)).toEqual([true, true]);
    expect(ofDisk).toHaveLength(9);
    expect(ofDisk?.every((event) => event.ok && event.done === content.length)).toBe(true);
  });

  it('flattens vmfsSparse and seSparse chains', async () => {
    const content = patterned(8 * MIB, 'base');
    const second = Buffer.from(content);
    patterned(2 * MIB, 'second').copy(second, 3 * MIB);
    const third = Buffer.from(second).fill(0, 3 * MIB, 4 * MIB);
    const base = await writeFlat(folder, 'web', content);
    const cowd = await writeCowd(folder, 'web-000001', base, content, second);
    await writeCowd(folder, 'web-000002', cowd, second, third);
    const se = await writeSeSparse(folder, 'se-000001', base, content, second);
    await writeSeSparse(folder, 'se-000002', se, second, third);
    expect((await convert('web-000002.vmdk')).contentHash).toBe(contentHash(third));
    const outputPath = join(out, 'se.qcow2');
    expect((await convert('se-000002.vmdk', { outputPath, outputFormat: 'qcow2' })).contentHash).toBe(
      contentHash(third),
    );
    expect((await convert('se-000001.vmdk', { outputPath: join(out, 'se.raw') })).contentHash).toBe(
      contentHash(second),
    );
  });

  it('reads what qemu-img alone refuses, counts twice or skips', async () => {
    const content = patterned(2 * MIB, 'odd');
    const expected = contentHash(content);
    await writeFlat(folder, 'web', content);
    const text = await readFile(join(folder, 'web.vmdk'), 'utf8');
    const variants = [
      text.replace('createType="vmfs"', 'createType="vmfsThin"'),
      text.replace('# Extent description\n', ''),
      text.replace('RW ', 'RDONLY '),
      text.replaceAll('=', ' = ').replaceAll('\n', '\r\n'),
    ];
    for (const [index, variant] of variants.entries()) {
      await writeFile(join(folder, 'web.vmdk'), variant);
      const made = await convert('web.vmdk', { outputPath: join(out, `${index}.raw`) });
      expect(made, variant).toMatchObject({ contentHash: expected, capacityBytes: content.length });
    }
    const base = await writeFlat(folder, 'a:b', content);
    const next = Buffer.from(content).fill(3, 0, 4096);
    await writeCowd(folder, 'a:b-000001', { ...base, descriptor: '/vmfs/volumes/5f1/web/a:b.vmdk' }, content, next);
    const made = await convert('a:b-000001.vmdk', { outputPath: join(out, 'colon.raw') });
    expect(made.contentHash).toBe(contentHash(next));
  });

  it('reads split, sparse and stream-optimized files', async () => {
    const content = patterned(5 * MIB, 'kinds');
    await writeSplit(folder, 'split', content, [MIB, 512, 4 * MIB - 512]);
    await writeStreamOptimized(join(folder, 'stream.vmdk'), content);
    await writeSparse(join(folder, 'x.raw'), content);
    for (const subformat of ['monolithicSparse', 'monolithicFlat', 'twoGbMaxExtentSparse', 'streamOptimized']) {
      const args = ['convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${subformat}`];
      execFileSync('qemu-img', [...args, join(folder, 'x.raw'), join(folder, `${subformat}.vmdk`)]);
    }
    const names = ['split', 'stream', 'monolithicSparse', 'monolithicFlat', 'twoGbMaxExtentSparse', 'streamOptimized'];
    for (const name of names) {
      const made = await convert(`${name}.vmdk`, { outputPath: join(out, `${name}.raw`) });
      expect(made.contentHash, name).toBe(contentHash(content));
    }
  });

  it('reads qcow2, VHD, VHDX, VDI and raw', async () => {
    const content = patterned(6 * MIB, 'formats');
    await writeSparse(join(folder, 'x.raw'), content);
    for (const format of ['qcow2', 'vpc', 'vhdx', 'vdi', 'raw'] as const) {
      const options = format === 'vpc' ? ['-o', 'force_size'] : [];
      const source = `x.${format}`;
      if (format !== 'raw') {
        execFileSync('qemu-img', [
          'convert',
          '-f',
          'raw',
          '-O',
          format,
          ...options,
          join(folder, 'x.raw'),
          join(folder, source),
        ]);
      }
      const made = await convert(source, { outputPath: join(out, `${format}.img`), sourceFormat: format });
      expect(made, format).toMatchObject({ contentHash: contentHash(content), capacityBytes: content.length });
    }
    await writeFile(join(folder, 'odd.raw'), content.subarray(0, MIB + 1));
    const odd = await convert('odd.raw', { outputPath: join(out, 'odd.img') });
    // qemu-img thinks in sectors: the last one is filled up with zeros.
    expect(odd.capacityBytes).toBe(MIB + 512);
    const padded = Buffer.concat([content.subarray(0, MIB + 1), Buffer.alloc(511)]);
    expect(odd.contentHash).toBe(contentHash(padded));
  });

  it('does nothing twice, and all of it again when the source, the wish or --force asks for it', async () => {
    const content = patterned(MIB, 'twice');
    await writeFlat(folder, 'web', content);
    expect(await convert('web.vmdk')).toMatchObject({ reused: false, sha256: null });
    const before = ctx.seen.length;
    expect(await convert('web.vmdk')).toMatchObject({ reused: true, contentHash: contentHash(content) });
    const labels = ctx.seen.slice(before).flatMap((event) => (event.kind === 'bytes.started' ? [event.label] : []));
    expect(labels).toEqual(['look at disk.img again']);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(await convert('web.vmdk', { sha256: true })).toMatchObject({ reused: true, sha256 });
    expect(await convert('web.vmdk', { force: true })).toMatchObject({ reused: false });
    const other = patterned(MIB, 'other');
    await writeFlat(folder, 'web', other);
    await utimes(join(folder, 'web-flat.vmdk'), 1_700_000_000, 1_700_000_000);
    expect(await convert('web.vmdk')).toMatchObject({ reused: false, contentHash: contentHash(other) });
    expect(await convert('web.vmdk', { outputFormat: 'qcow2' })).toMatchObject({ reused: false, format: 'qcow2' });
  });

  it('writes over no file that it did not make, nor over its source', async () => {
    const content = patterned(MIB, 'mine');
    await writeFlat(folder, 'web', content);
    await mkdir(out, { recursive: true });
    await writeFile(join(out, 'disk.img'), 'mine');
    await expect(convert('web.vmdk')).rejects.toMatchObject({ code: 'convert.file_exists' });
    expect(await readFile(join(out, 'disk.img'), 'utf8')).toBe('mine');
    expect(await convert('web.vmdk', { force: true })).toMatchObject({ reused: false });
    await writeFile(join(out, 'disk.img'), 'touched');
    await expect(convert('web.vmdk')).rejects.toMatchObject({ code: 'convert.file_exists' });
    await expect(convert('web.vmdk', { outputPath: join(folder, 'web-flat.vmdk') })).rejects.toMatchObject({
      code: 'usage',
    });
    await expect(convert('web.vmdk', { compress: true })).rejects.toMatchObject({ code: 'usage' });
  });

  it.each(['raw', 'qcow2'] as const)(
    'does not give a %s again that was edited with its size and time kept',
    async (format) => {
      await writeFlat(folder, 'web', patterned(MIB, 'edited'));
      const made = await convert('web.vmdk', { outputFormat: format });
      const { atime, mtime } = await stat(made.path);
      const file = await open(made.path, 'r+');
      await file.write(Buffer.alloc(512, 0xaa), 0, 512, made.bytes - 4096);
      await file.close();
      await utimes(made.path, atime, mtime);
      // utimes cuts the time to whole milliseconds or so: the record is brought to it, as a careful editor would.
      const record = join(out, '.disk.img.convert.json');
      const noted = JSON.parse(await readFile(record, 'utf8')) as { output: { mtime_ms: number } };
      noted.output.mtime_ms = (await stat(made.path)).mtimeMs;
      await writeFile(record, JSON.stringify(noted));
      await expect(convert('web.vmdk', { outputFormat: format })).rejects.toMatchObject({
        code: 'convert.file_exists',
      });
      const again = await convert('web.vmdk', { outputFormat: format, replace: true });
      expect(again).toMatchObject({ reused: false, contentHash: made.contentHash });
      expect(await convert('web.vmdk', { outputFormat: format })).toMatchObject({ reused: true });
    },
  );

  it('leaves nothing when the result is not what was read', async () => {
    await writeFlat(folder, 'web', patterned(MIB, 'x'));
    const wrong = convert('web.vmdk', { expectedContentHash: contentHash(Buffer.from('else')) });
    await expect(wrong).rejects.toMatchObject({ code: 'convert.content_differs' });
    expect(await readdir(out)).toEqual([]);
  });

  it('stops at once, leaving no process and no half image', async () => {
    await writeFlat(folder, 'web', Buffer.alloc(64 * MIB, 'stop'));
    ctx.events = {
      ...ctx.events,
      emit: (event) => (event.kind === 'bytes.started' ? setTimeout(() => ctx.stop(), 5) : null),
    };
    await expect(convert('web.vmdk', { outputFormat: 'qcow2', compress: true })).rejects.toMatchObject({
      code: 'interrupted',
    });
    expect(await readdir(out)).toEqual([]);
    const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
    expect(left.filter((line) => line.startsWith('qemu-') && line.includes(out))).toEqual([]);
  });
});

describe('without its tools', () => {
  it('names what is missing', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    try {
      await expect(qemuImgVersion(ctx)).rejects.toMatchObject({
        code: 'converter.no_qemu_img',
        hint: expect.stringContaining('apt install qemu-utils') as string,
      });
    } finally {
      process.env['PATH'] = path;
    }
    expect(await qemuImgVersion(ctx)).toMatch(/^\d+\.\d+/);
  });

  it('tells on one line why an image cannot be read', async () => {
    await writeFile(join(folder, 'x.qcow2'), 'QFI\xfb'.padEnd(70_000, '\0'), 'latin1');
    const read = hashGuestView(join(folder, 'x.qcow2'), 'qcow2', ctx, () => undefined);
    await expect(read).rejects.toMatchObject({
      code: 'convert.failed',
      message: expect.not.stringContaining('\n') as string,
    });
  });
});

/** A small file system takes root; where that is missing nothing is registered. */
const smallDisks = process.getuid?.() === 0 ? ['tmpfs'] : [];
describe.each(smallDisks)('convertImage on a full disk (%s)', () => {
  it('names it, before or while it writes, and leaves no half image', async () => {
    await writeFlat(folder, 'web', Buffer.alloc(16 * MIB, 'full'));
    execFileSync('qemu-img', [
      'convert',
      '-f',
      'raw',
      '-O',
      'qcow2',
      '-c',
      join(folder, 'web-flat.vmdk'),
      join(folder, 'w.qcow2'),
    ]);
    await mkdir(out, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', out]);
    try {
      await expect(convert('web.vmdk')).rejects.toMatchObject({ code: 'converter.space' });
      await expect(convert('w.qcow2')).rejects.toMatchObject({ code: 'converter.space' });
      expect(await readdir(out)).toEqual([]);
    } finally {
      execFileSync('umount', [out]);
    }
  });
});
