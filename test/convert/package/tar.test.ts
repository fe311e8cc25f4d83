import { execFileSync } from 'node:child_process';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TarHeaderError, decodeTarHeader, tarIndex } from '../../../src/convert/package/tar.js';
import { LocalBytes } from '../../../src/disk/index.js';
import { MemoryBytes } from '../../disk/vmdk/reading.js';
import { tempFolders } from '../../support/temp-folder.js';
import { paxRecord, tar, tarHeader } from './tar-files.js';

const temp = tempFolders();
const index = (bytes: Buffer) => tarIndex(new MemoryBytes('x.ova', bytes));

describe('tar', () => {
  it.each(['ustar', 'gnu', 'posix', 'v7'])('of the form %s is read as tar wrote it', async (format) => {
    const folder = await temp();
    const long = `${'d'.repeat(60)}/${'n'.repeat(90)}.vmdk`;
    const names = ['a.ovf', 'a disk ö.vmdk', ...(format === 'v7' ? [] : [long])];
    execFileSync('mkdir', [join(folder, 'd'.repeat(60))]);
    for (const [at, name] of names.entries())
      await writeFile(join(folder, name), `content ${at} `.repeat(100 * at + 1));
    execFileSync('tar', [`--format=${format}`, '-cf', 'x.ova', ...names], { cwd: folder });
    const archive = await readFile(join(folder, 'x.ova'));
    const entries = await index(archive);
    expect(entries.map(({ name }) => name)).toEqual(names);
    for (const { name, position, bytes } of entries) {
      expect(archive.subarray(position, position + bytes).equals(await readFile(join(folder, name)))).toBe(true);
    }
  });

  it('of 20 GiB is indexed by its headers alone', async () => {
    const folder = await temp();
    const path = join(folder, 'x.ova');
    const size = 20 * 2 ** 30;
    await writeFile(path, tarHeader({ name: 'big.vmdk', size, base256: true }));
    await truncate(path, 512 + size + 1024);
    const file = await LocalBytes.open(path);
    expect(await tarIndex(file)).toEqual([{ name: 'big.vmdk', position: 512, bytes: size }]);
    await file.close();
  });

  it('takes names and sizes from pax headers, and directories for nothing', async () => {
    const name = `${'x'.repeat(200)}.vmdk`;
    const content = paxRecord('mtime', '1') + paxRecord('path', name) + paxRecord('size', '3');
    const archive = tar([
      { name: './dir/', type: '5' },
      { name: 'PaxHeaders/x', type: 'x', content },
      { name: 'short', content: 'abc' },
      { name: './b', content: 'd' },
    ]);
    expect((await index(archive)).map((entry) => [entry.name, entry.bytes])).toEqual([
      [name, 3],
      ['b', 1],
    ]);
  });

  it('may end without its zeros, and with its last block not filled', async () => {
    const archive = tar([{ name: 'a', content: 'abc' }], 0);
    expect(await index(archive)).toHaveLength(1);
    expect(await index(archive.subarray(0, 515))).toHaveLength(1);
  });

  it('gives back any name and size that a header holds', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9 ._-]{1,100}$/),
        fc.stringMatching(/^[a-z0-9._-]{0,100}$/),
        fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        (name, prefix, size) => {
          const base256 = size >= 8 ** 11;
          const header = decodeTarHeader(tarHeader({ name, prefix, size, base256 }));
          expect(header).toEqual({ name: prefix === '' ? name : `${prefix}/${name}`, bytes: size, type: '0' });
        },
      ),
    );
  });

  it('answers or gives its own error for any block, and notices any byte that is spoilt', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (bytes) => {
        expect(() => decodeTarHeader(Buffer.from(bytes))).toThrow(TarHeaderError);
      }),
    );
    const sound = tarHeader({ name: 'disk.vmdk', size: 1234 });
    fc.assert(
      fc.property(fc.nat(511), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const spoilt = Buffer.from(sound);
        spoilt[at] = (spoilt[at] ?? 0) ^ change;
        let header: unknown = null;
        try {
          header = decodeTarHeader(spoilt);
        } catch (error) {
          expect(error).toBeInstanceOf(TarHeaderError);
          return;
        }
        // Only the form of the sum itself may change without harm.
        expect(at >= 148 && at < 156).toBe(true);
        expect(header).toEqual(decodeTarHeader(sound));
      }),
    );
  });
});
