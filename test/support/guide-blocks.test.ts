import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guideCommands, missingLines, runGuide } from './guide-blocks.js';

const page = [
  'Text with `$ not a command` in it.',
  '```console',
  '$ first --with \\',
  '    more words',
  'shown 1',
  '$ second <<EOF',
  '$ text of the document',
  'EOF',
  '```',
  '```yaml',
  'key: value',
  '```',
  '```console run=never reason="asks"',
  '$ third',
  '```',
].join('\n');

describe('guideCommands', () => {
  it('takes each command with its continuation, its output and its reason', () => {
    expect(guideCommands(page)).toEqual([
      { line: 3, text: 'first --with \\\n    more words', shown: ['shown 1'], never: null },
      { line: 6, text: 'second <<EOF\n$ text of the document\nEOF', shown: [], never: null },
      { line: 14, text: 'third', shown: [], never: 'asks' },
    ]);
  });

  it.each([
    ['a command in another block', '```sh\n$ ls\n```'],
    ['a command in no block', '$ ls'],
    ['an unknown attribute', '```console run=sometimes\n$ ls\n```'],
    ['no reason', '```console run=never\n$ ls\n```'],
    ['output without a command', '```console\noutput\n```'],
    ['an empty block', '```console\n```'],
    ['an open block', '```console\n$ ls'],
    ['an open document', '```console\n$ cat <<EOF\n```'],
  ])('refuses %s', (_what, markdown) => {
    expect(() => guideCommands(markdown)).toThrow();
  });
});

describe('runGuide', () => {
  let cwd: string;
  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'stackferry-guide-'));
  });
  afterAll(() => rm(cwd, { recursive: true, force: true }));
  const outputs = async (markdown: string, timeoutSeconds = 10) => {
    const env = { PATH: process.env['PATH'] ?? '' };
    const ran = await runGuide(guideCommands(`\`\`\`console\n${markdown}\n\`\`\``), { cwd, env, timeoutSeconds });
    return ran.map(({ output }) => output);
  };

  it('keeps variables and folders from one command to the next, and shows both streams', async () => {
    expect(
      await outputs('$ mkdir a && cd a\n$ NAME=$(echo "it\'s")\n$ echo "$NAME in ${PWD##*/}"; echo no >&2'),
    ).toEqual(['', '', "it's in a\nno\n"]);
  });

  it('gives a command nothing to read', async () => {
    expect(await outputs('$ cat\n$ echo on')).toEqual(['', 'on\n']);
  });

  it.each([
    ['$ false', /line 2 ended with 1/],
    ['$ false | cat', /line 2 ended with 1/],
    ["$ echo 'open", /line 2 ended with/],
    ['$ exit 3', /the shell ended/],
    ['$ echo waits; sleep 60', /not done in 1 s[^]*waits/],
  ])('fails on %s', async (markdown, message) => {
    await expect(outputs(markdown, 1)).rejects.toThrow(message);
  });
});

describe('missingLines', () => {
  const output = 'Run r3k2m9qx of web01\nread 48 MiB in 1 min 12 s\nport 00:0c:29:67:fe:39\nlast\n';

  it('takes figures, ids and … for equal', () => {
    expect(missingLines(['Run rabcdefg of web01', '…', 'read 3.1 GiB in 9 s', 'port … ', '', 'last'], output)).toEqual(
      [],
    );
    expect(missingLines(['port 00:50:56:00:00:01'], output)).toEqual([]);
  });

  it('names what was not printed, or not in that order', () => {
    expect(missingLines(['Run rabcdefg of web02', 'last'], output)).toEqual(['Run rabcdefg of web02']);
    expect(missingLines(['last', 'read 1 MiB in 1 s'], output)).toEqual(['read 1 MiB in 1 s']);
    expect(missingLines(['las'], output)).toEqual(['las']);
  });
});
