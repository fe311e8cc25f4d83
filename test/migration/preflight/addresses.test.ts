import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isWithin } from '../../../src/migration/plan/resolve-ports.js';
import {
  addressNumber,
  cidrRange,
  countBetween,
  isBetween,
  sameAddress,
} from '../../../src/migration/preflight/addresses.js';

it.each([
  ['0.0.0.0', 0n],
  ['10.0.0.1', 167_772_161n],
  ['255.255.255.255', 4_294_967_295n],
  ['::', 0n],
  ['::1', 1n],
  ['1::', 1n << 112n],
  ['fe80::1%eth0', (0xfe80n << 112n) + 1n],
  ['::ffff:192.0.2.1', 0xffff_c000_0201n],
  ['1:2:3:4:5:6:7:8', 0x0001_0002_0003_0004_0005_0006_0007_0008n],
])('%s is a number', (text, expected) => {
  expect(addressNumber(text)).toBe(expected);
});

it('knows two spellings of one address, and not two families', () => {
  expect(sameAddress('fd00:0:0:0::5', 'FD00::0005')).toBe(true);
  expect(sameAddress('0.0.0.1', '::1')).toBe(false);
  expect(isBetween('::5', { start: '0.0.0.1', end: '0.0.0.9' })).toBe(false);
});

it('has the ends of a CIDR, in agreement with Node', () => {
  const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }), fc.ipV4());
  const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 }), fc.ipV6());
  fc.assert(
    fc.property(fc.oneof(v4, v6), ([base, bits, ip]) => {
      const { first, last } = cidrRange(`${base}/${bits}`);
      const number = addressNumber(ip);
      expect(number >= first && number <= last).toBe(isWithin(ip, `${base}/${bits}`));
      expect(addressNumber(base) >= first && addressNumber(base) <= last).toBe(true);
      expect(last - first + 1n).toBe(1n << BigInt((base.includes(':') ? 128 : 32) - bits));
    }),
  );
});

it('counts what lies between', () => {
  expect(countBetween({ start: '10.0.0.100', end: '10.0.0.199' })).toBe(100n);
  expect(countBetween({ start: 'fd00::', end: 'fd00::ffff:ffff:ffff:ffff' })).toBe(1n << 64n);
});
