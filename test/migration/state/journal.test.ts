import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCode } from '../../../src/core/index.js';
import { Journal, parseJournal, readJournal } from '../../../src/migration/state/journal.js';
import type { JournalEntry } from '../../../src/migration/state/journal-line.js';
import { standingClock, temporaryFolders } from '../helpers.js';

const folder = temporaryFolders();

const entries: JournalEntry[] = [
  {
    kind: 'run.opened',
    version: 1,
    run: 'r7',
    program: '0.1.0',
    command: 'migrate',
    vm: { id: '12', name: 'wéb 🚢', uuid: null },
  },
  { kind: 'plan', section: 'options', value: { networks: [{ source: 'a=b', target: 'c' }] } },
  { kind: 'step.started', step: 'volume:scsi0:0' },
  { kind: 'intent', step: 'volume:scsi0:0', resource: 'volume', name: 'line\nbreak' },
  { kind: 'made', step: 'volume:scsi0:0', resource: 'volume', id: 'v-1', name: 'line\nbreak' },
  { kind: 'step.done', step: 'volume:scsi0:0', seconds: 1.5, result: { volume_id: 'v-1' } },
  { kind: 'run.closed', state: 'failed', error: { code: 'a.b', message: 'no', hint: 'so' } },
];

async function written(): Promise<{ path: string; bytes: Buffer }> {
  const path = join(await folder(), 'journal.jsonl');
  const journal = await Journal.open(path, standingClock());
  for (const entry of entries) await journal.append(entry);
  await journal.close();
  return { path, bytes: await readFile(path) };
}

describe('a journal', () => {
  it('gives back what was written, with the time, one line each, for its owner only', async () => {
    const { path, bytes } = await written();
    const lines = await readJournal(path);
    expect(lines).toEqual(entries.map((entry) => ({ ...entry, at: '2026-01-02T03:04:05.000Z' })));
    expect(bytes.toString().split('\n')).toHaveLength(entries.length + 1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('keeps the order of calls that do not wait for each other', async () => {
    const path = join(await folder(), 'journal.jsonl');
    const journal = await Journal.open(path, standingClock());
    const names = Array.from({ length: 50 }, (_, i) => `step${i}`);
    await Promise.all(names.map((step) => journal.append({ kind: 'step.started', step })));
    await journal.close();
    expect((await readJournal(path)).map((line) => 'step' in line && line.step)).toEqual(names);
    expect(journal.lines).toHaveLength(50);
  });

  it('is on the disk when append returns', async () => {
    const path = join(await folder(), 'journal.jsonl');
    const journal = await Journal.open(path, standingClock());
    await journal.append({ kind: 'step.started', step: 'a' });
    expect(await readFile(path, 'utf8')).toBe('{"kind":"step.started","step":"a","at":"2026-01-02T03:04:05.000Z"}\n');
    await journal.close();
  });

  it('reads a value that was left out as null', async () => {
    const path = join(await folder(), 'journal.jsonl');
    const journal = await Journal.open(path, standingClock());
    await journal.append({ kind: 'step.done', step: 'a', seconds: 0, result: undefined });
    await journal.close();
    expect(await readJournal(path)).toEqual([expect.objectContaining({ kind: 'step.done', result: null })]);
  });
});

describe('a last line that was torn off', () => {
  it('is dropped at every byte offset', async () => {
    const { bytes } = await written();
    const ends = [...bytes.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at + 1);
    for (let length = 0; length <= bytes.length; length++) {
      const { lines, goodBytes } = parseJournal(bytes.subarray(0, length), 'x');
      const whole = ends.filter((end) => end <= length);
      expect([length, lines.length, goodBytes]).toEqual([length, whole.length, whole.at(-1) ?? 0]);
    }
  });

  it('is dropped whatever bytes it has', async () => {
    const { bytes } = await written();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
        const torn = Buffer.from(tail.filter((byte) => byte !== 0x0a));
        const { lines, goodBytes } = parseJournal(Buffer.concat([bytes, torn]), 'x');
        expect([lines.length, goodBytes]).toEqual([entries.length, bytes.length]);
      }),
    );
  });

  it('is cut off when the next writer opens, and the next line follows the last whole one', async () => {
    const { path, bytes } = await written();
    for (const cut of [1, 5, 40]) {
      await writeFile(path, bytes);
      await truncate(path, bytes.length - cut);
      const journal = await Journal.open(path, standingClock());
      expect(journal.lines).toHaveLength(entries.length - 1);
      await journal.append({ kind: 'session', pid: 7, command: 'migrate' });
      await journal.close();
      const kinds = (await readJournal(path)).map(({ kind }) => kind);
      expect(kinds).toEqual([...entries.slice(0, -1).map(({ kind }) => kind), 'session']);
    }
  });

  it('is no trouble for a reader while a writer is at it', async () => {
    const { path } = await written();
    await appendFile(path, '{"kind":"made","st');
    expect(await readJournal(path)).toHaveLength(entries.length);
    expect((await readFile(path, 'utf8')).endsWith('"st')).toBe(true);
  });
});

describe('a journal that cannot be trusted', () => {
  const line = (text: string) => `${text}\n`;
  const opened = line(JSON.stringify({ ...entries[0], at: 'x' }));

  it.each([
    ['not JSON', line('{"kind":'), /Line 2 .* not JSON/],
    ['a blank line', line(''), /Line 2 .* not JSON/],
    ['zeros', line('\0\0\0\0'), /Line 2 .* not JSON/],
    ['an unknown kind', line('{"kind":"explode","at":"x"}'), /Line 2 .* unknown form/],
    [
      'a missing field',
      line('{"kind":"made","at":"x","step":"s","resource":"volume","name":"n"}'),
      /Line 2 .* unknown form/,
    ],
    ['no object', line('7'), /Line 2 .* unknown form/],
  ])('is refused: %s in the middle', async (_, bad, message) => {
    const path = join(await folder(), 'journal.jsonl');
    await writeFile(path, opened + bad + opened);
    await expect(readJournal(path)).rejects.toThrow(message);
    await expect(Journal.open(path, standingClock())).rejects.toMatchObject({ code: 'run.journal_damaged' });
    expect(await readFile(path, 'utf8')).toBe(opened + bad + opened);
  });

  it.each([
    ['of the form we know', { ...entries[0], version: 2, program: '9.0.0', at: 'x' }],
    ['of another form', { kind: 'run.opened', version: 2, program: '9.0.0', started: 1 }],
  ])('is refused where a newer program wrote it: %s', (_, first) => {
    const bytes = Buffer.from(line(JSON.stringify(first)) + line('{"kind":"teleport"}'));
    expect(() => parseJournal(bytes, 'j')).toThrow(/newer stackferry \(9\.0\.0\)/);
    try {
      parseJournal(bytes, 'j');
    } catch (error) {
      expect(isCode(error, 'run.newer_version')).toBe(true);
    }
  });

  it('takes fields that it does not know', () => {
    const bytes = Buffer.from(line(JSON.stringify({ kind: 'step.started', at: 'x', step: 'a', colour: 'red' })));
    expect(parseJournal(bytes, 'j').lines).toEqual([{ kind: 'step.started', at: 'x', step: 'a' }]);
  });

  it('is not written on after an append that failed', async () => {
    const path = join(await folder(), 'journal.jsonl');
    const journal = await Journal.open(path, standingClock());
    await journal.close();
    for (const step of ['a', 'b']) {
      await expect(journal.append({ kind: 'step.started', step })).rejects.toMatchObject({
        code: 'state.unusable',
        message: expect.stringContaining(path) as string,
      });
    }
    expect(journal.lines).toEqual([]);
    expect(await readFile(path, 'utf8')).toBe('');
  });
});
