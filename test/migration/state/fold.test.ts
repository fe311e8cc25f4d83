import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldJournal, type RunState } from '../../../src/migration/state/fold.js';
import { journalLineSchema, type JournalEntry, type JournalLine } from '../../../src/migration/state/journal-line.js';

const opened: JournalEntry = {
  kind: 'run.opened',
  version: 1,
  run: 'r7',
  program: '0.1.0',
  command: 'migrate',
  vm: { id: '12', name: 'web01', uuid: null },
};

function timed(entries: readonly JournalEntry[]): JournalLine[] {
  return entries.map((entry, i) => journalLineSchema.parse({ ...entry, at: `t${i}` }));
}

function fold(...entries: JournalEntry[]): RunState {
  const state = foldJournal(timed([opened, ...entries]));
  if (!state) throw new Error('no state');
  return state;
}

describe('foldJournal', () => {
  it('is null without the opening line', () => {
    expect(foldJournal([])).toBeNull();
    expect(foldJournal(timed([{ kind: 'session', pid: 1, command: 'migrate' }, opened]))).toBeNull();
  });

  it('run.opened: an open run of that VM', () => {
    expect(fold()).toMatchObject({
      run: 'r7',
      command: 'migrate',
      openedAt: 't0',
      updatedAt: 't0',
      vm: { id: '12', name: 'web01', uuid: null },
      state: 'open',
      error: null,
      resources: [],
      warnings: [],
    });
  });

  it('every line moves updatedAt', () => {
    expect(
      fold({ kind: 'warning', code: 'a', message: 'b' }, { kind: 'session', pid: 1, command: 'x' }).updatedAt,
    ).toBe('t2');
  });

  it('plan: a later section replaces an earlier one', () => {
    const { plan } = fold(
      { kind: 'plan', section: 'server', value: 1 },
      { kind: 'plan', section: 'ports', value: 2 },
      { kind: 'plan', section: 'server', value: 3 },
    );
    expect([...plan]).toEqual([
      ['server', 3],
      ['ports', 2],
    ]);
  });

  it('intent, then made: one resource, whose id comes with the second', () => {
    const intent: JournalEntry = { kind: 'intent', step: 's', resource: 'volume', name: 'web01-scsi0:0' };
    expect(fold(intent).resources).toEqual([
      { step: 's', resource: 'volume', name: 'web01-scsi0:0', id: null, gone: false },
    ]);
    expect(fold(intent, intent).resources).toHaveLength(1);
    const made = fold(intent, { kind: 'made', step: 's', resource: 'volume', name: 'web01-scsi0:0', id: 'v1' });
    expect(made.resources).toEqual([{ step: 's', resource: 'volume', name: 'web01-scsi0:0', id: 'v1', gone: false }]);
  });

  it('intent with an id of our choice: made with the same id is the same resource', () => {
    const state = fold(
      { kind: 'intent', step: 's', resource: 'image', name: 'i', id: 'g1' },
      { kind: 'made', step: 's', resource: 'image', name: 'renamed', id: 'g1' },
    );
    expect(state.resources).toEqual([{ step: 's', resource: 'image', name: 'i', id: 'g1', gone: false }]);
  });

  it('made without an intent, and of another step or kind: resources of their own', () => {
    const state = fold(
      { kind: 'intent', step: 's', resource: 'volume', name: 'n' },
      { kind: 'made', step: 't', resource: 'volume', name: 'n', id: 'v1' },
      { kind: 'made', step: 's', resource: 'image', name: 'n', id: 'i1' },
    );
    expect(state.resources.map(({ step, resource, id }) => [step, resource, id])).toEqual([
      ['s', 'volume', null],
      ['t', 'volume', 'v1'],
      ['s', 'image', 'i1'],
    ]);
  });

  it('gone: only that one, and a new intent afterwards is a new resource', () => {
    const state = fold(
      { kind: 'made', step: 's', resource: 'volume', name: 'n', id: 'v1' },
      { kind: 'made', step: 's', resource: 'port', name: 'n', id: 'v1' },
      { kind: 'gone', step: 's', resource: 'volume', id: 'v1' },
      { kind: 'intent', step: 's', resource: 'volume', name: 'n' },
      { kind: 'made', step: 's', resource: 'volume', name: 'n', id: 'v2' },
    );
    expect(state.resources.map(({ resource, id, gone }) => [resource, id, gone])).toEqual([
      ['volume', 'v1', true],
      ['port', 'v1', false],
      ['volume', 'v2', false],
    ]);
  });

  it('server.started: kept by id', () => {
    expect(fold({ kind: 'server.started', step: 'server', id: 'x' }).startedServers).toEqual(new Set(['x']));
  });

  it('step.started, step.done, step.failed, step.reset', () => {
    const started: JournalEntry = { kind: 'step.started', step: 's' };
    expect(fold(started).steps.get('s')).toEqual({
      state: 'running',
      startedAt: 't1',
      seconds: null,
      result: null,
      error: null,
    });
    const done: JournalEntry = { kind: 'step.done', step: 's', seconds: 4, result: { a: 1 } };
    expect(fold(started, done).steps.get('s')).toEqual({
      state: 'done',
      startedAt: 't1',
      seconds: 4,
      result: { a: 1 },
      error: null,
    });
    expect(fold(done).steps.get('s')?.startedAt).toBe('t1');
    const failed: JournalEntry = { kind: 'step.failed', step: 's', code: 'c', message: 'm' };
    expect(fold(started, failed).steps.get('s')).toEqual({
      state: 'failed',
      startedAt: 't1',
      seconds: null,
      result: null,
      error: { code: 'c', message: 'm', hint: null },
    });
    expect(fold(started, { ...failed, hint: 'h' }).steps.get('s')?.error?.hint).toBe('h');
    expect(fold(started, failed, started).steps.get('s')).toMatchObject({
      state: 'running',
      startedAt: 't3',
      error: null,
    });
    expect(fold(started, done, { kind: 'step.reset', step: 's' }).steps.size).toBe(0);
  });

  it('run.closed, and session which opens it again', () => {
    const closed: JournalEntry = { kind: 'run.closed', state: 'failed', error: { code: 'c', message: 'm' } };
    expect(fold(closed)).toMatchObject({ state: 'failed', error: { code: 'c', message: 'm', hint: null } });
    expect(fold(closed, { kind: 'session', pid: 1, command: 'upload' })).toMatchObject({
      state: 'open',
      error: null,
      command: 'migrate',
      lastCommand: 'upload',
    });
    expect(fold({ kind: 'run.closed', state: 'ready' })).toMatchObject({ state: 'ready', lastCommand: 'migrate' });
    for (const state of ['done', 'stopped', 'rolled_back'] as const) {
      expect(fold({ kind: 'run.closed', state })).toMatchObject({ state, error: null });
    }
  });

  it('warning: in order', () => {
    expect(fold({ kind: 'warning', code: 'a', message: 'b' }).warnings).toEqual([{ code: 'a', message: 'b' }]);
  });

  it('a resource once made is never lost, whatever follows', () => {
    const step = fc.constantFrom('s', 't');
    const resource = fc.constantFrom('volume' as const, 'port' as const);
    const name = fc.constantFrom('n', 'm');
    const id = fc.constantFrom('1', '2', '3');
    const entry: fc.Arbitrary<JournalEntry> = fc.oneof(
      fc.record({ kind: fc.constant('intent' as const), step, resource, name }),
      fc.record({ kind: fc.constant('made' as const), step, resource, name, id }),
      fc.record({ kind: fc.constant('gone' as const), step, resource, id }),
      fc.record({ kind: fc.constant('step.reset' as const), step }),
      fc.record({ kind: fc.constant('session' as const), pid: fc.constant(1), command: fc.constant('x') }),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
        const alive = new Set<string>();
        for (const item of entries) {
          if (item.kind === 'made') alive.add(`${item.resource} ${item.id}`);
          if (item.kind === 'gone') alive.delete(`${item.resource} ${item.id}`);
        }
        const known = fold(...entries)
          .resources.filter((item) => item.id !== null && !item.gone)
          .map((item) => `${item.resource} ${item.id ?? ''}`);
        expect(new Set(known)).toEqual(alive);
      }),
    );
  });
});
