import { describe, expect, it } from 'vitest';
import { parseProperties } from '../../src/commands/options/properties.js';
import { refused } from './in-process.js';

describe('a value that cannot be meant is refused before anything else is done', () => {
  const long = 'x'.repeat(256);
  it.each<[string[], string]>([
    [['migrate', '--vm', 'web01', '--flavor', ''], '--flavor is empty.'],
    [['migrate', '--vm', 'web01', '--name', '   '], '--name is empty.'],
    [['migrate', '--vm', 'web01', '--security-group', 'web', '--security-group', ''], '--security-group is empty.'],
    [['migrate', '--vm', ''], '--vm is empty.'],
    [['volume', '--image', ''], '--image is empty.'],
    [['convert', ''], 'The argument file is empty.'],
    [['upload', 'a.raw', ''], 'The argument files is empty.'],
    [['migrate', '--vm', 'web01', '--name', 'a\nb'], '--name holds a line break'],
    [['migrate', '--vm', 'web01', '--name', long], '--name has 256 characters.'],
    [['upload', 'a.raw', '--name', long], '--name has 256 characters.'],
    [['migrate', '--vm', 'web01', '--timeout-volume', '0'], 'Give a whole number from 1 to 1000000.'],
    [['migrate', '--vm', 'web01', '--timeout-volume', '-1'], 'Give a whole number'],
    [['migrate', '--vm', 'web01', '--timeout-volume', '1e9'], 'Give a whole number'],
    [['migrate', '--vm', 'web01', '--timeout-volume', '9999999'], 'Give a whole number'],
    [['migrate', '--vm', 'web01', '--streams', '9'], 'Give a whole number from 1 to 8.'],
    [['inventory', '--esxi-ssh-port', '65536'], 'Give a whole number from 1 to 65535.'],
    [['upload', 'a.raw', '--property', 'x'], 'is not of the form KEY=VALUE.'],
  ])('%j', async (args, message) => {
    const error = await refused(...args);
    expect(error.message).toContain(message);
    expect(error.hint).toBeTruthy();
  });
});

describe('--property', () => {
  it('is split at its first =', () => {
    expect(parseProperties(['os_distro=debian', 'note=a=b', 'empty='])).toEqual({
      os_distro: 'debian',
      note: 'a=b',
      empty: '',
    });
  });

  it.each([
    'x',
    '=x',
    ' =x',
    'id=5',
    'os_hash_value=5',
    'a b=c',
    'a=b\nc',
    `${'k'.repeat(256)}=v`,
    `k=${'v'.repeat(256)}`,
  ])('refuses %j', (text) => {
    expect(() => parseProperties([text])).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('refuses one key twice', () => {
    expect(() => parseProperties(['a=1', 'a=2'])).toThrow(/given twice/);
  });
});
