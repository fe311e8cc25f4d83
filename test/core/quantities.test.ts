import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, parseRate } from '../../src/core/index.js';

describe('parseRate', () => {
  it.each([
    ['80MiB/s', 80 * 1024 ** 2],
    ['80 MB/s', 80e6],
    ['1Gbit/s', 125e6],
    ['640Mbps', 80e6],
    ['100Mb/s', 12.5e6],
    ['1.5GiB/s', 1.5 * 1024 ** 3],
    ['4096B/s', 4096],
    ['8bit/s', 1],
    ['10k', 10_000],
  ])('%s', (text, rate) => {
    expect(parseRate(text, '--rate')).toBe(rate);
  });

  it.each(['', '0', '-1', 'fast', '80 MiB/h', '1e9', 'MiB/s', '0.5', '1,5MB/s'])('refuses "%s"', (text) => {
    expect(() => parseRate(text, '--rate')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it.each(['5', '5/s', ' 0.7 '])('refuses "%s", which has no unit', (text) => {
    expect(() => parseRate(text, '--bandwidth')).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: `--bandwidth "${text}" has no unit.`,
        hint: `Example: --bandwidth ${parseFloat(text)}MiB/s`,
      }),
    );
  });
});

describe('parseDuration', () => {
  it.each([
    ['90', 90],
    ['90s', 90],
    ['30m', 1800],
    ['30 min', 1800],
    ['1h30m', 5400],
    ['2h 15m', 8100],
    ['1.5h', 5400],
    ['1d', 86_400],
  ])('%s', (text, seconds) => {
    expect(parseDuration(text, '--budget')).toBe(seconds);
  });

  it.each(['', '0', '0m', '-5m', '5 weeks', 'm', '1h30x', '1e3'])('refuses "%s"', (text) => {
    expect(() => parseDuration(text, '--budget')).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

it('gives a finite number of at least something, or an error of ours', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const parse of [parseRate, parseDuration]) {
        try {
          const value = parse(text, '--x');
          expect(value > 0 && Number.isFinite(value)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
        }
      }
    }),
  );
});
