import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import {
  capacityBytes,
  hasParent,
  kindOf,
  parseDescriptor,
  serializeDescriptor,
  type VmdkDescriptor,
} from '../../../src/disk/index.js';

const THIN = `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=d7980f7a
parentCID=ffffffff
isNativeSnapshot="no"
createType="vmfs"

# Extent description
RW 67108864 VMFS "test flo_0-flat.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.thinProvisioned = "1"
`;

describe('parseDescriptor', () => {
  it('reads what ESXi writes', () => {
    const descriptor = parseDescriptor(THIN);
    expect(descriptor).toMatchObject({
      version: 1,
      encoding: 'UTF-8',
      cid: 'd7980f7a',
      parentCid: 'ffffffff',
      createType: 'vmfs',
      parentFileNameHint: null,
      extents: [{ access: 'RW', sectors: 67108864, type: 'VMFS', fileName: 'test flo_0-flat.vmdk', offset: 0 }],
    });
    expect(descriptor.ddb.get('thinProvisioned')).toBe('1');
    expect(capacityBytes(descriptor)).toBe(67108864 * 512);
    expect(hasParent(descriptor)).toBe(false);
  });

  it('does not mind line ends, case, blanks, a byte-order mark, a missing last newline', () => {
    const expected = parseDescriptor(THIN);
    const variants = [
      THIN.replaceAll('\n', '\r\n'),
      THIN.replaceAll('\n', '\r'),
      `\uFEFF${THIN}`,
      THIN.trimEnd(),
      THIN.padEnd(10_240, '\0'),
      THIN.replace('CID=', 'cid = ')
        .replace('createType=', ' CREATETYPE\t=  ')
        .replace('RW 6', '  rw   6')
        .replace(' VMFS ', ' vmfs\t'),
      THIN.replace('# Disk DescriptorFile\n', ''),
      THIN.replace('version=1\n', ''),
      THIN.replace('CID=d7980f7a', 'CID=D7980F7A\nCID=D7980F7A'),
    ];
    for (const text of variants) {
      expect(parseDescriptor(Buffer.from(text)), text).toEqual(expected);
    }
  });

  it('decodes names as the descriptor declares, or as they must be meant', () => {
    const text = (encoding: string) => THIN.replace('UTF-8', encoding).replace('test flo_0', 'Größe');
    const name = (bytes: Buffer) => parseDescriptor(bytes).extents[0]?.fileName;
    expect(name(Buffer.from(text('UTF-8')))).toBe('Größe-flat.vmdk');
    expect(name(Buffer.from(text('windows-1252'), 'latin1'))).toBe('Größe-flat.vmdk');
    expect(name(Buffer.from(text('UTF-8'), 'latin1'))).toBe('Größe-flat.vmdk');
    expect(name(Buffer.from(text('no-such-encoding')))).toBe('Größe-flat.vmdk');
    const shift = Buffer.concat([
      Buffer.from(THIN.replace('UTF-8', 'Shift_JIS').split('test flo_0')[0] ?? ''),
      Buffer.from([0x83, 0x66, 0x81, 0x5b, 0x83, 0x5e]),
      Buffer.from('-flat.vmdk"\n'),
    ]);
    expect(name(shift)).toBe('データ-flat.vmdk');
  });

  it('reads split extents, offsets and device ids, and names with quotes', () => {
    const { extents } = parseDescriptor(
      `version=1\nCID=1\ncreateType="x"\nRW 10 FLAT "a-f001.vmdk" 0\nRDONLY 5 ZERO\nNOACCESS 7 FLAT "b"c.vmdk" 63 part-id dev-id\n`,
    );
    expect(extents).toEqual([
      { access: 'RW', sectors: 10, type: 'FLAT', fileName: 'a-f001.vmdk', offset: 0 },
      { access: 'RDONLY', sectors: 5, type: 'ZERO', fileName: null, offset: 0 },
      { access: 'NOACCESS', sectors: 7, type: 'FLAT', fileName: 'b"c.vmdk', offset: 63 },
    ]);
  });

  const bad: [string, string | Buffer][] = [
    ['nothing', ''],
    ['plain text', 'hello\n'],
    ['a NUL', THIN.replace('vmfs', 'vm\0fs')],
    ['binary', Buffer.from([0xeb, 0x63, 0x90, 0x10, 0x8e, 0xd0, 0, 0])],
    ['a control byte', THIN.replace('vmfs', 'vm\x1bfs')],
    ['64 KiB and one byte', THIN.padEnd(64 * 1024 + 1)],
    ['no CID', THIN.replace(/^CID.*\n/m, '')],
    ['a CID that is none', THIN.replace('d7980f7a', 'xyz')],
    ['a CID of nine digits', THIN.replace('d7980f7a', '0d7980f7a')],
    ['two CIDs', THIN.replace('CID=', 'CID=1\nCID=')],
    ['two parents', `${THIN}parentFileNameHint="a"\nparentFileNameHint="b"\n`],
    ['no createType', THIN.replace(/^createType.*\n/m, '')],
    ['an empty createType', THIN.replace('"vmfs"', '""')],
    ['no extent', THIN.replace(/^RW.*\n/m, '')],
    ['an extent of 0 sectors', THIN.replace('67108864', '0')],
    ['an extent of -1 sectors', THIN.replace('67108864', '-1')],
    ['an extent of 2^63 sectors', THIN.replace('67108864', '9223372036854775808')],
    ['more than 1 PiB in sum', THIN.replace(/^RW.*$/m, 'RW 2199023255552 VMFS "a"\nRW 2 VMFS "b"')],
    ['an offset beyond all', THIN.replace(/^RW.*$/m, 'RW 1 FLAT "a" 99999999999999999999')],
    ['a size in hex', THIN.replace('67108864', '0x4000000')],
    ['an unknown type', THIN.replace(' VMFS ', ' NBD ')],
    ['no type', THIN.replace(' VMFS ', ' ')],
    ['no name', THIN.replace(/ "test.*"/, '')],
    ['an empty name', THIN.replace(/"test.*"/, '""')],
    ['an open quote', THIN.replace('flat.vmdk"', 'flat.vmdk')],
    ['words behind the descriptor', `${THIN}rm -rf /\n`],
    ['version 9', THIN.replace('version=1', 'version=9')],
    ['version x', THIN.replace('version=1', 'version=x')],
    ['4097 extents', THIN.replace(/^RW.*$/m, 'RW 1 ZERO\n'.repeat(4097))],
  ];
  it.each(bad)('refuses %s', (_, input) => {
    expect(() => parseDescriptor(input)).toThrow(
      expect.objectContaining({ code: 'disk.bad_descriptor', hint: expect.stringMatching(/./) as string }) as Error,
    );
  });

  it('gives an answer or its own error for any input', () => {
    const mutated = fc
      .tuple(fc.nat(THIN.length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 30 }))
      .map(([at, cut, put]) => THIN.slice(0, at) + put + THIN.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string(), fc.uint8Array({ maxLength: 600 })), (input) => {
        try {
          parseDescriptor(input);
        } catch (error) {
          expect(error).toBeInstanceOf(StackferryError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('ends quickly on hostile lines', () => {
    const start = performance.now();
    expect(() => parseDescriptor(`# Disk DescriptorFile\n${'"'.repeat(30_000)}\n`)).toThrow();
    expect(() => parseDescriptor(`# Disk DescriptorFile\nRW 1 VMFS "${'" 1 '.repeat(15_000)}\n`)).toThrow();
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('kindOf', () => {
  const kinds: [string, string, string | null][] = [
    ['vmfs', 'RW 1 VMFS "a"', 'flat'],
    ['vmfsThin', 'RW 1 VMFS "a"', 'flat'],
    ['monolithicFlat', 'RW 1 FLAT "a" 0', 'flat'],
    ['vmfsSparse', 'RW 1 VMFSSPARSE "a"', 'vmfs_sparse'],
    ['seSparse', 'RW 1 SESPARSE "a"', 'se_sparse'],
    ['vmfsRawDeviceMap', 'RW 1 VMFSRDM "a"', 'rdm_virtual'],
    ['vmfsPassthroughRawDeviceMap', 'RW 1 VMFSRDM "a"', 'rdm_physical'],
    ['streamOptimized', 'RDONLY 1 SPARSE "a"', 'stream_optimized'],
    ['monolithicSparse', 'RW 1 SPARSE "a"', 'sparse'],
    ['custom', 'RW 1 ZERO', null],
    ['custom', 'RW 1 FLAT "a" 0\nRW 1 SPARSE "b"', null],
  ];
  it.each(kinds)('of %s, %s', (createType, line, kind) => {
    expect(kindOf(parseDescriptor(`version=1\nCID=1\ncreateType="${createType}"\n${line}\n`))).toBe(kind);
  });
});

describe('serializeDescriptor', () => {
  const word = fc
    .stringMatching(/^[^"\p{Cc}\u2028]{1,40}$/u)
    .filter((text) => text.trim() === text && !/\p{Surrogate}/u.test(text));
  const cid = fc.stringMatching(/^[0-9a-f]{8}$/);
  const extent = fc.record({
    access: fc.constantFrom('RW' as const, 'RDONLY' as const),
    sectors: fc.integer({ min: 1, max: 2 ** 36 }),
    type: fc.constantFrom('FLAT' as const, 'VMFS' as const, 'SESPARSE' as const),
    fileName: word,
    offset: fc.nat(1000),
  });

  it('is read back as it was', () => {
    fc.assert(
      fc.property(
        cid,
        cid,
        word,
        fc.option(word),
        fc.array(extent, { minLength: 1, maxLength: 5 }),
        (own, parent, type, hint, extents) => {
          const descriptor: VmdkDescriptor = {
            version: 1,
            encoding: 'UTF-8',
            cid: own,
            parentCid: parent,
            createType: type,
            parentFileNameHint: hint,
            extents,
            ddb: new Map([['adapterType', 'lsilogic']]),
          };
          expect(parseDescriptor(Buffer.from(serializeDescriptor(descriptor)))).toEqual(descriptor);
        },
      ),
    );
  });

  it('puts a comment before the extents and refuses what it cannot hold', () => {
    const descriptor = parseDescriptor(THIN);
    expect(serializeDescriptor(descriptor)).toMatch(/\n# Extent description\nRW /);
    for (const fileName of ['a"b', 'a\nRW 1 FLAT "b"', 'x'.repeat(600)]) {
      const extents = [{ access: 'RW', sectors: 1, type: 'VMFS', fileName, offset: 0 } as const];
      expect(() => serializeDescriptor({ ...descriptor, extents })).toThrow(/cannot hold/);
    }
  });
});

const recordings = join(import.meta.dirname, '../../../../shared/facts/recordings');
const recorded = existsSync(recordings) ? readdirSync(recordings).filter((name) => name.startsWith('descriptor.')) : [];
describe.each(recorded)('%s of a real host', (name) => {
  it('is read', () => {
    const kinds: Record<string, string> = {
      'rdm-physical': 'rdm_physical',
      seSparse: 'se_sparse',
      vmfsSparse: 'vmfs_sparse',
      streamOptimized: 'stream_optimized',
    };
    expect(kindOf(parseDescriptor(readFileSync(join(recordings, name))))).toBe(
      kinds[name.split('.')[1] ?? ''] ?? 'flat',
    );
  });
});
