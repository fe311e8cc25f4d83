import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findRun, runToResume, runsOfVm } from '../../src/migration/find-run.js';
import { RunStore } from '../../src/migration/state/store.js';
import { standingClock, temporaryFolders } from './helpers.js';
import { closed, plantRun, type Planted } from './planted-runs.js';
import { vm } from './sample-vm.js';

const folder = temporaryFolders();
const web = vm();
const db = vm({ id: '13', name: 'db01', uuid: '564d1b2c-0000-4000-8000-00000000000d' });

async function storeWith(runs: Record<string, Planted>): Promise<RunStore> {
  const store = new RunStore(join(await folder(), 'state'), standingClock());
  for (const [run, planted] of Object.entries(runs)) await plantRun(store, run, planted);
  return store;
}

describe('the run of a VM', () => {
  it.each(['web01', 'web*', 'id:12', `uuid:${web.uuid ?? ''}`, `uuid:${(web.uuid ?? '').toUpperCase()}`])(
    'is found by %s, by every command',
    async (selector) => {
      const store = await storeWith({ r1: { vm: web }, r2: { vm: db }, r3: { vm: web, lines: [closed('done')] } });
      for (const command of ['convert', 'upload', 'volume', 'server', 'rollback'] as const) {
        expect(await findRun(store, { vm: selector }, command)).toBe('r1');
      }
      expect(await runToResume(store, { vm: selector })).toEqual({
        run: 'r1',
        address: { host: 'esx1', port: 22, user: 'root' },
      });
      expect(runsOfVm(await store.list(), selector).map(({ run }) => run)).toEqual(['r1', 'r3']);
    },
  );

  it('is not guessed between two hosts', async () => {
    const store = await storeWith({ r1: { vm: web }, r2: { vm: web, host: 'esx2', lines: [closed('ready')] } });
    const message = '--vm web01 has 2 unfinished runs: r1 (web01 on esx1, stopped), r2 (web01 on esx2, ready).';
    await expect(findRun(store, { vm: 'web01' }, 'upload')).rejects.toMatchObject({
      exitCode: 2,
      message,
      hint: 'Name the one that is meant: stackferry upload --run r2; or undo one: stackferry rollback r1',
    });
    await expect(runToResume(store, { vm: 'web01' })).rejects.toMatchObject({
      message,
      hint: expect.stringContaining('stackferry migrate --resume --run r2') as unknown,
    });
    await expect(findRun(store, { vm: 'web01' }, 'rollback')).rejects.toMatchObject({
      hint: 'Name the one that is meant: stackferry rollback r2',
    });
    await expect(findRun(store, { vm: 'id:12' }, 'server')).rejects.toMatchObject({ exitCode: 2 });
  });

  it('that is done is named where none is unfinished', async () => {
    const store = await storeWith({ r1: { vm: web, lines: [closed('done')] } });
    await expect(runToResume(store, { vm: 'web01' })).rejects.toMatchObject({
      message: 'There is no unfinished run of web01 to resume.',
      hint: 'Run r1 of it is done. See: stackferry status r1',
    });
    await expect(findRun(store, { vm: 'db01' }, 'volume')).rejects.toMatchObject({
      hint: 'List runs with: stackferry status',
    });
    await expect(findRun(store, {}, 'volume')).rejects.toThrow('No run is named');
  });

  it('may be one that cannot be read, which is said', async () => {
    const store = await storeWith({ r1: { vm: web }, r2: { vm: db, lines: [{ kind: 'odd' }] } });
    await expect(findRun(store, { vm: 'db01' }, 'upload')).rejects.toMatchObject({
      hint: expect.stringContaining('Run r2 cannot be read') as unknown,
    });
    expect(await findRun(store, { vm: 'web01' }, 'upload')).toBe('r1');
    await writeFile(store.paths('r1').journal, 'x\n');
    await expect(runToResume(store, { vm: 'web01' })).rejects.toMatchObject({
      hint: expect.stringContaining('Run r1 cannot be read') as unknown,
    });
  });
});

describe('a run by its id', () => {
  it('is not taken for one of another VM', async () => {
    const store = await storeWith({ r1: { vm: web } });
    expect(await findRun(store, { run: 'r1', vm: 'web01' }, 'upload')).toBe('r1');
    await expect(findRun(store, { run: 'r1', vm: 'db01' }, 'upload')).rejects.toThrow('is of web01, not of --vm db01');
    await expect(runToResume(store, { run: 'r1', vm: 'db01' })).rejects.toMatchObject({ exitCode: 2 });
  });

  it('is rolled back by no less than 4 characters', async () => {
    const store = await storeWith({ r7k2m9qx: { vm: web } });
    for (const short of ['r', 'r7', 'r7k']) {
      await expect(findRun(store, { run: short }, 'rollback')).rejects.toMatchObject({
        exitCode: 2,
        hint: expect.stringContaining('stackferry rollback r7k2m9qx') as unknown,
      });
      expect(await findRun(store, { run: short }, 'upload')).toBe('r7k2m9qx');
    }
    for (const enough of ['r7k2', 'r7k2m9qx'])
      expect(await findRun(store, { run: enough }, 'rollback')).toBe('r7k2m9qx');
    const other = await storeWith({ r1: { vm: web } });
    expect(await findRun(other, { run: 'r1' }, 'rollback')).toBe('r1');
  });

  it('is not resumed where it moves no VM, or was taken back', async () => {
    const store = await storeWith({
      r1: { vm: null, command: 'upload' },
      r2: { vm: web, lines: [closed('rolled_back')] },
    });
    await expect(runToResume(store, { run: 'r1' })).rejects.toThrow('begun by upload on its own');
    await expect(runToResume(store, { run: 'r2' })).rejects.toThrow('rolled back');
    await expect(runToResume(store, {})).rejects.toThrow('no unfinished run to resume');
  });
});
