import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RunStore } from '../../src/migration/state/store.js';
import { readRun, surveyRuns } from '../../src/migration/survey-runs.js';
import { standingClock, temporaryFolders } from './helpers.js';
import { closed, done, plantRun } from './planted-runs.js';

const folder = temporaryFolders();

/** A run beside one that holds something in a form of another version. */
async function besides(strange: Parameters<typeof plantRun>[2]): Promise<RunStore> {
  const store = new RunStore(join(await folder(), 'state'), standingClock());
  await plantRun(store, 'a1', { lines: [closed('failed')] });
  await plantRun(store, 'b2', strange);
  return store;
}

it.each([
  [
    'a step result',
    [done('volume:scsi0:0', { label: 'scsi0:0', volume_id: 7, size_gib: 1 })],
    /^Run b2 holds the result of step volume:scsi0:0 in a form that this program does not know \(volume_id: .*\)\.$/,
  ],
  ['a copy', [done('export:scsi0:0', 'elsewhere')], /the result of step export:scsi0:0 in a form/],
  [
    'a plan',
    [{ kind: 'plan', section: 'source', value: { host: 'esx1' } }],
    /^Run b2 holds its plan in a form .*\(port: /,
  ],
])('%s of unknown form makes its own run unreadable, with why, and no other', async (_what, lines, why) => {
  const store = await besides({ vm: null, lines });
  const { runs, unreadable } = await surveyRuns(store);
  expect(runs.map(({ run }) => run)).toEqual(['a1']);
  expect(unreadable).toMatchObject([
    {
      run: 'b2',
      dir: store.paths('b2').dir,
      error: { code: 'run.unreadable', hint: 'Look at it with the version that wrote it.' },
      opened: { command: 'migrate', vm: null },
    },
  ]);
  expect(unreadable[0]?.error.message).toMatch(why);
  await expect(readRun(store, 'b2')).rejects.toMatchObject({ code: 'run.unreadable', exitCode: 1 });
  expect((await readRun(store, 'a1')).run).toBe('a1');
});
