import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  LocalBytes,
  RangeList,
  flatLayout,
  layoutSource,
  parseDescriptor,
  vmdkLayout,
} from '../../../src/disk/index.js';
import { writeCowd as labCowd } from '../../lab/esxi/tree/cowd.js';
import { writeSeSparse as labSeSparse } from '../../lab/esxi/tree/sesparse.js';
import { tempFolders } from '../../support/temp-folder.js';
import {
  descriptorText,
  patterned,
  writeCowd,
  writeFlat,
  writeSeSparse,
  writeSplit,
  type Written,
} from '../../support/vmdk-files.js';
import { MemoryBytes, readByQemu, readChain, readDisk, withChain } from './reading.js';

const temp = tempFolders();
const MIB = 1024 * 1024;
const TIB = 1024 ** 4;

/** Equal, without a diff of megabytes where they are not. */
function expectSame(ours: Buffer, theirs: Buffer, what = ''): void {
  expect(ours.length, `${what} length`).toBe(theirs.length);
  expect(ours.equals(theirs), `${what} content`).toBe(true);
}

/** The content with parts of it overwritten, by data and by zeros. */
function changed(content: Buffer, seed: string, places: readonly number[]): Buffer {
  const next = Buffer.from(content);
  for (const place of places) {
    patterned(200 * 1024, `${seed}${place}`).copy(next, place);
    next.fill(0, place + 250 * 1024, place + 300 * 1024);
  }
  return next;
}

type Writer = typeof writeCowd;

/** A flat base under deltas of the given kinds, each with changes of its own. */
async function chainOf(folder: string, writers: readonly Writer[], bytes: number): Promise<[string[], Buffer]> {
  let content = patterned(bytes, 'base');
  let below: Written = await writeFlat(folder, 'web', content);
  const names = [below.descriptor];
  for (const [index, writer] of writers.entries()) {
    const places = [0, 1, 2].map((turn) => Math.floor(((index + turn * 5) * bytes) / 17 / 4096) * 4096);
    const next = changed(content, `link${index}`, places);
    below = await writer(folder, `web-${index + 1}`, below, content, next);
    names.push(below.descriptor);
    content = next;
  }
  return [names, content];
}

describe('flat extents', () => {
  it('read as qemu-img reads them: one file, several, several in one file, odd sizes', async () => {
    const folder = await temp();
    const content = patterned(10 * MIB + 512, 'flat');
    const one = await writeFlat(folder, 'one', content);
    expectSame(await readChain(folder, [one.descriptor]), content);
    expectSame(readByQemu(folder, one.descriptor), content);
    const split = await writeSplit(folder, 'split', content, [4 * MIB, 3 * MIB + 1024, 3 * MIB - 512]);
    expectSame(await readChain(folder, [split.descriptor]), content);
    expectSame(readByQemu(folder, split.descriptor), content);
    const extents = ['RW 8192 FLAT "one-flat.vmdk" 4096', 'RW 4096 FLAT "one-flat.vmdk" 0'];
    const text = descriptorText({ createType: 'monolithicFlat', extents, cid: '12345678' });
    await writeFile(join(folder, 'turned.vmdk'), text);
    expectSame(await readChain(folder, ['turned.vmdk']), readByQemu(folder, 'turned.vmdk'));
  });

  it('take an extent of zeros as zeros', async () => {
    const folder = await temp();
    const content = patterned(2 * MIB, 'zero');
    await writeFlat(folder, 'one', content);
    const extents = ['RW 2048 VMFS "one-flat.vmdk" 2048', 'RW 77 ZERO', 'RW 2048 VMFS "one-flat.vmdk"'];
    await writeFile(join(folder, 'z.vmdk'), descriptorText({ createType: 'vmfs', extents, cid: '12345678' }));
    const disk = Buffer.concat([content.subarray(MIB), Buffer.alloc(77 * 512), content.subarray(0, MIB)]);
    expectSame(await readChain(folder, ['z.vmdk']), disk);
  });

  it('leave out what the map of the file leaves out', async () => {
    const folder = await temp();
    const content = patterned(8 * MIB, 'map');
    const split = await writeSplit(folder, 'split', content, [4 * MIB, 4 * MIB]);
    const maps = [RangeList.from([{ offset: MIB, length: MIB }]), null];
    const layout = await withChain(folder, [split.descriptor], (links, files) =>
      vmdkLayout(links, files, { allocated: (file) => maps[file] ?? null }),
    );
    expect([...(await layout.dataRanges())]).toEqual([
      { offset: MIB, length: MIB },
      { offset: 4 * MIB, length: 4 * MIB },
    ]);
    expect(await layout.locate(MIB + 100, 6 * MIB)).toEqual([
      { offset: MIB + 100, length: MIB - 100, file: 0, position: MIB + 100 },
      { offset: 4 * MIB, length: 3 * MIB + 100, file: 1, position: 0 },
    ]);
  });

  it('may be a raw image alone', async () => {
    const content = patterned(3 * MIB + 7, 'raw');
    const file = new MemoryBytes('raw', content);
    expectSame(await readDisk(flatLayout(file), [file]), content);
    const layout = flatLayout(file, RangeList.from([{ offset: 10, length: 20 }]));
    expect([...(await layout.dataRanges())]).toEqual([{ offset: 10, length: 20 }]);
    expect(await layout.locate(0, 15)).toEqual([{ offset: 10, length: 5, file: 0, position: 10 }]);
    expect(() => layout.locate(0, 3 * MIB + 8)).toThrow(RangeError);
  });

  it('that are cut short are refused before a byte is read', async () => {
    const folder = await temp();
    const { descriptor, extents } = await writeFlat(folder, 'one', patterned(MIB, 'cut'));
    await truncate(join(folder, extents[0] ?? ''), MIB - 1);
    await expect(readChain(folder, [descriptor])).rejects.toMatchObject({ code: 'disk.short_file' });
  });
});

describe('chains of deltas', () => {
  const kinds: [string, Writer[]][] = [
    ['vmfsSparse', [writeCowd]],
    ['seSparse', [writeSeSparse]],
    ['vmfsSparse x 3', [writeCowd, writeCowd, writeCowd]],
    ['seSparse x 3', [writeSeSparse, writeSeSparse, writeSeSparse]],
  ];
  it.each(kinds)('%s reads as qemu-img reads it', async (_, writers) => {
    const folder = await temp();
    // no multiple of what a table maps, nor of the base's blocks
    const bytes = (writers[0] === writeCowd ? 9 : 33) * MIB + 4096;
    const [names, content] = await chainOf(folder, writers, bytes);
    expectSame(readByQemu(folder, names.at(-1) ?? ''), content);
    expectSame(await readChain(folder, names), content);
  });

  it('empty and full deltas, and a last grain that is not whole', async () => {
    const folder = await temp();
    const content = patterned(5 * MIB + 512 * 3, 'odd');
    const base = await writeFlat(folder, 'web', content);
    const empty = await writeCowd(folder, 'empty', base, content, content);
    expectSame(await readChain(folder, [base.descriptor, empty.descriptor]), content);
    const other = Buffer.alloc(content.length, 'full');
    const full = await writeCowd(folder, 'full', empty, content, other);
    expectSame(await readChain(folder, [base.descriptor, empty.descriptor, full.descriptor]), other);
    expectSame(readByQemu(folder, full.descriptor), other);
    const whole = content.subarray(0, 5 * MIB);
    const base2 = await writeFlat(folder, 'web2', whole);
    const cleared = await writeSeSparse(folder, 'cleared', base2, whole, Buffer.alloc(whole.length));
    await withChain(folder, [base2.descriptor, cleared.descriptor], async (links, files) => {
      const layout = await vmdkLayout(links, files);
      expectSame(await readDisk(layout, files), Buffer.alloc(whole.length));
      // every grain that held something is a grain of zeros now, and hides it
      expect((await layout.dataRanges()).bytes).toBeLessThan(whole.length);
    });
  });

  it('read what the lab host writes, too', async () => {
    const folder = await temp();
    const sizeBytes = 30 * MIB;
    const content = patterned(sizeBytes, 'lab');
    for (const [kind, type, write] of [
      ['vmfsSparse', 'VMFSSPARSE', labCowd],
      ['seSparse', 'SESPARSE', labSeSparse],
    ] as const) {
      const base = await writeFlat(folder, `base-${kind}`, content);
      const bytes = patterned(MIB, `new-${kind}`);
      const writes = [
        { offset: 7 * MIB, length: MIB, content: { bytes } },
        { offset: 20 * MIB, length: 2 * MIB, content: 'zeros' as const },
      ];
      await write({ sizeBytes, writes }, join(folder, `${kind}.ext`));
      const text = descriptorText({
        createType: kind,
        extents: [`RW ${sizeBytes / 512} ${type} "${kind}.ext"`],
        cid: 'aabbccdd',
        parentCid: base.cid,
        parent: base.descriptor,
      });
      await writeFile(join(folder, `${kind}.vmdk`), text);
      const next = Buffer.from(content);
      bytes.copy(next, 7 * MIB);
      next.fill(0, 20 * MIB, 22 * MIB);
      expectSame(await readChain(folder, [base.descriptor, `${kind}.vmdk`]), next, kind);
      expectSame(readByQemu(folder, `${kind}.vmdk`), next, kind);
    }
  });

  it('must be whole: base first, content ids and sizes that agree, each file once', async () => {
    const folder = await temp();
    const [names] = await chainOf(folder, [writeCowd, writeCowd], 4 * MIB);
    const [base = '', first = '', second = ''] = names;
    for (const wrong of [[first], [base, second], [base, first, first], [base, base], [second, first]]) {
      await expect(readChain(folder, wrong), wrong.join()).rejects.toMatchObject({ code: 'disk.chain_broken' });
    }
    await withChain(folder, names, async (links, files) => {
      const twice = links.map((link, index) => (index === 2 ? { ...link, files: [1] } : link));
      await expect(vmdkLayout(twice, files)).rejects.toMatchObject({ code: 'disk.chain_broken' });
    });
    const big = await writeFlat(folder, 'big', patterned(5 * MIB, 'big'));
    const grown = await writeCowd(
      folder,
      'grown',
      { ...big, cid: big.cid },
      Buffer.alloc(4 * MIB),
      Buffer.alloc(4 * MIB),
    );
    await expect(readChain(folder, [big.descriptor, grown.descriptor])).rejects.toMatchObject({
      code: 'disk.chain_broken',
    });
  });

  it('of a hosted sparse extent read as qemu-img wrote them, one extent or many', async () => {
    for (const subformat of ['monolithicSparse', 'twoGbMaxExtentSparse']) {
      const folder = await temp();
      const content = patterned(9 * MIB, subformat);
      await writeFile(join(folder, 'd.raw'), content);
      execFileSync('qemu-img', [
        ...['convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${subformat}`],
        ...[join(folder, 'd.raw'), join(folder, 'd.vmdk')],
      ]);
      const bytes = await readFile(join(folder, 'd.vmdk'));
      const text = subformat === 'monolithicSparse' ? bytes.subarray(512, 512 + bytes.subarray(512).indexOf(0)) : bytes;
      const descriptor = parseDescriptor(text);
      const files = await Promise.all(
        descriptor.extents.map(
          async ({ fileName }) => new MemoryBytes(fileName ?? '', await readFile(join(folder, fileName ?? ''))),
        ),
      );
      const layout = await vmdkLayout([{ descriptor, files: files.map((_, at) => at) }], files);
      expect((await layout.dataRanges()).bytes).toBeLessThan(content.length);
      expect((await readDisk(layout, files)).equals(content), subformat).toBe(true);
      const source = layoutSource(layout, files);
      const read = Buffer.alloc(content.length);
      for await (const piece of source.pieces(await source.dataRanges())) piece.bytes.copy(read, piece.offset);
      expect(read.equals(content)).toBe(true);
    }
  });

  it('of other kinds are refused by name', async () => {
    for (const extent of ['VMFSRDM "x"', 'VMFSRAW "x"']) {
      const text = descriptorText({ createType: 'custom', extents: [`RW 2048 ${extent}`], cid: '12345678' });
      const links = [{ descriptor: parseDescriptor(text), files: [0] }];
      await expect(vmdkLayout(links, [new MemoryBytes('x', Buffer.alloc(MIB))]), extent).rejects.toMatchObject({
        code: 'disk.unsupported',
      });
    }
  });
});

const generator = fileURLToPath(new URL('../../../../shared/testbed/vmdkgen.py', import.meta.url));

describe('files of an independent writer', () => {
  it('read right', async () => {
    if (!existsSync(generator)) {
      console.warn('NOT JUDGED against the independent VMDK writer: it is not on this machine (our own writers were).');
      return;
    }
    const folder = await temp();
    const contents = [patterned(18 * MIB, 'one')];
    contents.push(changed(contents[0] ?? Buffer.alloc(0), 'two', [0, 9 * MIB, 16 * MIB - 65536]));
    contents.push(changed(contents[1] ?? Buffer.alloc(0), 'three', [4 * MIB, 9 * MIB + 4096]));
    for (const [index, content] of contents.entries()) await writeFile(join(folder, `${index}.raw`), content);
    const make = (...words: string[]) => execFileSync('python3', [generator, ...words], { cwd: folder, stdio: 'pipe' });
    for (const kind of ['vmfssparse', 'sesparse']) {
      await mkdir(join(folder, kind));
      make('flat', '0.raw', kind, 'vm', kind === 'sesparse' ? 'thin' : 'thick');
      make(kind, '0.raw', '1.raw', kind, 'vm-000001', 'vm.vmdk');
      make(kind, '1.raw', '2.raw', kind, 'vm-000002', 'vm-000001.vmdk');
      const names = ['vm.vmdk', 'vm-000001.vmdk', 'vm-000002.vmdk'];
      for (const [index, content] of contents.entries()) {
        expectSame(await readChain(join(folder, kind), names.slice(0, index + 1)), content, `${kind} ${index}`);
      }
    }
  });
});

describe('large disks', () => {
  it('a delta of 62 TiB with data at its ends and zeros between, over a flat base of 62 TiB', async () => {
    const folder = await temp();
    const sectors = (62 * TIB) / 512;
    // file systems end before that: the base is a source without content
    const base = {
      name: 'base',
      bytes: 62 * TIB,
      read: (_: number, length: number) => Promise.resolve(Buffer.alloc(length)),
    };
    const last = Buffer.alloc(4096, 'last');
    await labSeSparse(
      {
        sizeBytes: 62 * TIB,
        writes: [
          { offset: 0, length: 4096, content: { bytes: Buffer.alloc(4096, 'first') } },
          { offset: 31 * TIB, length: 8192, content: 'zeros' },
          { offset: 62 * TIB - 4096, length: 4096, content: { bytes: last } },
        ],
      },
      join(folder, 'd.ext'),
    );
    const flat = descriptorText({ createType: 'vmfs', extents: [`RW ${sectors} VMFS "b"`], cid: '11111111' });
    const delta = descriptorText({
      createType: 'seSparse',
      extents: [`RW ${sectors} SESPARSE "d.ext"`],
      cid: '22222222',
      parentCid: '11111111',
      parent: 'b.vmdk',
    });
    const file = await LocalBytes.open(join(folder, 'd.ext'));
    const links = [
      { descriptor: parseDescriptor(flat), files: [0] },
      { descriptor: parseDescriptor(delta), files: [1] },
    ];
    const allocated = RangeList.from([
      { offset: 31 * TIB - 100, length: 10_000 },
      { offset: 62 * TIB - 10_000, length: 10_000 },
    ]);
    const layout = await vmdkLayout(links, [base, file], { allocated: () => allocated });
    expect([...(await layout.dataRanges())]).toEqual([
      { offset: 0, length: 4096 },
      { offset: 31 * TIB - 100, length: 100 },
      { offset: 31 * TIB + 8192, length: 10_000 - 100 - 8192 },
      { offset: 62 * TIB - 10_000, length: 10_000 },
    ]);
    const found = await layout.locate(62 * TIB - 8192, 8192);
    expect(found.map((segment) => segment.file)).toEqual([0, 1]);
    expect(await file.read(found[1]?.position ?? 0, 4096)).toEqual(last);
    await file.close();
  });

  it('asks for many tables with one read', async () => {
    const sizeBytes = 40 * 1024 * MIB;
    const folder = await temp();
    for (const [write, type, tables] of [
      [labSeSparse, 'SESPARSE', 400],
      [labCowd, 'VMFSSPARSE', 1000],
    ] as const) {
      // one grain in every table of the first part, so that the file is mostly tables
      const span = type === 'SESPARSE' ? 16 * MIB : 2 * MIB;
      const writes = Array.from({ length: tables }, (_, at) => ({
        offset: at * span + 4096,
        length: 4096,
        content: { bytes: Buffer.alloc(4096, at + 1) },
      }));
      await write({ sizeBytes, writes }, join(folder, type));
      const content = await readFile(join(folder, type));
      const file = new MemoryBytes(type, content);
      const text = descriptorText({ createType: 'x', extents: [`RW ${sizeBytes / 512} ${type} "x"`], cid: '12345678' });
      const layout = await vmdkLayout([{ descriptor: parseDescriptor(text), files: [0] }], [file]);
      expect((await layout.dataRanges()).count).toBe(tables);
      expect(file.reads, type).toBeLessThan(tables / 20);
      expect(file.largest).toBeLessThanOrEqual(MIB);
      expect((await layout.locate(7 * span, 2 * span)).map(({ offset }) => offset)).toEqual([
        7 * span + 4096,
        8 * span + 4096,
      ]);
    }
  });
});
