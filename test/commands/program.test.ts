import { describe, expect, it } from 'vitest';
import { printed, refused } from './in-process.js';

describe('a wrong command line', () => {
  it.each([
    ['nonsense', 'There is no command "nonsense".', 'List them with: stackferry --help'],
    ['migrte', 'There is no command "migrte".', 'Did you mean migrate? List them with: stackferry --help'],
    ['inv', 'There is no command "inv".', 'Did you mean inventory? List them with: stackferry --help'],
    [
      'migrte --vm x -f json',
      'There is no command "migrte".',
      'Did you mean migrate? List them with: stackferry --help',
    ],
    ['-q bogus --vm=x', 'There is no command "bogus".', 'List them with: stackferry --help'],
    ['--nonsense bogus', "Unknown option '--nonsense'.", 'See: stackferry --help'],
    ['help migrte', 'There is no command "migrte".', 'Did you mean migrate? List them with: stackferry --help'],
    ['migrate --vn x', "Unknown option '--vn'.", '(Did you mean --vm?) See: stackferry migrate --help'],
    ['doctor --esxi-password=hunter2', "Unknown option '--esxi-password'.", 'See: stackferry doctor --help'],
    ['upload --property', "Option '--property <key=value>' argument missing.", 'See: stackferry upload --help'],
    [
      'inventory -f xml',
      "Option '-f, --format <format>' argument 'xml' is invalid.",
      'See: stackferry inventory --help',
    ],
    ['--nonsense', "Unknown option '--nonsense'.", 'See: stackferry --help'],
  ])('%s says what is wrong and which help to read', async (line, message, hint) => {
    const error = await refused(...line.split(' '));
    expect(error).toMatchObject({ code: 'usage', exitCode: 2 });
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });
});

it('help shows what --help shows', async () => {
  const all = await printed('help');
  expect(all).toMatch(/^ {2}migrate /m);
  const one = await printed('help', 'migrate');
  expect(one).toMatch(/^Usage: stackferry migrate /);
  expect(one).toContain('--wait-for');
});
