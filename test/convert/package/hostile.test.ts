import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openStreamedOva } from '../../../src/convert/package/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { descriptorText } from '../../support/vmdk-files.js';
import { CPU, MEMORY, SCSI, diskItem, item, ovf, virtualSystem } from '../ovf/texts.js';
import { DISK_ELEMENT, MIB, content, descriptor, manifestLine, put, readAll, vmdkBytes } from './packages.js';
import { paxRecord, tar, tarHeader, type TarMember } from './tar-files.js';

const temp = tempFolders();

interface Hostile {
  what: string;
  code: string;
  /** What the message must name. */
  says: RegExp;
}

async function expectRefused(given: string, { code, says, what }: Hostile): Promise<void> {
  const error: unknown = await readAll(given).then(
    () => 'it was read',
    (reason: unknown) => reason,
  );
  expect(error, what).toMatchObject({
    code,
    message: expect.stringMatching(says) as string,
    hint: expect.any(String) as string,
  });
}

describe('a hostile OVF descriptor is refused', () => {
  const file = (attributes: string) => descriptor(`<File ${attributes} ovf:id="file1"/>`);
  const hardware = (text: string) => ovf({ disks: DISK_ELEMENT, hardware: text });
  const disk = (attributes: string) => ovf({ disks: `<Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ${attributes}/>` });
  const rows: [what: string, code: string, says: RegExp, text: string | Buffer][] = [
    ['an absolute path', 'package.unsafe_path', /"\/etc\/passwd", an absolute path/, file('ovf:href="/etc/passwd"')],
    ['a path that leads out', 'package.unsafe_path', /leads out/, file('ovf:href="../disk1.vmdk"')],
    ['a path that leads out within', 'package.unsafe_path', /leads out/, file('ovf:href="a/../../disk1.vmdk"')],
    ['a path that leads out, encoded', 'package.unsafe_path', /leads out/, file('ovf:href="%2e%2e/disk1.vmdk"')],
    ['an absolute path, encoded', 'package.unsafe_path', /absolute/, file('ovf:href="%2fetc%2fpasswd"')],
    ['a URL', 'package.unsafe_path', /URL/, file('ovf:href="http://127.0.0.1/disk1.vmdk"')],
    ['a file URL', 'package.unsafe_path', /URL/, file('ovf:href="file:///etc/passwd"')],
    ['a drive', 'package.unsafe_path', /backslash/, file('ovf:href="C:\\disk1.vmdk"')],
    ['a backslash', 'package.unsafe_path', /backslash/, file('ovf:href="..\\disk1.vmdk"')],
    ['a NUL in a name, encoded', 'package.unsafe_path', /control/, file('ovf:href="disk1.vmdk%00"')],
    ['an endless name', 'package.unsafe_path', /too long/, file(`ovf:href="${'a'.repeat(2000)}"`)],
    ['the folder itself', 'package.unsafe_path', /is no file/, file('ovf:href="./"')],
    ['a file that is not there', 'package.missing_file', /"none\.vmdk"/, file('ovf:href="none.vmdk"')],
    ['a file of another size', 'package.size_differs', /disk1\.vmdk has \d+ bytes/, file('ovf:href="disk1.vmdk" ovf:size="5"')],
    ['a size that is none', 'package.bad_ovf', /file1.*size "-5"/, file('ovf:href="disk1.vmdk" ovf:size="-5"')],
    ['an unknown packing', 'package.ovf_unsupported', /"lzma"/, file('ovf:href="disk1.vmdk" ovf:compression="lzma"')],
    ['a packing that is none', 'package.bad_gzip', /is not packed/, file('ovf:href="disk1.vmdk" ovf:compression="gzip"')],
    ['endless parts', 'package.bad_ovf', /parts/, file('ovf:href="disk1.vmdk" ovf:size="99999999" ovf:chunkSize="1"')],
    ['parts of nothing', 'package.bad_ovf', /0 bytes/, file('ovf:href="disk1.vmdk" ovf:size="9" ovf:chunkSize="0"')],
    ['parts that are missing', 'package.missing_file', /000000000/, file('ovf:href="disk1.vmdk" ovf:size="9" ovf:chunkSize="5"')],
    ['a file without a name', 'package.bad_ovf', /no id or no href/, file('')],
    ['a file id twice', 'package.bad_ovf', /id "file1" stands twice/, descriptor('<File ovf:href="a" ovf:id="file1"/><File ovf:href="b" ovf:id="file1"/>')],
    ['a disk of a file that is not referred to', 'package.bad_ovf', /not in References/, ovf({ files: '' })],
    ['a disk id twice', 'package.bad_ovf', /stands twice/, descriptor(undefined, DISK_ELEMENT + DISK_ELEMENT)],
    ['a capacity of 8 EiB', 'package.bad_ovf', /is no size/, disk('ovf:capacity="9223372036854775807"')],
    ['a capacity of 1 PiB', 'package.bad_ovf', /62 TiB/, disk('ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^50"')],
    ['a capacity of nothing', 'package.bad_ovf', /is no size/, disk('ovf:capacity="0"')],
    ['a capacity below nothing', 'package.bad_ovf', /is no size/, disk('ovf:capacity="-1"')],
    ['a capacity in an unknown unit', 'package.bad_ovf', /hertz/, disk('ovf:capacity="1" ovf:capacityAllocationUnits="hertz"')],
    ['a unit that overflows', 'package.bad_ovf', /is no size/, disk('ovf:capacity="1" ovf:capacityAllocationUnits="byte * 9^99"')],
    ['a capacity to be asked for', 'package.ovf_unsupported', /property/, disk('ovf:capacity="${size}"')],
    ['a capacity far above the disk', 'package.capacity_differs', /3 MiB .* 60 TiB/, disk('ovf:capacity="60" ovf:capacityAllocationUnits="byte * 2^40"').replace('2^40', '2^40')],
    ['a capacity below the disk', 'package.capacity_differs', /3 MiB .* 1 MiB/, disk('ovf:capacity="1048576"')],
    ['more content than capacity', 'package.bad_ovf', /more than its capacity/, disk('ovf:capacity="3145728" ovf:populatedSize="9999999999"')],
    ['a delta', 'package.ovf_unsupported', /delta/, disk('ovf:capacity="3" ovf:parentRef="x"')],
    ['an entity', 'package.bad_ovf', /document type/, `<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]>${descriptor().replace(/<\?.*\?>/, '')}`],
    ['entities in entities', 'package.bad_ovf', /document type/, descriptor().replace('?>', '?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>')],
    ['an entity that is not declared', 'package.bad_ovf', /entity "&evil;"/, descriptor().replace('<Name>web01', '<Name>&evil;')],
    ['a character that is none', 'package.bad_ovf', /entity/, descriptor().replace('<Name>web01', '<Name>&#x110000;')],
    ['a binary zero', 'package.bad_ovf', /entity/, descriptor().replace('<Name>web01', '<Name>&#0;')],
    ['elements in elements without end', 'package.bad_ovf', /nested|depth/i, descriptor().replace('<References>', `${'<a>'.repeat(500)}${'</a>'.repeat(500)}<References>`)],
    ['a tag that is not closed', 'package.bad_ovf', /as XML/, descriptor().replace('</References>', '')],
    ['an end that was cut off', 'package.bad_ovf', /as XML/, descriptor().slice(0, -40)],
    ['two roots', 'package.bad_ovf', /root/, `${descriptor()}<Envelope/>`],
    ['a prefix that is not declared', 'package.bad_ovf', /prefix/, descriptor().replace('<References>', '<evil:x/><References>')],
    ['a name of JavaScript', 'package.bad_ovf', /as XML/, descriptor().replace('<References>', '<__proto__ a="1"/><References>')],
    ['no UTF-8', 'package.bad_ovf', /UTF-8/, Buffer.concat([Buffer.from(descriptor().slice(0, -12)), Buffer.from([0xff, 0xfe, 0xfd]), Buffer.from('</Envelope>')])],
    ['9 MiB of text', 'package.bad_ovf', /limit/, `${descriptor()}${' '.repeat(9 * MIB)}`],
    ['another root', 'package.bad_ovf', /"myEnvelope"|no OVF/, '<myEnvelope/>'],
    ['OVF of an unknown version', 'package.ovf_unsupported', /version of OVF/, descriptor().replaceAll('ovf/envelope/1', 'ovf/envelope/9')],
    ['an unknown required section', 'package.ovf_unsupported', /Envelope\/SecretSection/, ovf({ envelope: '<vmw:SecretSection ovf:required="true"/>' })],
    ['an unknown section that says nothing', 'package.ovf_unsupported', /VirtualSystem "web01"\/SecretSection/, ovf({ system: '<SecretSection/>' })],
    ['an encrypted package', 'package.ovf_unsupported', /encrypted/, ovf({ envelope: '<EncryptionSection ovf:required="false"/>' })],
    ['no virtual system', 'package.bad_ovf', /no virtual system/, ovf({ content: '<Info/>' })],
    ['a virtual system twice', 'package.bad_ovf', /web01: the id/, ovf({ content: virtualSystem('web01') + virtualSystem('web01') })],
    ['collections without end', 'package.bad_ovf', /collections/, ovf({ content: `${'<VirtualSystemCollection ovf:id="x">'.repeat(20)}${virtualSystem('w')}${'</VirtualSystemCollection>'.repeat(20)}` })],
    ['no processor', 'package.bad_ovf', /processors/, hardware(MEMORY)],
    ['a million processors', 'package.bad_ovf', /processors/, hardware(CPU.replace('>2<', '>1000000<') + MEMORY)],
    ['no memory', 'package.bad_ovf', /memory/, hardware(CPU)],
    ['a PiB of memory', 'package.bad_ovf', /memory/, hardware(CPU + MEMORY.replace('2^20', '2^50'))],
    ['an instance twice', 'package.bad_ovf', /InstanceID/, hardware(CPU + CPU + MEMORY)],
    ['a disk on nothing', 'package.bad_ovf', /without a controller/, hardware(CPU + MEMORY + diskItem(0, 'vmdisk1'))],
    ['a disk at unit 99', 'package.bad_ovf', /place/, hardware(CPU + MEMORY + SCSI + diskItem(99, 'vmdisk1'))],
    ['two disks at one place', 'package.bad_ovf', /scsi0:0/, ovf({ disks: '<Disk ovf:capacity="9" ovf:diskId="a"/><Disk ovf:capacity="9" ovf:diskId="b"/>', hardware: CPU + MEMORY + SCSI + diskItem(0, 'a') + diskItem(0, 'b', { InstanceID: 55 }) })],
    ['a disk that is not there', 'package.bad_ovf', /not in DiskSection/, hardware(CPU + MEMORY + SCSI + diskItem(0, 'other'))],
    ['a disk that is a path', 'package.bad_ovf', /names no disk/, hardware(CPU + MEMORY + SCSI + diskItem(0, 'x', { HostResource: '/dev/sda' }))],
    ['one disk twice on a VM', 'package.bad_ovf', /twice/, hardware(CPU + MEMORY + SCSI + diskItem(0, 'vmdisk1') + diskItem(1, 'vmdisk1'))],
    ['a MAC that is none', 'package.bad_ovf', /MAC/, hardware(CPU + MEMORY + item({ InstanceID: 9, ResourceType: 10, Address: '00:50:56:$(id)' }))],
  ]; // prettier-ignore

  it.each(rows)('%s', async (what, code, says, text) => {
    const folder = await temp();
    await put(folder, { 'x.ovf': text, 'disk1.vmdk': await vmdkBytes(folder) });
    await expectRefused(join(folder, 'x.ovf'), { what, code, says });
  });
});

describe('a hostile archive is refused', () => {
  const whole = async (folder: string): Promise<TarMember[]> => [
    { name: 'x.ovf', content: descriptor() },
    { name: 'disk1.vmdk', content: await vmdkBytes(folder) },
  ];
  const rows: [what: string, code: string, says: RegExp, more: TarMember[]][] = [
    ['a name that leads out', 'package.unsafe_path', /byte 0,.*leads out/, [{ name: '../evil' }]],
    ['an absolute name', 'package.unsafe_path', /absolute/, [{ name: '/etc/cron.d/evil' }]],
    ['a name that leads out, by its prefix', 'package.unsafe_path', /leads out/, [{ name: 'evil', prefix: '../..' }]],
    ['a long name that leads out', 'package.unsafe_path', /leads out/, [{ name: '././@LongLink', type: 'L', content: '../evil' }, { name: 'a' }]],
    ['a pax name that leads out', 'package.unsafe_path', /leads out/, [{ name: 'p', type: 'x', content: paxRecord('path', '../evil') }, { name: 'a' }]],
    ['a folder that leads out', 'package.unsafe_path', /leads out/, [{ name: '../evil/', type: '5' }]],
    ['a symbolic link', 'package.unsafe_path', /symbolic link \("disk2/, [{ name: 'disk2.vmdk', type: '2', link: '/etc/passwd' }]],
    ['a hard link', 'package.unsafe_path', /hard link/, [{ name: 'disk2.vmdk', type: '1', link: '/etc/passwd' }]],
    ['a device', 'package.unsafe_path', /device/, [{ name: 'disk2.vmdk', type: '4' }]],
    ['a pipe', 'package.unsafe_path', /pipe/, [{ name: 'disk2.vmdk', type: '6' }]],
    ['an entry of another kind', 'package.bad_tar', /unknown type "S"/, [{ name: 'disk2.vmdk', type: 'S' }]],
    ['a sparse file of pax', 'package.bad_tar', /sparse/, [{ name: 'p', type: 'x', content: paxRecord('GNU.sparse.major', '1') }, { name: 'a' }]],
    ['a name for all', 'package.bad_tar', /all files/, [{ name: 'p', type: 'g', content: paxRecord('path', 'a') }]],
    ['a pax header that lies about its length', 'package.bad_tar', /cannot be read/, [{ name: 'p', type: 'x', content: '999 path=a\n' }, { name: 'a' }]],
    ['a pax size below nothing', 'package.bad_tar', /impossible size/, [{ name: 'p', type: 'x', content: paxRecord('size', '-1') }, { name: 'a' }]],
    ['a pax header without end', 'package.bad_tar', /extended header of/, [{ name: 'p', type: 'x', size: 2 ** 30 }]],
    ['a size below nothing', 'package.bad_tar', /impossible size/, [{ name: 'a', spoil: (header) => header.fill(0xff, 124, 136) }]],
    ['a size beyond all', 'package.bad_tar', /impossible size/, [{ name: 'a', spoil: (header) => header.fill(0x7f, 125, 136).fill(0x80, 124, 125) }]],
    ['a size beyond the archive', 'disk.short_file', /cut short/, [{ name: 'a', size: 2 ** 40, base256: true }]],
    ['a wrong sum', 'package.bad_tar', /sum is wrong/, [{ name: 'a', wrongSum: true }]],
    ['a name twice', 'package.bad_tar', /"x\.ovf" twice/, [{ name: 'x.ovf', content: 'other' }]],
    ['two descriptors', 'package.bad_ova', /2 \.ovf/, [{ name: 'y.ovf', content: descriptor() }]],
  ]; // prettier-ignore

  it.each(rows)('%s', async (what, code, says, more) => {
    const folder = await temp();
    const isNamed = what === 'a name twice' || what === 'two descriptors';
    const own = await whole(folder);
    await writeFile(join(folder, 'x.ova'), tar(isNamed ? [...own, ...more] : [...more, ...own]));
    await expectRefused(join(folder, 'x.ova'), { what, code, says });
  });

  it('whose end is missing, wherever it was cut', async () => {
    const folder = await temp();
    const archive = tar(await whole(folder), 0);
    const disk = archive.length - 512 * 3;
    for (const keep of [513, 600, 1024, 2000, disk, archive.length - 512]) {
      await writeFile(join(folder, 'x.ova'), archive.subarray(0, keep));
      const code = /^(disk\.(short_file|bad_descriptor)|package\.(bad_\w+|missing_file))$/;
      await expect(readAll(join(folder, 'x.ova')), String(keep)).rejects.toMatchObject({
        code: expect.stringMatching(code) as string,
      });
      const all = async () => {
        const ova = await openStreamedOva(Readable.from([archive.subarray(0, keep)]), 'stdin');
        for await (const { stream } of ova.disks())
          for await (const piece of stream.pieces) expect(piece).toBeDefined();
      };
      await expect(all(), `stream of ${keep}`).rejects.toMatchObject({ code: expect.stringMatching(code) as string });
    }
  });

  it('without a descriptor, or that is a stream and has it last', async () => {
    const folder = await temp();
    const [first, second] = await whole(folder);
    if (!first || !second) throw new Error('no members');
    await writeFile(join(folder, 'x.ova'), tar([second]));
    await expectRefused(join(folder, 'x.ova'), { what: 'none', code: 'package.bad_ova', says: /no \.ovf/ });
    const late = openStreamedOva(Readable.from([tar([second, first])]), 'stdin');
    await expect(late).rejects.toMatchObject({ code: 'package.bad_ova' });
    const none = openStreamedOva(Readable.from([Buffer.alloc(2048, 7)]), 'stdin');
    await expect(none).rejects.toMatchObject({ code: 'package.needs_file' });
    expect(tarHeader(first)).toHaveLength(512);
  });
});

describe('a hostile manifest is refused', () => {
  const rows: [what: string, code: string, says: RegExp, text: (text: string, disk: Buffer) => string][] = [
    ['a digest that differs', 'package.manifest_differs', /disk1\.vmdk is not what x\.mf/, (text, disk) => manifestLine('x.ovf', text) + manifestLine('disk1.vmdk', disk.subarray(1))],
    ['a descriptor that differs', 'package.manifest_differs', /x\.ovf is not what/, (text, disk) => manifestLine('x.ovf', `${text} `) + manifestLine('disk1.vmdk', disk)],
    ['a name twice', 'package.bad_manifest', /line 2 names "x\.ovf" again/, (text) => manifestLine('x.ovf', text).repeat(2)],
    ['a file that it does not name', 'package.bad_manifest', /"disk1\.vmdk"/, (text) => manifestLine('x.ovf', text)],
    ['a descriptor that it does not name', 'package.bad_manifest', /"x\.ovf"/, (_text, disk) => manifestLine('disk1.vmdk', disk)],
    ['a file that is not there', 'package.missing_file', /"gone"/, (text, disk) => manifestLine('x.ovf', text) + manifestLine('disk1.vmdk', disk) + manifestLine('gone', '')],
    ['a name that leads out', 'package.unsafe_path', /\.\.\/x/, (text) => manifestLine('../x', text)],
    ['a digest too short', 'package.bad_manifest', /line 1 .* 160 bits/, (text) => manifestLine('x.ovf', text, 'sha1')],
    ['an unknown digest', 'package.bad_manifest', /line 1/, (text) => manifestLine('x.ovf', text, 'md5', 'MD5(%)= ')],
    ['no line that is one', 'package.bad_manifest', /line 1/, () => 'rm -rf /\n'],
    ['nothing', 'package.bad_manifest', /names no file/, () => '\n'],
  ]; // prettier-ignore

  it.each(rows)('%s', async (what, code, says, text) => {
    const folder = await temp();
    const disk = await vmdkBytes(folder);
    await put(folder, { 'x.ovf': descriptor(), 'x.mf': text(descriptor(), disk), 'disk1.vmdk': disk });
    await expectRefused(join(folder, 'x.ovf'), { what, code, says });
  });
});

describe('a hostile disk is refused', () => {
  const flat = (extent: string, more: { parentCid?: string; parent?: string } = {}) =>
    descriptorText({ createType: 'monolithicFlat', extents: [`RW 2048 FLAT ${extent}`], cid: '12345678', ...more });
  const rows: [what: string, code: string, says: RegExp, files: () => Record<string, Buffer | string>][] = [
    ['an extent at an absolute path', 'package.unsafe_path', /"\/etc\/passwd"/, () => ({ d: flat('"/etc/passwd" 0') })],
    ['an extent above', 'package.unsafe_path', /outside its own folder/, () => ({ d: flat('"../secret" 0') })],
    ['a device as an extent', 'package.unsafe_path', /\/dev\/sda/, () => ({ d: flat('"/dev/sda" 0') })],
    ['an extent of another size', 'disk.bad_descriptor', /has 1 bytes/, () => ({ d: flat('"e" 0'), e: 'x' })],
    ['an extent that is missing', 'package.missing_file', /"e"/, () => ({ d: flat('"e" 0') })],
    ['a parent that is missing', 'package.missing_file', /"passwd"/, () => ({ d: flat('"e" 0', { parentCid: 'abcdabcd', parent: '/etc/passwd' }), e: Buffer.alloc(MIB) })],
    ['a parent that is itself', 'disk.chain_broken', /own chain/, () => ({ d: flat('"e" 0', { parentCid: 'abcdabcd', parent: 'd' }), e: Buffer.alloc(MIB) })],
    ['half a parent', 'disk.chain_broken', /half/, () => ({ d: flat('"e" 0', { parent: 'p' }), e: Buffer.alloc(MIB) })],
    ['a raw device', 'disk.rdm_physical', /raw device mapping/, () => ({ d: descriptorText({ createType: 'vmfsPassthroughRawDeviceMap', extents: ['RW 2048 VMFSRDM "r"'], cid: '1' }) })],
    ['a disk of 512 TiB', 'disk.too_large', /62 TiB/, () => ({ d: flat('"e" 0').replace('2048', String(2 ** 40)) })],
    ['an archive of another kind', 'package.unknown_format', /archive/, () => ({ d: Buffer.from('PK\x03\x04xxxxxxxxxxxx') })],
    ['nothing that is known', 'package.unknown_format', /known format/, () => ({ d: Buffer.alloc(4096, 1) })],
    ['a packed disk without a size', 'package.unknown_format', /packed disk whose size/, () => ({ d: gzipSync(content) })],
  ]; // prettier-ignore

  it.each(rows)('%s', async (what, code, says, files) => {
    const folder = await temp();
    await put(folder, files());
    await expectRefused(join(folder, 'd'), { what, code, says });
  });

  it('a packed disk that unpacks to far more than it can have, damaged, or cut short', async () => {
    const folder = await temp();
    const text = descriptor('<File ovf:href="disk1.gz" ovf:id="file1" ovf:compression="gzip"/>');
    const packed = gzipSync(Buffer.concat([await vmdkBytes(folder)]));
    const spoilt = Buffer.from(packed);
    spoilt.fill(0xff, 300, 600);
    const disks: [Buffer, string][] = [
      [gzipSync(Buffer.alloc(300 * MIB)), 'package.capacity_differs'],
      [gzipSync(Buffer.concat([await vmdkBytes(folder), Buffer.alloc(300 * MIB)])), 'package.bomb'],
      [packed.subarray(0, packed.length - 20), 'disk.short_file'],
      [spoilt, 'package.bad_gzip'],
      [gzipSync(gzipSync(Buffer.alloc(MIB))), 'package.unknown_format'],
    ];
    for (const [bytes, code] of disks) {
      await put(folder, { 'x.ovf': text, 'disk1.gz': bytes });
      await expect(readAll(join(folder, 'x.ovf')), code).rejects.toMatchObject({ code });
    }
  });

  it('a link out of the folder, a pipe, a folder', async () => {
    const folder = await temp();
    const outside = await temp();
    await put(outside, { 'disk1.vmdk': await vmdkBytes(outside) });
    await put(folder, { 'x.ovf': descriptor() });
    const disk = join(folder, 'disk1.vmdk');
    const refused = (code: string) => expect(readAll(join(folder, 'x.ovf')), code).rejects.toMatchObject({ code });
    await symlink(join(outside, 'disk1.vmdk'), disk);
    await refused('package.unsafe_path');
    execFileSync('rm', [disk]);
    execFileSync('mkfifo', [disk]);
    await refused('package.unsafe_path');
    execFileSync('rm', [disk]);
    await mkdir(disk);
    await refused('package.unsafe_path');
    await expect(readAll('/dev/zero')).rejects.toMatchObject({ code: 'package.unsafe_path' });
    await expect(readAll(join(folder, 'none.ova'))).rejects.toMatchObject({ code: 'package.missing_file' });
    expect((await readFile(join(outside, 'disk1.vmdk'))).length).toBeGreaterThan(0);
  });
});
