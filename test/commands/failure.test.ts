import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { calledCommand } from '../../src/commands/called.js';
import { reportFailure } from '../../src/commands/failure.js';
import { buildProgram } from '../../src/commands/program.js';
import { InterruptedError, StackferryError, UsageError } from '../../src/core/index.js';
import { RunFailure } from '../../src/migration/session.js';
import { foldJournal } from '../../src/migration/state/fold.js';
import { runResult } from '../../src/migration/result.js';
import { migrationResult } from '../support/contract.js';
import { fakeApp } from './in-process.js';

/** What the program prints of an error that ended this command line, which was read or refused. */
async function told(line: string[], error?: unknown): Promise<{ out: string; err: string }> {
  let out = '';
  let err = '';
  const app = fakeApp();
  const program = buildProgram(app);
  let failure = error;
  try {
    for (const command of program.commands) command.action(() => undefined);
    await program.parseAsync(line, { from: 'user' });
  } catch (refusal) {
    failure ??= refusal;
  }
  const terminal = { ...app.terminal({ quiet: false, verbose: false }), out: (text: string) => void (out += text) };
  await reportFailure({ ...terminal, err: (text) => void (err += text) }, failure, calledCommand(program, line));
  return { out, err };
}

const wrong = new StackferryError('host.no_ssh', 'The host is away.', { hint: 'Wait.' });
const error = { code: 'host.no_ssh', message: 'The host is away.', hint: 'Wait.' };

function failureOf(cause: unknown, made: boolean): RunFailure {
  const at = '2026-01-02T03:04:05.000Z';
  const vm = { id: '7', name: 'web01', uuid: null };
  const state = foldJournal([
    { kind: 'run.opened', at, version: 1, run: 'r1', program: '0', command: 'migrate', vm },
    { kind: 'step.started', at, step: 'source' },
    ...(made ? [{ kind: 'made' as const, at, step: 'source', resource: 'port' as const, id: 'p', name: 'p' }] : []),
    { kind: 'run.closed', at, state: 'failed' },
  ]);
  if (!state) throw new Error('no state');
  return new RunFailure(cause, runResult(state), state);
}

describe('a failure before any run, for a program', () => {
  it.each(['migrate', 'volume', 'upload', 'server', 'status', 'rollback'])(
    'of %s has the shape of a run',
    async (name) => {
      const result = { run: null, state: 'failed', vms: [{ state: 'failed', error }] };
      const { out, err } = await told([name, '--vm', 'web01', '-f', 'json'], wrong);
      const said: unknown = JSON.parse(out);
      expect(said).toMatchObject(result);
      expect(migrationResult.extend({ run: migrationResult.shape.run.nullable() }).parse(said)).toEqual(said);
      expect(err).toContain('(host.no_ssh)');
      expect(err).not.toMatch(/See:|Go on:|Undo:/);
    },
  );

  it.each(['export', 'convert'])('of %s has the shape of files', async (name) => {
    const { out } = await told([name, '--vm', 'web01', '--format=json'], wrong);
    expect(JSON.parse(out)).toEqual({ run: null, vm: 'web01', disks: [], error });
  });

  it.each(['inventory', 'doctor', 'plan', 'estimate'])('of %s is the error alone', async (name) => {
    expect(JSON.parse((await told([name, '-fjson'], wrong)).out)).toEqual({ error });
  });

  it('is YAML where that was asked for, and nothing in a table or CSV', async () => {
    expect(parse((await told(['migrate', '-f', 'yaml'], wrong)).out)).toMatchObject({ run: null, vms: [{ error }] });
    for (const format of ['table', 'csv']) expect((await told(['migrate', '-f', format], wrong)).out).toBe('');
    expect((await told(['migrate'], wrong)).out).toBe('');
  });

  it.each([
    ['migrate', '-f', 'json', '--nonsense'],
    ['migrate', '--nonsense', '-f', 'json'],
    ['-q', 'migrate', '--timeout-image', 'x', '-fjson'],
    ['migrate', '--format', 'json', '--vm'],
  ])('is told of a command line that was refused: %s %s %s %s', async (...line) => {
    const said: unknown = JSON.parse((await told(line.filter(Boolean))).out);
    expect(said).toMatchObject({ run: null, state: 'failed', vms: [{ error: { code: 'usage' } }] });
  });

  it('takes no word for a format that is the value of another option', async () => {
    expect((await told(['migrate', '--vm', 'json', '--name', '-f'], wrong)).out).toBe('');
    expect((await told(['convert', '--', '-f', 'json'], wrong)).out).toBe('');
  });

  it('names the VM as far as its selector does, and says stopped of an interruption', async () => {
    const of = async (vm: string) =>
      JSON.parse((await told(['migrate', '-f', 'json', '--vm', vm], new InterruptedError())).out) as unknown;
    expect(await of('web01')).toMatchObject({ state: 'stopped', vms: [{ vm: 'web01', id: null, state: 'stopped' }] });
    expect(await of('id:12')).toMatchObject({ vms: [{ vm: null, id: '12' }] });
    expect(await of('web*')).toMatchObject({ vms: [{ vm: null, id: null }] });
  });
});

describe('a failure of a run', () => {
  const line = ['migrate', '--vm', 'web01', '-f', 'json'];

  it.each([
    [
      'something made',
      wrong,
      true,
      line,
      'See: stackferry status r1   Go on: the same command again   Undo: stackferry rollback r1',
    ],
    ['nothing made', wrong, false, line, 'See: stackferry status r1   Go on: the same command again\n'],
    [
      'a blocker',
      new StackferryError('x', 'x', { exitCode: 3 }),
      false,
      line,
      'status r1   Then: the same command again\n',
    ],
    [
      'a copy that may be bad',
      new StackferryError('convert.content_differs', 'x'),
      false,
      ['export', '--vm', 'web01'],
      'Go on: the same command again   To copy the disks anew, undo first: stackferry rollback r1; then the same command again\n',
    ],
    ['wrong usage', new UsageError('No.'), true, line, 'See: stackferry status r1\n'],
    ['the answer no', new StackferryError('declined', 'No.'), true, line, 'See: stackferry status r1\n'],
    ['a rollback', wrong, true, ['rollback', 'r1'], 'See: stackferry status r1\n'],
    [
      '--again',
      wrong,
      false,
      [...line, '--again'],
      'Go on: the same command with --resume --run r1 instead of --again',
    ],
  ])('names with %s only what helps', async (_what, cause, made, words, steps) => {
    const { err } = await told(words, failureOf(cause, made));
    expect(err).toContain(steps);
  });

  it('gives what the run has come to, with the error', async () => {
    const said: unknown = JSON.parse((await told(line, failureOf(wrong, true))).out);
    expect(migrationResult.parse(said)).toMatchObject({ run: 'r1', state: 'failed', vms: [{ vm: 'web01', error }] });
    const files: unknown = JSON.parse((await told(['export', '-f', 'json'], failureOf(wrong, true))).out);
    expect(files).toEqual({ run: 'r1', vm: 'web01', disks: [], error });
  });
});
