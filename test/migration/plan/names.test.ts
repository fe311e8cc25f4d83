import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cloudName, hostnameOf, metadataValue } from '../../../src/migration/plan/names.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc
    .array(fc.constantFrom(' ', '\t', '\u00a0', '\u200e', '\ufeff', '\ud83d', '🚢', 'ü', '\u2028', '\ue000', '\uffff'))
    .map((parts) => parts.join('')),
);

describe('cloudName', () => {
  it.each([
    ['web 01', 'web 01'],
    ['  web  01 ', 'web 01'],
    ['Büro-Server (alt)', 'Büro-Server (alt)'],
    ['Bu\u0308ro', 'Büro'],
    ['ferry 🚢 one', 'ferry _ one'],
    ['a\nb\tc', 'a b c'],
    ['a\u00a0b\u2028c', 'a b c'],
    ['\u202egnp.exe\u200e', 'gnp.exe'],
    ['a\ue000b', 'a_b'],
    ['a/b%2f+c', 'a/b%2f+c'],
    ['日本語', '日本語'],
    ['', 'vm'],
    [' \u200b ', 'vm'],
  ])('%j becomes %j', (name, expected) => expect(cloudName(name)).toBe(expected));

  it('keeps the suffix whole when it cuts', () => {
    const name = cloudName('x'.repeat(300), '-scsi0:0');
    expect(name).toHaveLength(255);
    expect(name.endsWith('x-scsi0:0')).toBe(true);
  });

  it('is never empty, at most 255 characters, printable, without astral characters and outer blanks', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom('', '-scsi0:0', '-ethernet10'), (text, suffix) => {
        const name = cloudName(text, suffix);
        expect(name.length).toBeGreaterThan(suffix.length);
        expect(name.length).toBeLessThanOrEqual(255);
        expect(name.endsWith(suffix)).toBe(true);
        expect(name.trim()).toBe(name);
        expect(name).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]|[\u{10000}-\u{10ffff}]/u);
        expect(cloudName(name)).toBe(name);
      }),
    );
  });
});

describe('hostnameOf', () => {
  it.each([
    ['web01', 'web01'],
    ['Web 01 (alt)', 'web-01-alt'],
    ['Büro_Server', 'buro-server'],
    ['db.example.org', 'db-example-org'],
    ['--ab--', 'ab'],
    ['a', null],
    ['--ä--', null],
    [`${'a'.repeat(62)}.b`, 'a'.repeat(62)],
    ['日本語', null],
    ['12', null],
    ['', null],
  ])('%j gives %j', (name, expected) => expect(hostnameOf(name)).toBe(expected));

  it('is what Nova takes, or null', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const label = hostnameOf(text);
        if (label !== null) expect(label).toMatch(/^(?=.{2,63}$)[a-z0-9][a-z0-9-]*[a-z0-9]$/);
      }),
    );
  });
});

it('a metadata value is never empty and fits', () => {
  expect(metadataValue('')).toBe('-');
  fc.assert(
    fc.property(anyText, (text) => {
      expect(metadataValue(text)).toMatch(/^[\s\S]{1,255}$/);
    }),
  );
});
