import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Package, openStreamedOva } from '../../../src/convert/package/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { descriptorText, writeSplit } from '../../support/vmdk-files.js';
import { MIB, content, descriptor, manifestLine, open, put, readAll, readDisk, vmdkBytes } from './packages.js';
import { tar } from './tar-files.js';

const temp = tempFolders();
const FORMS = [
  ['sha1', 'SHA1(%)= '],
  ['sha256', 'SHA256 (%) = '],
  ['sha256', 'SHA2-256(%)= '],
  ['sha512', 'SHA512(%)= '],
] as const;

async function asPackage(given: string): Promise<Package> {
  const opened = await open(given);
  if (!(opened instanceof Package)) throw new Error('a stream');
  return opened;
}

function same(disks: readonly Buffer[]): void {
  expect(disks).toHaveLength(1);
  expect(disks[0]?.equals(content)).toBe(true);
}

describe('an OVA', () => {
  it.each(FORMS)('with a manifest of %s (%s) is read in place and compared', async (algorithm, form) => {
    const folder = await temp();
    const disk = await vmdkBytes(folder);
    const manifest =
      manifestLine('x.ovf', descriptor(), algorithm, form) + manifestLine('disk1.vmdk', disk, algorithm, form);
    const members = [
      { name: 'x.ovf', content: descriptor() },
      { name: 'x.mf', content: manifest },
      { name: 'x.cert', content: 'signature' },
      { name: 'disk1.vmdk', content: disk },
    ];
    await writeFile(join(folder, 'named.bin'), tar(members));
    const opened = await asPackage(join(folder, 'named.bin'));
    expect(opened.kind).toBe('ova');
    expect(opened.notes).toEqual(['The signature in x.cert is not checked.']);
    await opened.close();
    same(await readAll(join(folder, 'named.bin')));
    const ova = await openStreamedOva(Readable.from([tar(members)]), 'stdin');
    const names: string[] = [];
    for await (const { disk: of, stream } of ova.disks()) {
      names.push(of.id);
      const out = Buffer.alloc(stream.capacityBytes);
      for await (const { offset, bytes } of stream.pieces) bytes.copy(out, offset);
      same([out]);
    }
    expect(names).toEqual(['vmdisk1']);
  });

  it('whose manifest comes last is compared as a stream, too, disks left out or not', async () => {
    const folder = await temp();
    const disk = await vmdkBytes(folder);
    const bytes = (spoilt: string) =>
      tar([
        { name: 'x.ovf', content: descriptor() },
        { name: 'disk1.vmdk', content: disk },
        { name: 'x.mf', content: manifestLine('x.ovf', descriptor()) + manifestLine('disk1.vmdk', spoilt + disk.toString('latin1')) },
      ]); // prettier-ignore
    const leaveOut = async (archive: Buffer) => {
      const ova = await openStreamedOva(Readable.from([archive]), 'stdin');
      for await (const { disk: of } of ova.disks()) expect(of.id).toBe('vmdisk1');
    };
    await expect(leaveOut(bytes('x'))).rejects.toMatchObject({ code: 'package.manifest_differs' });
  });

  it('is told as data where it holds some', async () => {
    const folder = await temp();
    await writeFile(join(folder, 'x.ova'), tar([
      { name: 'x.ovf', content: descriptor() },
      { name: 'disk1.vmdk', content: await vmdkBytes(folder) },
    ])); // prettier-ignore
    const opened = await asPackage(join(folder, 'x.ova'));
    const [of] = opened.ovf?.disks ?? [];
    if (!of) throw new Error('no disk');
    const disk = await opened.ovfDisk(of);
    if (disk.access !== 'any') throw new Error(disk.access);
    expect(disk).toMatchObject({ kind: 'stream_optimized', capacityBytes: 3 * MIB });
    expect((await disk.source.dataRanges()).bytes).toBeLessThan(3 * MIB);
    expect(opened.notes[0]).toMatch(/no manifest/);
    await opened.close();
  });
});

describe('an OVF folder', () => {
  it('is read: encoded names, packed disks, disks in parts, in a folder below', async () => {
    const folder = await temp();
    const disk = await vmdkBytes(folder);
    const file = (attributes: string) => descriptor(`<File ovf:id="file1" ${attributes}/>`);
    const half = disk.length >> 1;
    await put(folder, {
      'a.ovf': file('ovf:href="a%20disk.vmdk"'),
      'a disk.vmdk': disk,
      'b.ovf': file('ovf:href="b.gz" ovf:compression="gzip"'),
      'b.gz': gzipSync(disk),
      'c.ovf': file(`ovf:href="c.vmdk" ovf:size="${disk.length}" ovf:chunkSize="${half + 1}"`),
      'c.vmdk.000000000': disk.subarray(0, half + 1),
      'c.vmdk.000000001': disk.subarray(half + 1),
      'd.ovf': file('ovf:href="sub/./d.vmdk"'),
      'sub/d.vmdk': disk,
      'e.ovf': file('ovf:href="e.bin"'),
      'e.bin': content,
    });
    for (const name of ['a', 'b', 'c', 'd', 'e']) same(await readAll(join(folder, `${name}.ovf`)));
  });
});

describe('a disk by itself', () => {
  it.each(['monolithicSparse', 'twoGbMaxExtentSparse', 'monolithicFlat', 'twoGbMaxExtentFlat', 'streamOptimized'])(
    'of %s, as qemu-img writes it, is read in place',
    async (subformat) => {
      const folder = await temp();
      const [raw, vmdk] = [join(folder, 'd.raw'), join(folder, 'd.vmdk')];
      await writeFile(raw, content);
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${subformat}`, raw, vmdk]);
      same(await readAll(vmdk));
      same(await readAll(raw));
    },
  );

  it.each(['qcow2', 'vpc', 'vhdx', 'vdi'])(
    'of %s is for qemu-img: the file itself, or a copy of it',
    async (format) => {
      const folder = await temp();
      const [raw, image] = [join(folder, 'd.raw'), join(folder, 'd.bin')];
      await writeFile(raw, content);
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, image]);
      const opened = await asPackage(image);
      const disk = await opened.disk();
      if (disk.access !== 'file') throw new Error(disk.access);
      expect(disk).toMatchObject({ format, path: image });
      await disk.copyTo(join(folder, 'copy'), new AbortController().signal);
      expect((await readFile(join(folder, 'copy'))).equals(await readFile(image))).toBe(true);
      await expect(disk.copyTo(join(folder, 'copy'), new AbortController().signal)).rejects.toMatchObject({
        code: 'file.unwritable',
      });
      await opened.close();
    },
  );

  it('of a .vmx is opened by its name in the folder', async () => {
    const folder = await temp();
    await writeSplit(folder, 'web', content, [MIB, 2 * MIB]);
    await put(folder, { 'web.vmx': '.encoding = "UTF-8"\nconfig.version = "8"\nscsi0:0.fileName = "web.vmdk"\n' });
    const opened = await asPackage(join(folder, 'web.vmx'));
    expect(opened.kind).toBe('vmx');
    expect(opened.vmx?.toString()).toContain('scsi0:0.fileName');
    same([await readDisk(await opened.disk('web.vmdk'))]);
    await expect(opened.disk('../web.vmdk')).rejects.toMatchObject({ code: 'package.unsafe_path' });
    await opened.close();
  });
});

describe('a URL', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  async function serve(files: Record<string, Buffer | string>, mode: 'ranges' | 'whole' | 'loop'): Promise<string> {
    server = createServer((request, response) => {
      const name = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname.slice(1));
      const bytes = Buffer.from(files[name] ?? '');
      if (mode === 'loop') return void response.writeHead(302, { location: request.url }).end();
      if (!(name in files)) return void response.writeHead(404).end();
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
      if (!range || mode === 'whole')
        return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      const [first, last] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
      response.writeHead(206, { etag: '"1"', 'content-range': `bytes ${first}-${last}/${bytes.length}` });
      response.end(bytes.subarray(first, last + 1));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('of an OVA or a folder is read in parts, or as it comes', async () => {
    const folder = await temp();
    const disk = await vmdkBytes(folder);
    const archive = tar([{ name: 'x.ovf', content: descriptor() }, { name: 'disk1.vmdk', content: disk }]); // prettier-ignore
    const files = { 'x.ova': archive, 'y/x.ovf': descriptor(), 'y/disk1.vmdk': disk };
    const parts = await serve(files, 'ranges');
    same(await readAll(`${parts}/x.ova?token=secret`));
    same(await readAll(`${parts}/y/x.ovf`));
    server?.close();
    const whole = await serve(files, 'whole');
    same(await readAll(`${whole}/x.ova`));
    await expect(readAll(`${whole}/y/disk1.vmdk`)).rejects.toMatchObject({ code: 'package.needs_file' });
  });

  it('that fails tells nothing of its secrets', async () => {
    const base = await serve({}, 'loop');
    for (const url of [
      `${base}/x.ova?token=hush`,
      `http://u:hush@127.0.0.1/x`,
      'ftp://h/x',
      'http://127.0.0.1:1/x?hush',
    ]) {
      const error: unknown = await readAll(url).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: expect.stringMatching(/^(package\.url_failed|usage)$/) as string });
      expect(String(error), url).not.toContain('hush');
    }
    await expect(readAll(`${base}/x.ova`)).rejects.toThrow(/redirect/i);
  });
});

describe('the files that are opened', () => {
  it('lie in the folder, whatever the package names', async () => {
    if (!existsSync('/usr/bin/strace')) throw new Error('strace is missing: apt install strace');
    const folder = await temp();
    const outside = await temp();
    await put(outside, { 'secret.vmdk': Buffer.alloc(MIB, 's') });
    await symlink(join(outside, 'secret.vmdk'), join(folder, 'link.vmdk'));
    const secret = join(outside, 'secret.vmdk');
    const flat = (name: string, more = {}) =>
      descriptorText({ createType: 'monolithicFlat', extents: [`RW 2048 FLAT "${name}" 0`], cid: '12345678', ...more });
    const file = (href: string) => descriptor(`<File ovf:id="file1" ovf:href="${href}"/>`);
    await put(folder, {
      'a.ovf': file(secret),
      'b.ovf': file(`../${outside.split('/').at(-1) ?? ''}/secret.vmdk`),
      'c.ovf': file('link.vmdk'),
      'd.vmdk': flat(secret),
      'e.vmdk': flat('link.vmdk'),
      'f.vmdk': flat('e.vmdk', { parentCid: 'abcdabcd', parent: secret }),
      'g.ovf': file('disk1.vmdk'),
      'g.mf': `SHA256(${secret})= ${'0'.repeat(64)}\n`,
    });
    const names = ['a.ovf', 'b.ovf', 'c.ovf', 'd.vmdk', 'e.vmdk', 'f.vmdk', 'g.ovf'];
    const script = join(import.meta.dirname, 'read-all.ts');
    const log = join(outside, 'trace');
    const tsx = join(import.meta.dirname, '../../../node_modules/tsx/dist/cli.mjs');
    const args = [process.execPath, tsx, script, ...names.map((name) => join(folder, name))];
    const said = execFileSync('strace', ['-f', '-qq', '-e', 'trace=open,openat,openat2', '-o', log, ...args]);
    expect(said.toString().trim().split('\n')).toHaveLength(names.length);
    expect(said.toString()).not.toContain('read\n');
    const opens = (await readFile(log, 'utf8')).split('\n').filter((line) => /open(at2?)?\(/.test(line));
    expect(opens.some((line) => line.includes(join(folder, 'a.ovf')))).toBe(true);
    expect(opens.filter((line) => line.includes('secret.vmdk'))).toEqual([]);
    expect(opens.filter((line) => line.includes('link.vmdk'))).toEqual([]);
  });
});
