import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { deltaLayout, parseDescriptor, vmdkLayout, type VmdkLink } from '../../../src/disk/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { descriptorText, patterned, writeCowd, writeFlat, writeSeSparse } from '../../support/vmdk-files.js';
import { MemoryBytes, readByQemu, readChain, readDisk } from './reading.js';

const temp = tempFolders();
const MIB = 1024 * 1024;

interface Delta {
  kind: 'vmfsSparse' | 'seSparse';
  /** The delta's file. */
  bytes: Buffer;
  base: Buffer;
  content: Buffer;
  links: VmdkLink[];
  /** Where its tables lie, by what names them. */
  directory: number;
  tables: number[];
  grains: number;
}

async function makeDelta(kind: Delta['kind'], folder: string): Promise<Delta> {
  const base = patterned(5 * MIB, 'base');
  const content = Buffer.from(base);
  content.fill('changed over two tables ', 2 * MIB - 150_000, 2 * MIB + 150_000);
  content.fill(0, 3 * MIB, 3 * MIB + 100_000);
  content.fill('x', 5 * MIB - 5000);
  const write = kind === 'vmfsSparse' ? writeCowd : writeSeSparse;
  const below = await writeFlat(folder, 'b', base);
  const written = await write(folder, 'd', below, base, content);
  const bytes = await readFile(join(folder, written.extents[0] ?? ''));
  const links: VmdkLink[] = [];
  for (const [index, name] of [below.descriptor, written.descriptor].entries()) {
    links.push({ descriptor: parseDescriptor(await readFile(join(folder, name))), files: [index] });
  }
  const cowd = kind === 'vmfsSparse';
  const directory = (cowd ? bytes.readUInt32LE(20) : Number(bytes.readBigUInt64LE(128))) * 512;
  const tables = cowd
    ? [0, 1, 2].map((number) => bytes.readUInt32LE(directory + number * 4) * 512).filter((at) => at > 0)
    : [Number(bytes.readBigUInt64LE(144)) * 512];
  return {
    kind,
    bytes,
    base,
    content,
    links,
    directory,
    tables,
    grains: cowd ? 0 : Number(bytes.readBigUInt64LE(192)) * 512,
  };
}

/** Reads the disk with another file in the delta's place. Reads outside of it are a fault of the reader. */
async function readWith(delta: Delta, bytes: Buffer): Promise<Buffer> {
  const files = [new MemoryBytes('base', delta.base), new MemoryBytes('delta', bytes)];
  return readDisk(await vmdkLayout(delta.links, files), files);
}

/** `right`, `other`, or the code of our error. */
async function outcome(delta: Delta, spoil: (bytes: Buffer) => unknown): Promise<string> {
  const bytes = Buffer.from(delta.bytes);
  const cut = spoil(bytes);
  try {
    return (await readWith(delta, Buffer.isBuffer(cut) ? cut : bytes)).equals(delta.content) ? 'right' : 'other';
  } catch (error) {
    if (error instanceof StackferryError) return error.code;
    throw error;
  }
}

describe.each(['vmfsSparse', 'seSparse'] as const)('a %s file that is not sound', (kind) => {
  let delta: Delta;
  const folders = tempFolders();
  beforeAll(async () => {
    delta = await makeDelta(kind, await folders());
  });

  it('is short wherever it is cut', async () => {
    const size = delta.bytes.length;
    for (const end of [
      0,
      1,
      511,
      512,
      2048,
      delta.directory,
      delta.directory + 4,
      ...delta.tables,
      size / 2,
      size - 1,
    ]) {
      expect(await outcome(delta, (bytes) => bytes.subarray(0, end)), `${end} of ${size}`).toBe('disk.short_file');
    }
  });

  it('is refused where two entries name one place, where tables lie on one another, on the header or on data', async () => {
    const { directory, tables, bytes } = delta;
    const wide = kind === 'seSparse';
    const [table = 0] = tables;
    const size = wide ? 8 : 4;
    const used: number[] = [];
    for (let at = table; used.length < 2; at += size) {
      // of a wide entry the kind, else all of it
      if (wide ? (bytes.readUInt8(at + 7) & 0xf0) === 0x30 : bytes.readUInt32LE(at) !== 0) used.push(at);
    }
    const [first = 0, second = 0] = used;
    const cases: [string, (to: Buffer) => unknown][] = [
      ['one grain twice', (to) => to.copy(to, second, first, first + size)],
    ];
    if (wide) {
      cases.push(
        ['an unknown kind of grain', (to) => to.writeUInt8(0x40, first + 7)],
        ['an unallocated grain with a place', (to) => to.writeUInt8(0, second + 7)],
        ['an unknown kind of table', (to) => to.writeUInt8(0x20, directory + 7)],
        ['a table beyond the last', (to) => to.writeUInt32LE(1000, directory)],
        ['grains on tables', (to) => to.writeBigUInt64LE(BigInt(table / 512), 192)],
        ['directory on tables', (to) => to.writeBigUInt64LE(BigInt(table / 512), 128)],
        ['small directory', (to) => to.writeBigUInt64LE(0n, 136)],
        ['no second header', (to) => to.fill(0, 512, 520)],
      );
    } else {
      cases.push(
        ['one table twice', (to) => to.copy(to, directory + 4, directory, directory + 4)],
        ['a table on the header', (to) => to.writeUInt32LE(1, directory)],
        ['a table on the directory', (to) => to.writeUInt32LE(directory / 512, directory)],
        ['a table beside a table', (to) => to.writeUInt32LE(table / 512 + 1, directory)],
        ['a grain on the header', (to) => to.writeUInt32LE(1, first)],
        ['a grain on the directory', (to) => to.writeUInt32LE(directory / 512, first)],
        ['a grain on its table', (to) => to.writeUInt32LE(table / 512 + 3, first)],
        ['a grain on another table', (to) => to.writeUInt32LE((tables[1] ?? 0) / 512 + 3, first)],
        ['a directory on the header', (to) => to.writeUInt32LE(0, 20)],
        ['a small directory', (to) => to.writeUInt32LE(1, 24)],
      );
    }
    for (const [name, spoil] of cases) expect(await outcome(delta, spoil), name).toBe('disk.bad_descriptor');
    expect(await outcome(delta, (to) => to.writeUInt32LE(0, 0)), 'no magic').toBe('disk.bad_descriptor');
    expect(await outcome(delta, () => undefined)).toBe('right');
  });

  it('is refused where it names what lies past its end, or needs more than is known here', async () => {
    const [table = 0] = delta.tables;
    const far = (to: Buffer) => {
      for (let at = table; at < table + 4096 * 4; at += 4)
        if (to.readUInt32LE(at) !== 0) to.writeUInt32LE(0x30ffffff, at);
    };
    expect(['disk.short_file', 'disk.bad_descriptor']).toContain(await outcome(delta, far));
    if (kind === 'vmfsSparse') return;
    expect(await outcome(delta, (to) => to.writeBigUInt64LE(1n, 512 + 24)), 'journal').toBe('disk.unsupported');
    expect(await outcome(delta, (to) => to.writeBigUInt64LE(16n, 24)), 'grain size').toBe('disk.unsupported');
    expect(await outcome(delta, (to) => to.writeBigUInt64LE(0x200000002n, 8)), 'version').toBe('disk.unsupported');
  });

  it('reads as qemu-img reads it or gives an error of ours, whatever is spoilt', async () => {
    const folder = await temp();
    await makeDelta(kind, folder);
    const path = join(folder, kind === 'vmfsSparse' ? 'd-delta.vmdk' : 'd-sesparse.vmdk');
    const span = kind === 'vmfsSparse' ? 4096 * 4 : 4096 * 8;
    const where = fc.oneof(
      fc.nat(255),
      fc.nat(64).map((more) => delta.directory + more),
      fc.tuple(fc.constantFrom(...delta.tables), fc.nat(span - 1)).map(([table, more]) => table + more),
      fc.nat(delta.bytes.length - 1),
    );
    await fc.assert(
      fc.asyncProperty(
        where,
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        fc.option(fc.double({ min: 0.5, max: 1, noNaN: true })),
        async (at, put, keep) => {
          const bytes = Buffer.from(delta.bytes);
          put.forEach((byte, index) => (bytes[Math.min(bytes.length - 1, at + index)] = byte));
          const file = bytes.subarray(0, keep === null ? bytes.length : Math.floor(bytes.length * keep));
          let disk: Buffer;
          try {
            disk = await readWith(delta, file);
          } catch (error) {
            expect(error).toBeInstanceOf(StackferryError);
            return;
          }
          await writeFile(path, file);
          let judged: Buffer | null = null;
          try {
            judged = readByQemu(folder, 'd.vmdk');
          } catch {
            // qemu-img is stricter on fields that say nothing of where data lies
          }
          expect(disk.equals(judged ?? delta.content)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('says the same as a delta by itself', async () => {
    const link = delta.links[1];
    if (!link) throw new Error('no link');
    const read = (bytes: Buffer) => deltaLayout({ ...link, files: [0] }, [new MemoryBytes('delta', bytes)]);
    await expect(read(delta.bytes.subarray(0, -1))).rejects.toMatchObject({ code: 'disk.short_file' });
    await expect(read(Buffer.alloc(4096))).rejects.toMatchObject({ code: 'disk.bad_descriptor' });
    expect((await read(delta.bytes)).changed.bytes).toBeGreaterThan(300_000);
  });
});

describe('absurd tables', () => {
  it('of a disk of 2 TiB end at once: all entries of the directory name one table', async () => {
    const sectors = 2 ** 32 - 4096;
    const tables = sectors / 4096;
    const bytes = Buffer.alloc(2048 + tables * 4 + 4096 * 4);
    bytes.write('COWD');
    [1, 3, sectors, 1, 4, tables, 0].forEach((value, at) => bytes.writeUInt32LE(value, 4 + at * 4));
    const table = 4 + Math.ceil((tables * 4) / 512);
    for (let at = 0; at < tables; at++) bytes.writeUInt32LE(table, 2048 + at * 4);
    const text = descriptorText({ createType: 'x', extents: [`RW ${sectors} VMFSSPARSE "x"`], cid: '12345678' });
    const file = new MemoryBytes('x', Buffer.concat([bytes, Buffer.alloc(512)]));
    const layout = await vmdkLayout([{ descriptor: parseDescriptor(text), files: [0] }], [file]);
    const began = Date.now();
    await expect(layout.dataRanges()).rejects.toMatchObject({ code: 'disk.bad_descriptor' });
    expect(Date.now() - began).toBeLessThan(5000);
    expect(await layout.locate(2 ** 40, 4096)).toEqual([]);
  });

  it('are found where the file is only looked into, too', async () => {
    const folder = await temp();
    const delta = await makeDelta('vmfsSparse', folder);
    const bytes = Buffer.from(delta.bytes);
    bytes.writeUInt32LE(0x7fffffff, delta.directory);
    const files = [new MemoryBytes('base', delta.base), new MemoryBytes('delta', bytes)];
    const layout = await vmdkLayout(delta.links, files);
    await expect(layout.locate(0, 4096)).rejects.toMatchObject({ code: 'disk.short_file' });
    // what another table names is not harmed
    expect((await layout.locate(5 * MIB - 512, 512)).map(({ file }) => file)).toEqual([1]);
    await truncate(join(folder, 'd-delta.vmdk'), 3000);
    await expect(readChain(folder, ['b.vmdk', 'd.vmdk'])).rejects.toMatchObject({ code: 'disk.short_file' });
  });
});
