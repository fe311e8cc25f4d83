import fc from 'fast-check';
import { expect, it } from 'vitest';
import { daysSince, oldInventory, savedWhen } from '../../src/migration/saved-age.js';

const AT = '2026-11-18T06:07:59.000Z';
const DAY = 24 * 3600 * 1000;
const after = (ms: number) => Date.parse(AT) + ms;

it.each([
  [after(0), '2026-11-18 06:07 UTC, less than a day ago'],
  [after(DAY - 1), '2026-11-18 06:07 UTC, less than a day ago'],
  [after(DAY), '2026-11-18 06:07 UTC, 1 day ago'],
  [after(7 * DAY), '2026-11-18 06:07 UTC, 7 days ago'],
  // The clock of the machine that saved it goes ahead of this one.
  [after(-DAY), '2026-11-18 06:07 UTC, less than a day ago'],
])('says when it was, and how long ago: %s', (now, text) => {
  expect(savedWhen(AT, now)).toBe(text);
});

it('tells a time with an offset in UTC, and says where nobody knows', () => {
  expect(savedWhen('2026-11-18T07:07:59+01:00', after(0))).toBe(savedWhen(AT, after(0)));
  expect([savedWhen(null, 0), daysSince(null, 0), oldInventory(null)]).toEqual(['an unknown date', null, null]);
});

it('warns of what is older than a week, and counts whole days', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: DAY - 1 }), (days, rest) => {
      expect(daysSince(AT, after(days * DAY + rest))).toBe(days);
      const old = oldInventory(days);
      expect(old === null).toBe(days <= 7);
      if (old) expect(old.message).toContain(`${days} days old`);
    }),
  );
});
