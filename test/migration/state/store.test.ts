import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunStore, readJsonIfThere, writeAtomic } from '../../../src/migration/state/store.js';
import { standingClock, temporaryFolders } from '../helpers.js';

const folder = temporaryFolders();
const opening = { command: 'migrate', program: '0.1.0', vm: { id: '12', name: 'web01', uuid: null } };

async function newStore(): Promise<{ store: RunStore; clock: ReturnType<typeof standingClock> }> {
  const clock = standingClock();
  return { store: new RunStore(join(await folder(), 'state'), clock), clock };
}

const mode = async (path: string) => (await stat(path)).mode & 0o777;

/** A folder that this store did not make, with a journal that can be read. */
async function plant(store: RunStore, run: string): Promise<void> {
  const { dir, journal } = store.paths(run);
  await mkdir(dir, { recursive: true });
  const line = { kind: 'run.opened', version: 1, run, at: '2026-01-01T00:00:00.000Z', ...opening };
  await writeFile(journal, `${JSON.stringify(line)}\n`);
}

describe('a new run', () => {
  it('has a folder of its own that nobody else may enter', async () => {
    const { store } = await newStore();
    const { run, open } = await store.create(opening);
    expect(run).toMatch(/^r[0-9a-hjkmnp-tv-z]{7}$/);
    for (const dir of [store.dir, join(store.dir, 'runs'), open.paths.dir]) expect(await mode(dir)).toBe(0o700);
    expect(await mode(open.paths.journal)).toBe(0o600);
    expect(await store.worker(run)).toBe(process.pid);
    await open.close();
    expect(await store.worker(run)).toBeNull();
    expect(await store.read(run)).toMatchObject({ run, command: 'migrate', state: 'open', vm: opening.vm });
  });

  it('is refused in a state directory that others can read, and says what to do', async () => {
    const { store } = await newStore();
    await mkdir(store.dir, { mode: 0o755 });
    await chmod(store.dir, 0o755);
    await expect(store.create(opening)).rejects.toMatchObject({
      code: 'state.unusable',
      hint: `chmod 700 '${store.dir}'`,
    });
  });

  it('is refused where the state directory is a file', async () => {
    const path = join(await folder(), 'file');
    await writeFile(path, '');
    const store = new RunStore(path, standingClock());
    await expect(store.create(opening)).rejects.toMatchObject({
      code: 'state.unusable',
      hint: expect.stringContaining('STACKFERRY_STATE_DIR') as string,
    });
  });

  it('has an id of its own each time', async () => {
    const { store } = await newStore();
    const runs = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { run, open } = await store.create(opening);
      runs.add(run);
      await open.close();
    }
    expect(runs.size).toBe(20);
  });
});

describe('a run that is gone on with', () => {
  it('notes the session and is locked meanwhile', async () => {
    const { store } = await newStore();
    const { run, open } = await store.create(opening);
    await expect(store.reopen(run, 'volume')).rejects.toMatchObject({ code: 'run.locked' });
    await open.journal.append({ kind: 'run.closed', state: 'stopped' });
    await open.close();
    const again = await store.reopen(run, 'volume');
    expect(again.journal.lines.map(({ kind }) => kind)).toEqual(['run.opened', 'run.closed', 'session']);
    await again.close();
    expect((await store.read(run)).state).toBe('open');
  });

  it('lets the lock go where its journal cannot be trusted', async () => {
    const { store } = await newStore();
    await plant(store, 'rbad');
    await writeFile(store.paths('rbad').journal, 'nonsense\n');
    await expect(store.reopen('rbad', 'migrate')).rejects.toMatchObject({ code: 'run.journal_damaged' });
    expect(await store.worker('rbad')).toBeNull();
    expect(await readdir(store.paths('rbad').dir)).toEqual(['journal.jsonl']);
  });
});

describe('finding a run', () => {
  it('takes an id or a beginning that fits one run only', async () => {
    const { store } = await newStore();
    for (const run of ['rabc1', 'rabc2', 'rx', 'rxy']) await plant(store, run);
    expect(await store.resolveId('rabc1')).toBe('rabc1');
    expect(await store.resolveId('rx')).toBe('rx');
    expect(await store.resolveId('rxy')).toBe('rxy');
    expect((await store.read('rabc2')).run).toBe('rabc2');
    await expect(store.resolveId('rabc')).rejects.toThrow(/fits several runs: rabc1, rabc2/);
    await expect(store.resolveId('q')).rejects.toThrow(/no run q/);
  });

  it.each(['', '../runs', 'r/1', '.', 'r 1', 'r*'])('refuses what is no id: %j', async (id) => {
    const { store } = await newStore();
    await expect(store.resolveId(id)).rejects.toMatchObject({ code: 'usage', exitCode: 2 });
  });

  it('says that there is none where nothing was ever run', async () => {
    const { store } = await newStore();
    expect(await store.list()).toEqual([]);
    await expect(store.read('r1')).rejects.toMatchObject({ code: 'usage' });
  });

  it('says so of a run that holds nothing', async () => {
    const { store } = await newStore();
    await plant(store, 'rone');
    await writeFile(store.paths('rone').journal, '');
    await mkdir(store.paths('rtwo').dir);
    await expect(store.read('rone')).rejects.toThrow(/holds nothing yet/);
    await expect(store.read('rtwo')).rejects.toThrow(/holds nothing yet/);
  });
});

describe('the list of runs', () => {
  it('is in the order of their beginning, and leaves out what cannot be read', async () => {
    const { store, clock } = await newStore();
    const runs: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { run, open } = await store.create(opening);
      runs.push(run);
      await open.close();
      clock.advance(1000);
    }
    const bad = store.paths('rbad');
    await mkdir(bad.dir);
    await writeFile(bad.journal, '{}\n{}\n');
    await mkdir(store.paths('rnone').dir);
    await mkdir(store.paths('rdir').journal, { recursive: true });
    await writeFile(join(store.dir, 'runs', 'stray'), 'x');
    await plant(store, 'rold');
    expect((await store.list()).map(({ run }) => run)).toEqual(['rold', ...runs]);
    const { unreadable } = await store.survey();
    expect(unreadable.map(({ run, opened, error }) => [run, opened, error.code])).toEqual([
      ['rbad', null, 'run.journal_damaged'],
      ['rdir', null, 'run.unreadable'],
    ]);
  });

  it('tells of a run that cannot be read what its first line still says', async () => {
    const { store } = await newStore();
    const first = { kind: 'run.opened', version: 1, run: 'rbad', at: '2026-01-01T00:00:00.000Z', ...opening };
    await plant(store, 'rbad');
    await writeFile(store.paths('rbad').journal, `${JSON.stringify(first)}\n{"kind":"plan"\n`);
    await plant(store, 'rnew');
    const newer = { ...first, version: 99, program: '9.0', extra: [1] };
    await writeFile(store.paths('rnew').journal, `${JSON.stringify(newer)}\n`);
    await plant(store, 'rodd');
    await writeFile(store.paths('rodd').journal, `{"kind":"session","pid":1,"command":"x","at":"t"}\n`);
    const opened = { at: first.at, command: 'migrate', vm: opening.vm };
    expect(await store.survey()).toMatchObject({
      runs: [],
      unreadable: [
        { run: 'rbad', dir: store.paths('rbad').dir, opened, error: { code: 'run.journal_damaged' } },
        { run: 'rnew', opened, error: { code: 'run.newer_version' } },
        { run: 'rodd', opened: null, error: { code: 'run.journal_damaged' } },
      ],
    });
    await expect(store.read('rodd')).rejects.toMatchObject({ code: 'run.journal_damaged' });
  });

  it('is an error where the folder itself cannot be read', async () => {
    const { store } = await newStore();
    await mkdir(store.dir, { recursive: true });
    await writeFile(join(store.dir, 'runs'), '');
    await expect(store.list()).rejects.toMatchObject({ code: 'state.unusable' });
    await expect(store.resolveId('r1')).rejects.toMatchObject({ code: 'state.unusable' });
  });
});

describe('small files', () => {
  it('are replaced whole, for their owner only, and leave nothing behind', async () => {
    const dir = await folder();
    const path = join(dir, 'report.json');
    await writeAtomic(path, '{"a":1}');
    await writeAtomic(path, '{"a":2}');
    expect(await readFile(path, 'utf8')).toBe('{"a":2}');
    expect(await mode(path)).toBe(0o600);
    expect(await readdir(dir)).toEqual(['report.json']);
  });

  it('read as null where they are not there or not whole', async () => {
    const path = join(await folder(), 'progress.json');
    expect(await readJsonIfThere(path)).toBeNull();
    await writeFile(path, '{"a":');
    expect(await readJsonIfThere(path)).toBeNull();
    await writeFile(path, '{"a":1}');
    expect(await readJsonIfThere(path)).toEqual({ a: 1 });
  });
});
