import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { command, openstack, option, shellWord, variable } from '../../../src/migration/guide/words.js';

/** Anything that can be an argument of a program. */
const words = fc.array(
  fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0')),
  {
    maxLength: 6,
  },
);
const odd = [
  '',
  ' ',
  '-x',
  '$(id)',
  '`id`',
  '"',
  "'",
  `'"`,
  '\\',
  '!',
  'a\nb',
  'größe',
  '*',
  '~',
  '=ls',
  '#',
  '%s',
  '$HOME',
  "it's",
];

/** The arguments as a real shell reads them. */
function read(shell: string, text: string): string[] {
  const out = execFileSync(shell, ['-c', `show() { printf '%s\\0' "$@"; }; X=1 Y='a b'; ${text}`], {
    encoding: 'utf8',
  });
  return out.split('\0').slice(0, -1);
}

it.each([
  ['web01-scsi0:0', 'web01-scsi0:0'],
  ['VM Network', "'VM Network'"],
  ["cat '/vmfs/volumes/a b'", `"cat '/vmfs/volumes/a b'"`],
  ["a'$b", `'a'\\''$b'`],
  ['', "''"],
])('writes %j as %s', (text, word) => {
  expect(shellWord(text)).toBe(word);
});

it.each(['sh', 'bash'])('gives %s every word as it is meant', (shell) => {
  expect(read(shell, command('show', ...odd))).toEqual(odd);
  fc.assert(
    fc.property(words, (list) => {
      expect(read(shell, command('show', ...list)).concat([])).toEqual(list.length === 0 ? [''] : list);
    }),
    { numRuns: 60 },
  );
});

it('breaks long lines between options, and changes no word by it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('--property', '-c', '--tag'), fc.string({ maxLength: 60 })), { maxLength: 12 }),
      (pairs) => {
        const list = pairs.flat().filter((text) => !text.includes('\0'));
        fc.pre(list.length > 0);
        expect(read('sh', command('show', ...list))).toEqual(list);
      },
    ),
    { numRuns: 40 },
  );
});

it('puts variables into words', () => {
  const text = command('show', variable('Y'), ['uuid=', variable('X'), ',a="$b"'], ['x', variable('X'), 'y']);
  expect(text).toBe('show "$Y" "uuid=$X,a=\\"\\$b\\"" "x${X}y"');
  expect(read('sh', text)).toEqual(['a b', 'uuid=1,a="$b"', 'x1y']);
});

it('lets nothing be taken for an option', () => {
  expect(command('x', ...option('--type', '-fast'))).toBe('x --type=-fast');
  expect(openstack(['volume', 'create'], '-a', ['--size', '1'])).toBe('openstack volume create --size 1 -- -a');
  expect(openstack(['volume', 'create'], 'a', ['--size', '1'])).toBe('openstack volume create a --size 1');
});

it('refuses what no argument can hold', () => {
  expect(() => shellWord('a\0b')).toThrow(expect.objectContaining({ code: 'esxi.unquotable' }));
  expect(() => shellWord('a\ud800')).toThrow(expect.objectContaining({ code: 'esxi.unquotable' }));
});
