import { describe, expect, it } from 'vitest';
import { deltaLayout } from '../../../src/disk/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { patterned, writeCowd, writeFlat, writeSeSparse } from '../../support/vmdk-files.js';
import { withChain } from './reading.js';

const temp = tempFolders();
const MIB = 1024 * 1024;

describe('deltaLayout', () => {
  it.each([
    ['vmfsSparse', writeCowd, 5 * MIB + 512, 512],
    ['seSparse', writeSeSparse, 34 * MIB, 4096],
  ] as const)(
    '%s: applied to what lay below, gives the disk; names only what changed',
    async (_, write, bytes, grain) => {
      const folder = await temp();
      const below = patterned(bytes, 'below');
      const content = Buffer.from(below);
      patterned(100_000, 'data').copy(content, 2 * MIB + 512);
      content.fill(0, 4 * MIB, 4 * MIB + 600_000);
      content.fill('end', bytes - 512);
      const base = await writeFlat(folder, 'web', below);
      const delta = await write(folder, 'delta', base, below, content);
      await withChain(folder, [delta.descriptor], async ([link], files) => {
        if (!link) throw new Error('no link');
        const layout = await deltaLayout(link, files);
        expect(layout.capacityBytes).toBe(bytes);
        const disk = Buffer.from(below);
        let zeroed = 0;
        for (const { offset, length } of layout.changed) {
          let told = 0;
          for (const zeros of await layout.zeros(offset, length)) {
            disk.fill(0, zeros.offset, zeros.offset + zeros.length);
            zeroed += zeros.length;
            told += zeros.length;
          }
          for (const segment of await layout.locate(offset, length)) {
            (await files[segment.file]?.read(segment.position, segment.length))?.copy(disk, segment.offset);
            told += segment.length;
          }
          expect(told).toBe(length);
        }
        expect(disk.equals(content)).toBe(true);
        const differing = Array.from({ length: Math.ceil(bytes / grain) }, (__, at) => at * grain).filter(
          (at) => !below.subarray(at, at + grain).equals(content.subarray(at, at + grain)),
        );
        expect(layout.changed.bytes).toBe(differing.length * grain);
        // explicit zeros are known to seSparse only
        expect(zeroed > 0).toBe(grain === 4096);
      });
    },
  );

  it('that changed nothing is empty; a base is none', async () => {
    const folder = await temp();
    const content = patterned(3 * MIB, 'same');
    const base = await writeFlat(folder, 'web', content);
    const delta = await writeSeSparse(folder, 'delta', base, content, content);
    await withChain(folder, [delta.descriptor], async ([link], files) => {
      if (link) expect((await deltaLayout(link, files)).changed.count).toBe(0);
    });
    await withChain(folder, [base.descriptor], async ([link], files) => {
      if (link) await expect(deltaLayout(link, files)).rejects.toMatchObject({ code: 'disk.unsupported' });
    });
  });
});
