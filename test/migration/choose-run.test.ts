import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StackferryEvent } from '../../src/core/index.js';
import type { EsxiHost, VmRecord } from '../../src/esxi/index.js';
import type { Cloud } from '../../src/openstack/index.js';
import { assertDisksOfRun, halfExportedRun, openOrBegin } from '../../src/migration/choose-run.js';
import type { MigrateRequest, SourceRequest } from '../../src/migration/migrate.js';
import type { SessionBase } from '../../src/migration/session.js';
import { RunStore } from '../../src/migration/state/store.js';
import { readSettings } from '../../src/commands/options/run.js';
import { standingClock, temporaryFolders } from './helpers.js';
import { closed, copied, done, plantRun } from './planted-runs.js';
import { disk, inventory, vm } from './sample-vm.js';

const folder = temporaryFolders();
const two = vm({ disks: [disk(), disk({ label: 'scsi0:1' })] });
const three = vm({ disks: [...two.disks, disk({ label: 'scsi0:2' })] });
const cloud = { name: 'c', auth_url: 'u', region: null, project_id: 'p1', project_name: 'p' };
const volume = { label: 'scsi0:0', volume_id: 'v1', size_gib: 1 };
const noServer = [
  { kind: 'plan', section: 'cloud', value: cloud },
  {
    kind: 'plan',
    section: 'server',
    value: {
      ...{ name: 'web01', hostname: null, flavor_id: 'f', flavor_name: 'f', flavor_reason: '', zone: null },
      ...{ key_name: null, config_drive: false, start: false, metadata: {} },
    },
  },
  done('volume:scsi0:0', volume),
  closed('done'),
];

const unequal = (label: string) => ({
  kind: 'step.failed',
  step: `convert:${label}`,
  code: 'convert.content_differs',
  message: 'The image made of it is not its copy.',
});

/** What `migrate` has, with a host that holds this VM and a cloud that holds all that was ever made. */
async function newBase(now: VmRecord = two): Promise<SessionBase & { seen: StackferryEvent[] }> {
  const clock = standingClock();
  const seen: StackferryEvent[] = [];
  const host = { inventory: () => Promise.resolve(inventory([now])) };
  const there = { find: (id: string) => Promise.resolve({ id }) };
  return {
    seen,
    store: new RunStore(join(await folder(), 'state'), clock),
    ctx: {
      clock,
      signal: new AbortController().signal,
      log: { debug: () => undefined },
      events: { emit: (event) => void seen.push(event), ask: () => Promise.reject(new Error('nobody')) },
    },
    // Only what the choice of a run asks for.
    doors: {
      host: () => Promise.resolve(host as unknown as EsxiHost),
      cloud: () => Promise.resolve({ project: { id: 'p1' }, volumes: there, servers: there } as unknown as Cloud),
    },
    settings: readSettings({}),
    program: '0.1.0',
    command: 'migrate',
  };
}

function asked(source: Partial<SourceRequest> = {}, more: Partial<MigrateRequest> = {}): MigrateRequest {
  const address = { host: 'esx1', port: 22, user: 'root' };
  return { source: { selector: 'web01', address, ...source }, options: {}, confirm: false, again: false, ...more };
}

const begins = { vm: { id: '12', name: 'web01', uuid: two.uuid } };
const notices = ({ seen }: { seen: StackferryEvent[] }) =>
  seen.flatMap((event) => (event.kind === 'notice' ? [event.message] : [])).join('\n');

describe('migrate goes on with', () => {
  it.each([
    ['a failed migrate', { command: 'migrate', lines: [closed('failed')] }],
    ['what export has copied', { command: 'export', lines: [...copied('scsi0:0', 'scsi0:1'), closed('ready')] }],
    ['a run that was killed', { command: 'migrate', lines: copied('scsi0:0') }],
  ])('%s', async (_what, planted) => {
    const base = await newBase();
    await plantRun(base.store, 'r1', { vm: two, ...planted });
    expect(await openOrBegin(base, asked())).toEqual({ resume: 'r1' });
    expect(notices(base)).toContain('Going on with run r1');
  });

  it('a complete run of --no-start, unless that is said again', async () => {
    const base = await newBase();
    await plantRun(base.store, 'r1', { vm: two, lines: noServer });
    expect(await openOrBegin(base, asked())).toEqual({ resume: 'r1', options: { start: true } });
    expect(notices(base)).toContain('all but the server');
    expect(await openOrBegin(base, asked({}, { options: { start: false } }))).toMatchObject({ done: { run: 'r1' } });
  });

  it('the run with these disks, though another one is unfinished as well', async () => {
    const base = await newBase();
    await plantRun(base.store, 'r1', { vm: two, lines: [closed('failed')] });
    await plantRun(base.store, 'r2', { vm: two, labels: ['scsi0:1'], command: 'export', lines: [closed('ready')] });
    expect(await openOrBegin(base, asked())).toEqual({ resume: 'r1' });
    expect(await openOrBegin(base, asked({ skipDisks: ['scsi0:0'] }))).toEqual({ resume: 'r2' });
  });
});

describe('migrate begins anew, and says what else is unfinished', () => {
  it.each([
    ['other disks', { labels: ['scsi0:0'], command: 'export' }, 'it moves scsi0:0', {}],
    ['another folder', { outputDir: '/srv/a' }, 'it stages its disks in /srv/a', { outputDir: '/srv/b' }],
  ])('%s', async (_what, planted, told, source) => {
    const base = await newBase();
    await plantRun(base.store, 'r1', { vm: two, ...planted });
    expect(await openOrBegin(base, asked(source))).toEqual(begins);
    expect(notices(base)).toContain(`Run r1 of web01 is unfinished, too: ${told}`);
  });

  it('beside a run of the same id on another host, or of another VM', async () => {
    const base = await newBase();
    await plantRun(base.store, 'r1', { vm: two, host: 'esx2' });
    await plantRun(base.store, 'r2', { vm: vm({ ...two, uuid: null }) });
    await plantRun(base.store, 'r3', { vm: two, lines: [closed('rolled_back')] });
    expect(await openOrBegin(base, asked())).toEqual(begins);
    expect(notices(base)).toBe('');
  });
});

describe('migrate refuses', () => {
  it('to choose between unfinished runs of the same disks, with commands that work', async () => {
    const base = await newBase();
    for (const run of ['r1', 'r2']) await plantRun(base.store, run, { vm: two, lines: [closed('failed')] });
    await expect(openOrBegin(base, asked())).rejects.toMatchObject({
      exitCode: 2,
      message: 'web01 has 2 unfinished runs: r1 (web01 on esx1, failed), r2 (web01 on esx1, failed).',
      hint: 'Name the one that is meant: stackferry migrate --resume --run r2; or undo one: stackferry rollback r1',
    });
  });

  it('a VM that has got a disk since its run began, naming run, disk and the ways out', async () => {
    const base = await newBase(three);
    await plantRun(base.store, 'r1', { vm: two, lines: [closed('failed')] });
    await expect(openOrBegin(base, asked())).rejects.toMatchObject({
      code: 'run.disks_changed',
      exitCode: 2,
      message: expect.stringMatching(/web01 has got scsi0:2 since run r1 began/) as unknown,
      hint: expect.stringMatching(/rollback r1\..*migrate --resume --run r1 --skip-disk scsi0:2$/) as unknown,
    });
    // The way out is one.
    expect(await openOrBegin(base, asked({ skipDisks: ['scsi0:2'] }))).toEqual({ resume: 'r1' });
  });

  it.each([
    ['a line that is no JSON', (line: string) => `${line}nonsense\n`, 'is of web01'],
    ['a newer program', (line: string) => line.replace('"version":1', '"version":99'), 'is of web01'],
    ['a first line that is no JSON', () => 'x\n', 'may be of web01'],
  ])('to begin beside a run of this VM with %s', async (_what, damage, told) => {
    const base = await newBase();
    await plantRun(base.store, 'r1', { vm: two });
    const opened = { kind: 'run.opened', at: 't', version: 1, run: 'r1', program: '9', command: 'migrate' };
    await writeFile(base.store.paths('r1').journal, damage(`${JSON.stringify({ ...opened, ...begins })}\n`));
    await expect(openOrBegin(base, asked())).rejects.toMatchObject({
      code: 'run.unreadable',
      exitCode: 3,
      message: expect.stringContaining(`Run r1 ${told}`) as unknown,
      hint: expect.stringMatching(/mv \S+\/r1 ~\/.*--again$/) as unknown,
    });
    expect(await openOrBegin(base, asked({}, { again: true }))).toEqual(begins);
    // A run that can be read is gone on with all the same: nothing is begun.
    await plantRun(base.store, 'r2', { vm: two, lines: [closed('failed')] });
    expect(await openOrBegin(base, asked())).toEqual({ resume: 'r2' });
  });

  it('not for an unreadable run of another VM, or of none', async () => {
    const base = await newBase();
    for (const [run, other] of [
      ['r1', vm({ id: '13' })],
      ['r2', null],
      ['r3', vm({ uuid: '564d1b2c-0000-4000-8000-00000000000d' })],
    ] as const) {
      await plantRun(base.store, run, { vm: other, lines: [{ kind: 'of the future' }] });
    }
    expect(await openOrBegin(base, asked())).toEqual(begins);
  });
});

describe('a run that is resumed by its id', () => {
  const state = async (planted: Parameters<typeof plantRun>[2]) => {
    const { store } = await newBase();
    await plantRun(store, 'r1', planted);
    return store.read('r1');
  };

  it('keeps its disks, and is refused where the VM has another one', async () => {
    const run = await state({ vm: two });
    expect(() => assertDisksOfRun(run, two, asked().source)).not.toThrow();
    expect(() => assertDisksOfRun(run, three, asked().source)).toThrow(/has got scsi0:2/);
    expect(() => assertDisksOfRun(run, three, asked({ skipDisks: ['scsi0:2'] }).source)).not.toThrow();
    expect(() => assertDisksOfRun(run, two, asked({ skipDisks: ['scsi0:1'] }).source)).toThrow(/comes too late/);
  });

  it('moves no part of the disks because export --disk copied no more', async () => {
    const run = await state({ vm: two, command: 'export', labels: ['scsi0:0'] });
    expect(() => assertDisksOfRun(run, two, asked().source)).toThrow(/export --disk left out scsi0:1/);
    expect(() => assertDisksOfRun(run, two, asked({ skipDisks: ['scsi0:1'] }).source)).not.toThrow();
    // Of migrate --skip-disk it was said when the run began.
    const skipped = await state({ vm: two, labels: ['scsi0:0'] });
    expect(() => assertDisksOfRun(skipped, two, asked().source)).not.toThrow();
  });
});

describe('export goes on with', () => {
  it.each<[string, Parameters<typeof plantRun>[2], Partial<SourceRequest>, boolean]>([
    ['a half copy of the same disks', {}, {}, true],
    [
      'a whole copy whose conversion failed',
      { lines: [...copied('scsi0:0', 'scsi0:1'), unequal('scsi0:1'), closed('failed')] },
      {},
      true,
    ],
    ['no whole copy', { lines: copied('scsi0:0', 'scsi0:1') }, {}, false],
    ['no half copy of some disks where all are wanted', { labels: ['scsi0:0'] }, {}, false],
    ['a half copy of some disks where they are wanted', { labels: ['scsi0:0'] }, { onlyDisks: ['scsi0:0'] }, true],
    ['no copy into another folder', { outputDir: '/srv/a' }, {}, false],
    ['a half copy into that folder', { outputDir: '/srv/a' }, { outputDir: '/srv/a' }, true],
    ['no copy from another host', { host: 'esx2' }, {}, false],
    ['no run of migrate', { command: 'migrate' }, {}, false],
    ['no run that was taken back', { lines: [closed('rolled_back')] }, {}, false],
  ])('%s', async (_what, planted, source, found) => {
    const { store } = await newBase();
    await plantRun(store, 'r1', { vm: two, command: 'export', ...planted });
    expect(halfExportedRun(await store.list(), two, asked(source).source)?.run).toBe(found ? 'r1' : undefined);
  });
});

describe('a folder that holds the disks of another VM', () => {
  const other = vm({ id: '13', name: 'db01', uuid: null, disks: two.disks });
  const inUse = (dir: string) => ({
    code: 'output.in_use',
    exitCode: 2,
    message: `${dir} holds disks of db01 (run r1), and those of web01 would have the same names there: scsi0-0, scsi0-1.`,
    hint: `Give each VM a folder of its own: --output ${dir}/web01`,
  });

  it('is refused to migrate and to export, also by another name of it', async () => {
    const base = await newBase();
    const dir = await folder();
    await plantRun(base.store, 'r1', { vm: other, command: 'export', outputDir: dir });
    await expect(openOrBegin(base, asked({ outputDir: dir }))).rejects.toMatchObject(inUse(dir));
    await expect(openOrBegin(base, asked({ outputDir: dir }, { again: true }))).rejects.toMatchObject(inUse(dir));
    const runs = await base.store.list();
    expect(() => halfExportedRun(runs, two, asked({ outputDir: dir }).source)).toThrow(
      expect.objectContaining(inUse(dir)) as Error,
    );
    const link = join(await folder(), 'link');
    await symlink(dir, link);
    await expect(openOrBegin(base, asked({ outputDir: link }))).rejects.toMatchObject(inUse(link));
    // Other names there, another folder, or a folder of the run's own.
    expect(await openOrBegin(base, asked({ outputDir: await folder() }))).toEqual(begins);
    expect(await openOrBegin(base, asked())).toEqual(begins);
    await plantRun(base.store, 'r1', { vm: other, command: 'export', outputDir: dir, labels: ['scsi0:1'] });
    expect(await openOrBegin(base, asked({ outputDir: dir, skipDisks: ['scsi0:1'] }))).toEqual(begins);
  });

  it.each(['done', 'rolled_back'])('counts after a run that is %s as long as files are there', async (state) => {
    const base = await newBase();
    const dir = await folder();
    await plantRun(base.store, 'r1', { vm: other, outputDir: dir, lines: [closed(state)] });
    expect(await openOrBegin(base, asked({ outputDir: dir }))).toEqual(begins);
    await mkdir(join(dir, 'scsi0-0'));
    await writeFile(join(dir, 'scsi0-1.qcow2'), '');
    await expect(openOrBegin(base, asked({ outputDir: dir }))).rejects.toMatchObject(inUse(dir));
  });

  it('is free to the VM whose they are, on its host', async () => {
    const base = await newBase();
    const dir = await folder();
    await plantRun(base.store, 'r1', { vm: two, outputDir: dir, lines: [closed('rolled_back')] });
    await mkdir(join(dir, 'scsi0-0'));
    expect(await openOrBegin(base, asked({ outputDir: dir }))).toEqual(begins);
    const elsewhere = { host: 'esx2', port: 22, user: 'root' };
    await expect(openOrBegin(base, asked({ outputDir: dir, address: elsewhere }))).rejects.toMatchObject({
      code: 'output.in_use',
    });
  });
});
