import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocationUnit, inBytes } from '../../../src/convert/ovf/units.js';

describe('allocation units', () => {
  it.each([
    ['byte', 1n],
    ['byte * 2^20', 2n ** 20n],
    ['byte*2^30', 2n ** 30n],
    [' byte  *  10 ^ 6 ', 1_000_000n],
    ['byte * 1024 * 1024', 2n ** 20n],
    ['MegaBytes', 2n ** 20n],
    ['GigaBytes', 2n ** 30n],
    ['MB', 2n ** 20n],
  ])('%j', (text, expected) => {
    expect(allocationUnit(text)).toBe(expected);
  });

  it.each([
    ...['', 'bit * 8', 'byte *', 'byte ** 2', 'byte * -1', 'byte * 2^', 'byte * 2^99', 'byte * 10^63', 'byte / 2'],
    ...['hertz * 10^6', 'byte * 0', '2^30', 'byte * 2^30 * x', `byte${' * 2'.repeat(9)}`, 'constructor'],
  ])('%j is none', (text) => {
    expect(allocationUnit(text)).toBeNull();
  });

  it('is the product of its factors, however many and however they are spaced', () => {
    const factor = fc.record({ base: fc.integer({ min: 1, max: 1024 }), exponent: fc.integer({ min: 0, max: 3 }) });
    const blank = fc.constantFrom('', ' ', '   ');
    fc.assert(
      fc.property(fc.array(factor, { maxLength: 4 }), blank, (factors, space) => {
        const text = ['byte', ...factors.map(({ base, exponent }) => `${base}${space}^${space}${exponent}`)];
        const product = factors.reduce((all, { base, exponent }) => all * BigInt(base) ** BigInt(exponent), 1n);
        expect(allocationUnit(text.join(`${space}*${space}`))).toBe(product > 2n ** 63n ? null : product);
      }),
    );
  });

  it('gives a number or null for any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (count, units) => {
        const bytes = inBytes(count, units);
        expect(bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
      }),
    );
    expect(inBytes('9007199254740993', null)).toBeNull();
    expect(inBytes('50', 'byte * 2^30')).toBe(50 * 2 ** 30);
    for (const count of ['-1', '1.5', '1e3', '0x10', '', ' ']) expect(inBytes(count, null), count).toBeNull();
  });
});
