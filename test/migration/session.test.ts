import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InterruptedError, StackferryError, UsageError, type StackferryEvent } from '../../src/core/index.js';
import { runSteps } from '../../src/migration/runner.js';
import { RunFailure, withRun, type SessionBase } from '../../src/migration/session.js';
import { RunStore } from '../../src/migration/state/store.js';
import type { Step } from '../../src/migration/steps/step.js';
import { readSettings } from '../../src/commands/options/run.js';
import { temporaryFolders, standingClock } from './helpers.js';

const folder = temporaryFolders();
const vm = { id: '7', name: 'web01', uuid: null };

async function newBase(): Promise<SessionBase & { seen: StackferryEvent[] }> {
  const clock = standingClock();
  const seen: StackferryEvent[] = [];
  const nobody = () => Promise.reject(new Error('no peer is needed here'));
  return {
    seen,
    store: new RunStore(join(await folder(), 'state'), clock),
    ctx: {
      clock,
      signal: new AbortController().signal,
      log: { debug: () => undefined },
      events: { emit: (event) => void seen.push(event), ask: nobody },
    },
    doors: { host: nobody, cloud: nobody },
    settings: readSettings({}),
    program: '0.1.0',
    command: 'migrate',
  };
}

function step(run: Step['run']): Step {
  return { key: 'source', kind: 'source', subject: 'VM web01', needs: [], run };
}

const fails = (error: Error) => () => Promise.reject(error);
const runsOf = async ({ store }: SessionBase) =>
  existsSync(join(store.dir, 'runs')) ? readdir(join(store.dir, 'runs')) : [];
const told = ({ seen }: { seen: StackferryEvent[] }) => seen.filter((event) => event.kind === 'run.started').length;
const refused = async (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error,
  );

/** A run whose first step failed. */
async function failedRun(base: SessionBase): Promise<string> {
  const boom = new StackferryError('disk.lost', 'It is lost.', { hint: 'Find it.' });
  const error = await refused(
    withRun(base, { vm }, async ({ rc }) => {
      await runSteps(rc, [step(fails(boom))]);
      return 'done';
    }),
  );
  expect(error).toBeInstanceOf(RunFailure);
  return (error as RunFailure).result.run;
}

describe('a new run that fails before its first step', () => {
  it('leaves nothing, and was never told of', async () => {
    const base = await newBase();
    const error = new UsageError('No.');
    expect(await refused(withRun(base, { vm }, fails(error)))).toBe(error);
    expect(await runsOf(base)).toEqual([]);
    expect(told(base)).toBe(0);
  });

  it('says, when it is stopped, that there is nothing to go on with', async () => {
    const base = await newBase();
    const error = await refused(withRun(base, { vm }, fails(new InterruptedError())));
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    expect((error as Error).message).toContain('no run to go on with');
    expect(await runsOf(base)).toEqual([]);
  });
});

describe('a run whose first step has begun', () => {
  it('is told of just then, and stays', async () => {
    const base = await newBase();
    const run = await failedRun(base);
    expect(base.seen.map((event) => event.kind)).toEqual([
      'run.started',
      'step.started',
      'step.failed',
      'run.finished',
    ]);
    expect(await runsOf(base)).toEqual([run]);
    expect(await base.store.read(run)).toMatchObject({ state: 'failed', error: { code: 'disk.lost' } });
  });

  it.each([
    ['wrong usage', new UsageError('Too early.')],
    ['a host that is away', new StackferryError('host.no_ssh', 'Away.', { hint: 'Wait.' })],
    ['Ctrl-C', new InterruptedError()],
  ])('is what it was after %s in a later session', async (_what, error) => {
    const base = await newBase();
    const run = await failedRun(base);
    const before = await base.store.read(run);
    const failure = await refused(withRun(base, { resume: run }, fails(error)));
    if (!(failure instanceof RunFailure)) throw failure;
    expect(failure.cause).toBe(error);
    expect(failure.result.vms[0]?.error?.code).toBe(error.code);
    expect(failure.undoable).toBe(false);
    const after = await base.store.read(run);
    expect(after).toMatchObject({ state: before.state, error: before.error });
  });

  it('that a step command left ready stays so after a refusal', async () => {
    const base = await newBase();
    const { run } = await withRun(base, { vm }, async ({ rc }) => {
      await runSteps(rc, [step(() => Promise.resolve({ result: {}, summary: '' }))]);
      return 'ready';
    });
    await refused(withRun(base, { resume: run }, fails(new UsageError('Too early.'))));
    expect(await base.store.read(run)).toMatchObject({ state: 'ready', error: null });
  });

  it('can be undone once something was made', async () => {
    const base = await newBase();
    const failure = await refused(
      withRun(base, { vm }, async ({ rc }) => {
        const made = { step: 'source', resource: 'volume', id: 'v1', name: 'web01' } as const;
        await runSteps(rc, [
          step(async () => (await rc.record({ kind: 'made', ...made }), Promise.reject(new Error('x')))),
        ]);
        return 'done';
      }),
    );
    expect(failure).toMatchObject({ undoable: true, result: { vms: [{ error: { code: 'internal' } }] } });
  });
});

describe('what was warned of', () => {
  it('is kept once each, in the journal, the result and the report', async () => {
    const base = await newBase();
    const odd = { kind: 'warning', code: 'disk.odd_size', message: 'Odd.', hint: 'Mind it.' } as const;
    const early = { code: 'esxi.host_key', message: 'New.' };
    const result = await withRun({ ...base, warned: [early] }, { vm }, async ({ rc }) => {
      rc.ctx.events.emit(odd);
      rc.ctx.events.emit(odd);
      await runSteps(rc, [step(() => Promise.resolve({ result: {}, summary: '' }))]);
      rc.ctx.events.emit({ ...odd, message: 'Odd as well.' });
      return 'open';
    });
    const wanted = [early, { code: odd.code, message: 'Odd.' }, { code: odd.code, message: 'Odd as well.' }];
    expect(result.vms[0]?.warnings).toEqual(wanted);
    const again = await withRun(base, { resume: result.run }, ({ rc }) => {
      rc.ctx.events.emit(odd);
      return Promise.resolve('done');
    });
    expect(again.vms[0]?.warnings).toEqual(wanted);
    const report: unknown = JSON.parse(await readFile(base.store.paths(result.run).report, 'utf8'));
    expect(report).toMatchObject({ vms: [{ warnings: wanted }] });
    expect((await base.store.read(result.run)).warnings).toEqual(wanted);
    expect(base.seen.filter((event) => event.kind === 'warning')).toHaveLength(4);
  });
});
