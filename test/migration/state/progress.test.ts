import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProgressFile, readProgress } from '../../../src/migration/state/progress.js';
import { standingClock, temporaryFolders } from '../helpers.js';

const folder = temporaryFolders();

describe('progress.json', () => {
  it('says which step runs, how far each task is and at which rate', async () => {
    const path = join(await folder(), 'progress.json');
    const clock = standingClock();
    const file = new ProgressFile(path, clock);
    file.listen({ kind: 'step.started', step: 'export:scsi0:0', subject: 'disk scsi0:0' });
    file.listen({ kind: 'bytes.started', task: 'a', label: 'copy scsi0:0', total: 10_000, done: 1_000 });
    file.listen({ kind: 'wait.started', task: 'b', label: 'the volume', timeoutSeconds: 60 });
    clock.advance(2_000);
    file.listen({ kind: 'bytes.progress', task: 'a', done: 5_000, total: 10_000 });
    file.listen({ kind: 'wait.progress', task: 'b', state: 'downloading', seconds: 2 });
    file.listen({ kind: 'bytes.progress', task: 'unknown', done: 1, total: 1 });
    await file.close();
    expect(await readProgress(path)).toEqual({
      version: 1,
      at: '2026-01-02T03:04:07.000Z',
      step: 'disk scsi0:0',
      tasks: [
        { task: 'a', label: 'copy scsi0:0', done: 5_000, total: 10_000, rate: 2_000, state: null },
        { task: 'b', label: 'the volume', done: 0, total: 0, rate: 0, state: 'downloading' },
      ],
    });
  });

  it('forgets what is finished', async () => {
    const path = join(await folder(), 'progress.json');
    const file = new ProgressFile(path, standingClock());
    file.listen({ kind: 'bytes.started', task: 'a', label: 'copy', total: 10, done: 0 });
    file.listen({ kind: 'bytes.finished', task: 'a', done: 10, seconds: 1, ok: true });
    await file.close();
    expect((await readProgress(path))?.tasks).toEqual([]);
  });

  it('measures the rate over the last seconds only', async () => {
    const path = join(await folder(), 'progress.json');
    const clock = standingClock();
    const file = new ProgressFile(path, clock);
    file.listen({ kind: 'bytes.started', task: 'a', label: 'copy', total: 0, done: 0 });
    let done = 0;
    for (let second = 1; second <= 30; second++) {
      clock.advance(1_000);
      done += second <= 15 ? 1_000 : 10;
      file.listen({ kind: 'bytes.progress', task: 'a', done, total: 0 });
    }
    await file.close();
    expect((await readProgress(path))?.tasks[0]?.rate).toBe(10);
  });

  it('never ends a migration: a place that cannot be written is not told', async () => {
    const file = new ProgressFile(join(await folder(), 'none', 'progress.json'), standingClock());
    file.listen({ kind: 'step.started', step: 's', subject: 's' });
    await expect(file.close()).resolves.toBeUndefined();
  });

  it('is null where there is none, or one of another form', async () => {
    expect(await readProgress(join(await folder(), 'progress.json'))).toBeNull();
  });
});
