import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runResult } from '../../src/migration/result.js';
import { isPartial, nextCommand, shownState } from '../../src/migration/next-command.js';
import { RunStore } from '../../src/migration/state/store.js';
import { standingClock, temporaryFolders } from './helpers.js';
import { closed, copied, done, plantRun, type Planted } from './planted-runs.js';
import { disk, vm } from './sample-vm.js';

const folder = temporaryFolders();
const two = vm({ disks: [disk(), disk({ label: 'scsi0:1' })] });
const asItRan = {
  kind: 'plan',
  section: 'running',
  value: { quiesce: true, datastore: 'the spare', timeout_ms: 1000 },
};
const session = (command: string) => ({ kind: 'session', pid: 1, command });
const all = (prefix: string) => [done(`${prefix}:scsi0:0`), done(`${prefix}:scsi0:1`)];

async function stateOf(planted: Planted) {
  const store = new RunStore(join(await folder(), 'state'), standingClock());
  await plantRun(store, 'r1', { vm: two, ...planted });
  return store.read('r1');
}

describe('what goes on with a run', () => {
  const copy = copied('scsi0:0', 'scsi0:1');
  it.each<[string, Planted, string | null]>([
    ['copied', { command: 'export', lines: [...copy, closed('ready')] }, 'stackferry convert --run r1'],
    [
      'converted',
      { command: 'export', lines: [...copy, session('convert'), ...all('convert'), closed('ready')] },
      'stackferry upload --run r1',
    ],
    [
      'half uploaded',
      {
        command: 'export',
        lines: [...copy, ...all('convert'), session('upload'), done('image:scsi0:0'), closed('failed')],
      },
      'stackferry upload --run r1',
    ],
    [
      'with volumes',
      { command: 'export', lines: [...copy, ...all('convert'), ...all('image'), ...all('volume'), closed('ready')] },
      'stackferry server --run r1',
    ],
    ['failed migrate', { lines: [...copy, closed('failed')] }, 'stackferry migrate --resume --run r1'],
    ['done', { lines: [...copy, done('server'), closed('done')] }, null],
    ['rolled back', { lines: [session('rollback'), closed('rolled_back')] }, null],
    ['half rolled back', { lines: [...copy, session('rollback')] }, 'stackferry rollback r1'],
    [
      'half copied into a folder',
      {
        command: 'export',
        labels: ['scsi0:1'],
        host: 'esx1.lan',
        outputDir: '/srv/my disks',
        lines: [closed('failed')],
      },
      "stackferry export --vm id:12 --esxi esx1.lan --disk scsi0:1 --output '/srv/my disks'",
    ],
    [
      'half copied while the VM ran',
      { command: 'export', host: 'esx1.lan', outputDir: '/srv/a', lines: [asItRan, closed('failed')] },
      "stackferry export --vm id:12 --esxi esx1.lan --output /srv/a --while-running --quiesce --clone-datastore 'the spare'",
    ],
    [
      'with volumes of a VM that ran on',
      {
        command: 'export',
        lines: [asItRan, ...copy, ...all('convert'), ...all('image'), ...all('volume'), closed('ready')],
      },
      null,
    ],
    [
      'some disks only',
      {
        command: 'export',
        labels: ['scsi0:1'],
        lines: [...copied('scsi0:1'), done('convert:scsi0:1'), closed('ready')],
      },
      'stackferry upload --run r1 --partial',
    ],
    ['a file that was uploaded', { vm: null, command: 'upload', lines: [closed('done')] }, null],
    ['a file that was not', { vm: null, command: 'upload', lines: [closed('failed')] }, 'stackferry upload --run r1'],
  ])('%s', async (_what, planted, wanted) => {
    expect(nextCommand(await stateOf(planted))).toBe(wanted);
  });

  it('is to look, while a process works on it', async () => {
    expect(nextCommand(await stateOf({}), 42)).toBe('stackferry status r1');
  });
});

describe('a step command that ended well', () => {
  it('leaves a run that is ready for a person, and stopped for programs', async () => {
    const state = await stateOf({ command: 'export', lines: [closed('ready')] });
    expect([shownState(state), runResult(state).state]).toEqual(['ready', 'stopped']);
    expect([shownState(state, 42), runResult(state, 42).state]).toEqual(['running', 'running']);
    const killed = await stateOf({ command: 'export' });
    expect([shownState(killed), runResult(killed).state]).toEqual(['stopped', 'stopped']);
  });
});

describe('a run with some of the disks', () => {
  it('is partial until somebody says that it may be', async () => {
    const some = { labels: ['scsi0:0'] };
    expect(isPartial(await stateOf({ command: 'export', ...some }))).toBe(true);
    expect(isPartial(await stateOf({ command: 'export' }))).toBe(false);
    expect(isPartial(await stateOf({ command: 'migrate', ...some }))).toBe(false);
    const said = { kind: 'plan', section: 'partial', value: true };
    expect(isPartial(await stateOf({ command: 'export', ...some, lines: [said] }))).toBe(false);
  });
});
