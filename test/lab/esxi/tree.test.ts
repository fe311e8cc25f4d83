import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { buildTree, diskContent, layerContent, MIB, sampleHost, vm, type BuiltTree } from './index.js';
import { blockMapText, blockRuns } from './tree/block-map.js';
import { bytesOf, DELTA_ALIGN, type Layer, type Write } from './tree/content.js';
import { writeCowd } from './tree/cowd.js';
import { resolveHost } from './tree/resolve.js';
import { writeSeSparse } from './tree/sesparse.js';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'stackferry-tree-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Does qemu-img read a chain as these layers? */
async function reads(descriptor: string, disk: { layers: Layer[] }, level = disk.layers.length - 1): Promise<boolean> {
  const raw = path.join(dir, 'known.raw');
  await layerContent(disk, level, raw);
  const { exitCode } = await execa('qemu-img', ['compare', '-q', '-f', 'vmdk', '-F', 'raw', descriptor, raw], {
    reject: false,
  });
  return exitCode === 0;
}

async function known(disk: { layers: Layer[] }, level?: number): Promise<Buffer> {
  const raw = path.join(dir, 'known.raw');
  await (level === undefined ? diskContent(disk, raw) : layerContent(disk, level, raw));
  return readFile(raw);
}

describe('the sample host’s disks', () => {
  let tree: BuiltTree;
  beforeAll(async () => {
    tree = await buildTree(path.join(dir, 'sample'), sampleHost());
  });

  it.each(['web01', 'db01', 'snap-se', 'snap-cowd', 'spread'])(
    '%s: qemu-img reads each link as its known bytes',
    async (name) => {
      for (const disk of tree.vm(name).disks) {
        for (const [level, descriptor] of disk.descriptors.entries()) {
          expect(await reads(descriptor, disk, level), `${disk.label} link ${level}`).toBe(true);
        }
      }
    },
  );

  it('gives every link of a chain other bytes', async () => {
    for (const name of ['snap-se', 'snap-cowd']) {
      const [disk] = tree.vm(name).disks;
      if (disk === undefined) throw new Error('no disk');
      expect(disk.descriptors).toHaveLength(3);
      const generations = await Promise.all([known(disk, 0)]);
      for (const level of [1, 2]) {
        const next = await known(disk, level);
        expect(next.equals(generations.at(-1) ?? next)).toBe(false);
        generations.push(next);
      }
    }
  });

  it('puts a valid MBR on web01 and leaves the extents sparse', async () => {
    const [boot, data] = tree.vm('web01').disks;
    const bytes = await readFile(boot?.extents[0] ?? '');
    expect(bytes.readUInt16LE(510)).toBe(0xaa55);
    expect(bytes[450]).toBe(0x83);
    const thin = await stat(boot?.extents[0] ?? '');
    expect(thin.blocks * 512).toBeLessThan(thin.size / 4);
    expect(data?.path).toBe('[datastore1] web01/web01_1.vmdk');
  });

  it('writes the same bytes for the same spec', async () => {
    const again = await buildTree(path.join(dir, 'again'), sampleHost());
    for (const file of [
      'vmfs/volumes/datastore1/web01/web01-flat.vmdk',
      'vmfs/volumes/datastore1/spread/spread.vmx',
      'etc/lab/getallvms',
    ]) {
      const first = await readFile(path.join(tree.dir, file));
      expect((await readFile(path.join(again.dir, file))).equals(first), file).toBe(true);
    }
  });

  it('takes a raw image as a disk, byte for byte', async () => {
    const image = path.join(dir, 'boot.raw');
    await writeFile(
      image,
      Buffer.concat([Buffer.alloc(MIB, 7), Buffer.alloc(3 * MIB), Buffer.from('end of the image')]),
    );
    const booted = await buildTree(path.join(dir, 'booted'), sampleHost({ bootImage: image }));
    const [disk] = booted.vm('web01').disks;
    const flat = await readFile(disk?.extents[0] ?? '');
    const source = await readFile(image);
    expect(flat.length).toBe(Math.ceil(source.length / 512) * 512);
    expect(flat.subarray(0, source.length).equals(source)).toBe(true);
    const map = await readFile(path.join(booted.dir, 'etc/lab/maps/1'), 'utf8');
    expect(map.split('\n').map((line) => /--> \[(\S+ \S+)/.exec(line)?.[1])).toEqual([
      'VMFS --',
      'NOMP --',
      'VMFS --',
      undefined,
    ]);
  });

  it('makes the faults it was asked for', async () => {
    const broken = await buildTree(path.join(dir, 'broken'), {
      vms: (
        ['missing-descriptor', 'missing-extent', 'short-extent', 'missing-parent', 'wrong-parent-cid'] as const
      ).map((fault) => vm({ name: fault, disks: [{ sizeBytes: MIB, fault }], snapshots: [{ name: 's' }] })),
    });
    const exists = async (file: string | undefined) => (await stat(file ?? '').catch(() => undefined)) !== undefined;
    const disk = (name: string) => broken.vm(name).disks[0];
    expect(await exists(disk('missing-descriptor')?.descriptors[1])).toBe(false);
    expect(await exists(disk('missing-extent')?.extents[1])).toBe(false);
    expect(await exists(disk('missing-parent')?.descriptors[0])).toBe(false);
    const short = disk('short-extent');
    expect((await stat(short?.extents[1] ?? '')).size).toBe(MIB / 2);
    const cidOf = async (file: string | undefined, key: string) =>
      new RegExp(`^${key}=(.*)$`, 'm').exec(await readFile(file ?? '', 'utf8'))?.[1];
    const wrong = disk('wrong-parent-cid');
    expect(await cidOf(wrong?.descriptors[1], 'parentCID')).not.toBe(await cidOf(wrong?.descriptors[0], 'CID'));
  });
});

describe('the delta writers', () => {
  const SIZE = 20 * MIB; // more than one grain directory entry of each format
  const GRAINS = SIZE / DELTA_ALIGN;
  const write = fc
    .record({
      grain: fc.nat(GRAINS - 1),
      count: fc.integer({ min: 1, max: 3 }),
      zeros: fc.boolean(),
      seed: fc.string(),
    })
    .map(({ grain, count, zeros, seed }): Write => {
      const length = Math.min(count, GRAINS - grain) * DELTA_ALIGN;
      return { offset: grain * DELTA_ALIGN, length, content: zeros ? 'zeros' : { seed } };
    });

  it.each([
    ['vmfsSparse', 'VMFSSPARSE', writeCowd],
    ['seSparse', 'SESPARSE', writeSeSparse],
  ] as const)('%s: qemu-img reads any writes over any base', async (createType, extentType, writeDelta) => {
    const at = (name: string) => path.join(dir, `${createType}-${name}`);
    const text = (cid: string, parent: string, type: string, hint: string, extent: string) =>
      `# Disk DescriptorFile\nversion=1\nCID=${cid}\nparentCID=${parent}\ncreateType="${type}"\n${hint}# Extent description\n${extent}\n`;
    await writeFile(
      at('b.vmdk'),
      text('00000001', 'ffffffff', 'vmfs', '', `RW ${SIZE / 512} VMFS "${createType}-b-flat.vmdk"`),
    );
    await writeFile(
      at('d.vmdk'),
      text(
        '00000002',
        '00000001',
        createType,
        `parentFileNameHint="${createType}-b.vmdk"\n`,
        `RW ${SIZE / 512} ${extentType} "${createType}-d-x.vmdk"`,
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 6 }), fc.array(write, { maxLength: 12 }), async (below, above) => {
        const base: Layer = { sizeBytes: SIZE, writes: below };
        const delta: Layer = { sizeBytes: SIZE, writes: above };
        await layerContent({ layers: [base] }, 0, at('b-flat.vmdk'));
        await writeDelta(delta, at('d-x.vmdk'));
        return reads(at('d.vmdk'), { layers: [base, delta] });
      }),
      { numRuns: 10 },
    );
  });

  it('a stream depends on its seed alone', () => {
    const bytes = (seed: string) => bytesOf({ offset: 0, length: 4096, content: { seed } });
    expect(bytes('a').equals(bytes('a'))).toBe(true);
    expect(bytes('a').equals(bytes('b'))).toBe(false);
  });
});

describe('the block map', () => {
  it('covers any disk from end to end, in order', () => {
    const [disk] = resolveHost({ vms: [vm({ name: 'x' })] }).vms[0]?.disks ?? [];
    if (disk === undefined) throw new Error('no disk');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40_000 }),
        fc.uniqueArray(fc.nat(20)),
        fc.boolean(),
        (sectors, blocks, thin) => {
          const size = sectors * 512;
          const text = blockMapText(
            disk,
            blockRuns(size, (block) => blocks.includes(block), thin),
          );
          let end = 0;
          for (const line of text.trimEnd().split('\n')) {
            const [, from, length] =
              /^\[ *(\d+): *(\d+)\] --> \[(?:VMFS (?:--|Z-) LVID:\S+\/\S+\/1:|NOMP -- :)\( *\d+ --> +\d+\)\]$/.exec(
                line,
              ) ?? [];
            expect(Number(from)).toBe(end);
            end += Number(length);
          }
          return end === size;
        },
      ),
    );
  });
});
