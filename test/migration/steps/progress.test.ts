import { expect, it } from 'vitest';
import { ratesText } from '../../../src/migration/steps/progress.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

it('tells what was read a second, and what of the size was done, where the two differ', () => {
  const thin = { readBytes: 10 * GIB, capacityBytes: 40 * GIB, seconds: 100 };
  expect(ratesText(thin)).toBe("; 102 MiB/s read, 410 MiB/s of the disk's size");
  expect(ratesText({ ...thin, capacityBytes: 10 * GIB })).toBe('; 102 MiB/s read');
});

it('tells nothing of too little', () => {
  const small = { readBytes: 63 * MIB, capacityBytes: 40 * GIB, seconds: 10 };
  expect(ratesText(small)).toBe('');
  expect(ratesText({ ...small, readBytes: GIB, seconds: 0.5 })).toBe('');
  expect(ratesText({ ...small, readBytes: GIB, seconds: null })).toBe('');
});
