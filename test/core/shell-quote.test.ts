import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoteForHint } from '../../src/core/index.js';

test.each([
  ['web01', 'web01'],
  ['', "''"],
  ['web 01', "'web 01'"],
  ["O'Brien", "'O'\\''Brien'"],
  ['$(reboot)', "'$(reboot)'"],
  ['größe', "'größe'"],
  ['two\nlines', "$'two\\nlines'"],
  ["it's\t\\1\u00071", "$'it\\'s\\t\\\\1\\0071'"],
])('%j is pasted as %s', (name, quoted) => {
  expect(quoteForHint(name)).toBe(quoted);
});

test('every name arrives in bash as it was, from one line', () => {
  const name = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\u0000'));
  fc.assert(
    fc.property(fc.array(name, { minLength: 20, maxLength: 40 }), (names) => {
      const words = names.map(quoteForHint);
      for (const word of words) expect(word).not.toMatch(/[\u0000-\u001f\u007f]/);
      const said = execFileSync('bash', ['-c', `printf '%s\\0' ${words.join(' ')}`]).toString('utf8');
      expect(said).toBe(names.map((text) => `${text}\0`).join(''));
    }),
    { numRuns: 30 },
  );
});
