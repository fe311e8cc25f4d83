import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, path, quote, raw, sh } from '../../../src/esxi/ssh/index.js';

const SHELLS: [string, string[]][] = [
  ['sh', ['-c']],
  ['busybox', ['sh', '-c']],
];

/** What a program gets as its arguments when the shell has read `text`. */
function argumentsSeen([program, args]: [string, string[]], text: string): string[] {
  const out = execFileSync(program, [...args, text], { encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 });
  return out.split('\0').slice(0, -1);
}

const HOSTILE = [
  '',
  ' ',
  "'",
  "''",
  "it's",
  '"',
  '\\',
  "\\'",
  '$(touch /tmp/pwned)',
  '`id`',
  '${HOME}',
  '$HOME',
  'a\nb',
  '\n',
  '\r\n',
  '-rf',
  '--',
  '-',
  '%s%n',
  '100%',
  'a;b',
  'a&b|c>d<e',
  '!!',
  '~root',
  '*',
  '[a-z]?',
  '{a,b}',
  '#comment',
  'VAR=value',
  'Büro-Server',
  'e\u0301',
  '日本語',
  '🚢 ferry',
  '\u202Egnp.exe',
  '\uFFFD',
  '\u007F\u0001\t\v',
  'web 01/web 01_1-flat.vmdk',
];

const word = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
  fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', '-', '%', '!', 'ü', '🚢', '(', ')', 'a') }),
);

describe.each(SHELLS)('quoting, judged by %s', (...shell) => {
  it('hands every hostile word over unchanged', () => {
    // busybox' printf is a builtin like sh's: no limit but the shell's own.
    expect(argumentsSeen(shell, `printf '%s\\0' ${command(...HOSTILE)}`)).toEqual(HOSTILE);
  });

  it('hands any words over unchanged, in number and in content', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), (words) => {
        expect(argumentsSeen(shell, `printf '%s\\0' ${command(...words)}`)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });

  it('survives being quoted again for a shell within the shell', () => {
    fc.assert(
      fc.property(word, (text) => {
        const inner = sh`printf '%s\\0' ${text}`;
        expect(argumentsSeen(shell, `${shell[0] === 'sh' ? 'sh' : 'busybox sh'} -c ${quote(inner)}`)).toEqual([text]);
      }),
      { numRuns: 25 },
    );
  });
});

describe('files with hostile names', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'stackferry-quote-'));
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  it('are read by relative name, a leading dash too', () => {
    for (const [index, name] of HOSTILE.filter((n) => n !== '' && !n.includes('/')).entries()) {
      writeFileSync(join(dir, name), `content ${index}`);
      const out = execFileSync('busybox', ['sh', '-c', command('cat', path(name))], { cwd: dir, encoding: 'utf8' });
      expect(out).toBe(readFileSync(join(dir, name), 'utf8'));
    }
  });
});

describe('quote', () => {
  it('refuses what no argument can hold, and says which word', () => {
    expect(() => quote('a\0b')).toThrow(/"a\\u0000b".*NUL/);
    expect(() => quote('half \uD83D')).toThrow(/surrogate/);
    expect(() => quote('\uDEA2 half')).toThrow(/surrogate/);
    expect(quote('🚢')).toBe("'🚢'");
  });
});

describe('sh', () => {
  it('quotes values, spreads arrays, takes finished text as it is', () => {
    const list = ['a b', "c'd"];
    expect(sh`ls -l ${list} ${3} | ${raw('head -1')}`).toBe("ls -l 'a b' 'c'\\''d' '3' | head -1");
    expect(sh`dd if=${'/x y'} bs=${4096}`).toBe("dd if='/x y' bs='4096'");
  });

  it('keeps escapes of the template as JavaScript reads them', () => {
    expect(sh`printf 'a\n' ${'b'}`).toBe("printf 'a\n' 'b'");
  });

  it('refuses a value inside quotes, where it could break out', () => {
    const name = '$(id)';
    expect(() => sh`echo "${name}"`).toThrow(/inside quotes/);
    expect(() => sh`echo '${name}'`).toThrow(/inside quotes/);
    expect(() => sh`echo \`cat ${name}\``).toThrow(/inside quotes/);
    expect(() => sh`echo \\${name}`).toThrow(/escape/);
    expect(() => sh`echo "it's" ${name} '"' ${name}`).not.toThrow();
    expect(() => sh`echo "a\\"" ${name}`).not.toThrow();
  });

  it('refuses numbers that shells do not read', () => {
    expect(() => sh`head -c ${Number.NaN}`).toThrow(/NaN/);
    expect(() => sh`head -c ${1e21}`).toThrow(/1e\+21/);
    expect(() => sh`head -c ${0.5}`).toThrow(/0\.5/);
    expect(sh`head -c ${2 ** 46}`).toBe("head -c '70368744177664'");
  });
});

describe('path', () => {
  it('keeps a name from being an option', () => {
    expect(path('-rf')).toBe('./-rf');
    expect(path('/vmfs/volumes/a')).toBe('/vmfs/volumes/a');
    expect(path('a-b')).toBe('a-b');
  });
});
