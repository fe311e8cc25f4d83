import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diskKinds } from '../../../src/esxi/inventory/schema.js';
import { diskBytes, isStaged } from '../../../src/migration/estimate/disk-bytes.js';
import { disk } from '../sample-vm.js';

const GIB = 1024 ** 3;
const of = (changes: Parameters<typeof disk>[0], how: Parameters<typeof diskBytes>[1] = { isStaged: true }) =>
  diskBytes(disk({ capacity_bytes: 40 * GIB, allocated_bytes: 3 * GIB, ...changes }), how);

describe('the bytes of a disk', () => {
  it.each<[string, Parameters<typeof disk>[0], number]>([
    ['a flat file', {}, 3 * GIB],
    ['a chain', { kind: 'se_sparse', chain: ['a', 'b'], allocated_bytes: 100 * GIB }, 40 * GIB],
    ['one whose use is not known', { allocated_bytes: null }, 40 * GIB],
    ['a raw device', { kind: 'rdm_physical' }, 0],
  ])('in one pass are those that hold data, and none here: %s', (_what, changes, bytes) => {
    expect(of(changes, {})).toEqual({ copy: bytes, held: bytes, staging: 0 });
  });

  it('are staged where a disk is not read in place', () => {
    expect(isStaged([disk(), disk({ kind: 'se_sparse' }), disk({ kind: 'rdm_virtual' })])).toBe(false);
    expect(isStaged([disk(), disk({ kind: 'sparse' })])).toBe(true);
    expect(isStaged([disk({ kind: 'stream_optimized' })])).toBe(true);
  });

  it.each<[string, Parameters<typeof disk>[0], ReturnType<typeof diskBytes>]>([
    ['a flat file is read whole', {}, { copy: 40 * GIB, held: 3 * GIB, staging: 6 * GIB }],
    [
      'a chain: its base, and what its links hold',
      { kind: 'se_sparse', chain: ['a', 'b'] },
      { copy: 43 * GIB, held: 3 * GIB, staging: 6 * GIB },
    ],
    ['a sparse file for what it holds', { kind: 'sparse' }, { copy: 3 * GIB, held: 3 * GIB, staging: 6 * GIB }],
    ['a raw device is not moved', { kind: 'rdm_virtual' }, { copy: 0, held: 0, staging: 0 }],
    [
      'a use that is not known is the size',
      { kind: 'sparse', allocated_bytes: null },
      { copy: 40 * GIB, held: 40 * GIB, staging: 80 * GIB },
    ],
    [
      'a size that is not known is the use',
      { capacity_bytes: null },
      { copy: 3 * GIB, held: 3 * GIB, staging: 6 * GIB },
    ],
    ['nothing is known', { capacity_bytes: null, allocated_bytes: null }, { copy: 0, held: 0, staging: 0 }],
    [
      'links that hold the same blocks again',
      { kind: 'se_sparse', chain: ['a', 'b', 'c'], allocated_bytes: 100 * GIB },
      { copy: 120 * GIB, held: 40 * GIB, staging: 120 * GIB },
    ],
  ])('%s', (_what, changes, bytes) => {
    expect(of(changes)).toEqual(bytes);
  });

  it('a snapshot over a raw device is not moved either', () => {
    expect(of({ kind: 'vmfs_sparse', chain: ['raw', 'delta'] }, { isRaw: true, isStaged: true })).toEqual({
      copy: 0,
      held: 0,
      staging: 0,
    });
  });

  it('are never negative, hold no more than the disk has, and stage at most three times its size', () => {
    const size = fc.option(fc.nat(2 ** 50), { nil: null });
    const kind = fc.option(fc.constantFrom(...diskKinds), { nil: null });
    fc.assert(
      fc.property(size, size, kind, fc.array(fc.string(), { maxLength: 4 }), (capacity, allocated, what, chain) => {
        const bytes = of({ capacity_bytes: capacity, allocated_bytes: allocated, kind: what, chain });
        const most = capacity ?? allocated ?? 0;
        for (const value of Object.values(bytes)) expect(value).toBeGreaterThanOrEqual(0);
        expect(bytes.held).toBeLessThanOrEqual(most);
        expect(bytes.staging).toBeLessThanOrEqual(3 * most);
        expect(bytes.copy).toBeLessThanOrEqual(3 * most);
      }),
    );
  });
});
