import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimate } from '../../../src/migration/estimate/model.js';
import { assumed, ratesOfRuns, type Rates } from '../../../src/migration/estimate/rates.js';
import { foldJournal } from '../../../src/migration/state/fold.js';
import type { JournalLine } from '../../../src/migration/state/journal-line.js';
import type { VmRecord } from '../../../src/esxi/index.js';
import { disk, vm } from '../sample-vm.js';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const figure = (value: number) => ({ value, source: 'given' as const });
const rates: Rates = {
  copy: figure(100 * MIB),
  convert: figure(200 * MIB),
  upload: figure(50 * MIB),
  volumePerGib: figure(2),
  fixed: figure(60),
};
const items = (vms: VmRecord[], blocked: string[] = []) =>
  vms.map((one) => ({ vm: one, labels: one.disks.map(({ label }) => label), blocked }));
const auto = { imageFormat: 'auto' as const };

describe('estimate', () => {
  it('counts what is read and sent in one pass, and the slower of both takes the time', () => {
    const flat = disk({ capacity_bytes: 10 * GIB, allocated_bytes: 2 * GIB });
    const chain = disk({
      label: 'scsi0:1',
      kind: 'se_sparse',
      capacity_bytes: 5 * GIB,
      allocated_bytes: 4.9 * GIB,
      chain: ['[d] a/a_1.vmdk', '[d] a/a_1-000001.vmdk'],
    });
    const { vms } = estimate(items([vm({ disks: [flat, chain] })]), rates, auto, null);
    expect(vms).toEqual([
      {
        vm: 'web01',
        id: '12',
        power_state: 'off',
        copy_bytes: 2 * GIB + 4.9 * GIB,
        upload_bytes: 2 * GIB + 5 * GIB, // qcow2 of what it holds; raw, for it is nearly full
        staging_bytes: 0,
        volume_gib: 15,
        seconds: { copy: 143.36, convert: 0, upload: 0, volume: 30, fixed: 60, total: 233.36 },
        downtime_seconds: 233.36,
        blocked: [],
        fits: null,
      },
    ]);
  });

  it('counts all passes of disks that are staged', () => {
    const flat = disk({ capacity_bytes: 10 * GIB, allocated_bytes: 2 * GIB });
    const hosted = disk({ label: 'scsi0:1', kind: 'sparse', capacity_bytes: 5 * GIB, allocated_bytes: GIB });
    const [made] = estimate(items([vm({ disks: [flat, hosted] })]), rates, auto, null).vms;
    expect(made).toMatchObject({
      copy_bytes: 11 * GIB,
      upload_bytes: 3 * GIB,
      staging_bytes: 2 * 2 * GIB + 2 * GIB,
      seconds: { copy: 112.64, convert: 76.8, upload: 61.44, volume: 30, fixed: 60, total: 340.88 },
    });
  });

  it('says which VMs fit in a window, alone and one after another', () => {
    const sized = (id: string, gib: number) =>
      vm({ id, name: `vm${id}`, disks: [disk({ capacity_bytes: gib * GIB, allocated_bytes: 0 })] });
    const made = estimate(items([sized('1', 30), sized('2', 1), sized('3', 10), sized('4', 900)]), rates, auto, 200);
    expect(made.budget).toEqual({ seconds: 200, fit_alone: ['vm1', 'vm2', 'vm3'], fit_together: ['vm2', 'vm3'] });
    expect(made.vms.map((item) => item.fits)).toEqual([true, true, true, false]);
  });

  it('fits no VM that cannot move, and counts it in no sum', () => {
    const moves = items([vm({ id: '1', name: 'moves', disks: [disk({ capacity_bytes: GIB, allocated_bytes: 0 })] })]);
    const bare = items([vm({ id: '2', name: 'bare', disks: [] })], ['vm.no_disk']);
    const made = estimate([...bare, ...moves], rates, auto, 3600);
    expect(made.vms.map(({ vm: name, blocked, fits }) => ({ name, blocked, fits }))).toEqual([
      { name: 'bare', blocked: ['vm.no_disk'], fits: false },
      { name: 'moves', blocked: [], fits: true },
    ]);
    expect(made.budget).toMatchObject({ fit_alone: ['moves'], fit_together: ['moves'] });
    expect(made.totals).toEqual({ ...estimate(moves, rates, auto, 3600).totals, blocked: 1 });
  });

  it('leaves out the disks that stay behind', () => {
    const two = vm({ disks: [disk(), disk({ label: 'scsi0:1', capacity_bytes: 5 * GIB })] });
    const [made] = estimate([{ vm: two, labels: ['scsi0:0'], blocked: [] }], rates, auto, null).vms;
    expect(made).toEqual(estimate(items([vm()]), rates, auto, null).vms[0]);
  });

  it('adds up, whatever the disks are', () => {
    const anyDisk = fc.record({
      capacity_bytes: fc.option(fc.nat(62 * 1024), { nil: null }),
      allocated_bytes: fc.option(fc.nat(), { nil: null }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(anyDisk, { maxLength: 4 }), { maxLength: 5 }), (all) => {
        const vms = all.map((disks, index) => vm({ id: String(index), disks: disks.map((given) => disk(given)) }));
        const made = estimate(items(vms), assumed, auto, 3600);
        expect(made.totals.seconds).toBeCloseTo(made.vms.reduce((sum, item) => sum + item.seconds.total, 0));
        for (const item of made.vms) {
          const numbers = [item.copy_bytes, item.upload_bytes, item.staging_bytes, item.seconds.total];
          expect(numbers.every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
        }
      }),
    );
  });
});

describe('ratesOfRuns', () => {
  const run = (id: string, host: string, cloud: string, seconds: number) =>
    foldJournal(
      [
        { kind: 'run.opened', version: 1, run: id, command: 'migrate', program: '0', vm: null },
        {
          kind: 'plan',
          section: 'source',
          value: { host, port: 22, user: 'root', vm: vm(), labels: ['scsi0:0'], outputDir: '/x', ownDir: true },
        },
        {
          kind: 'plan',
          section: 'cloud',
          value: { name: cloud, auth_url: 'u', region: null, project_id: 'p', project_name: 'n' },
        },
        {
          kind: 'step.done',
          step: 'export:scsi0:0',
          seconds,
          result: {
            label: 'scsi0:0',
            path: '/x',
            kind: 'flat',
            capacity_bytes: GIB,
            bytes: GIB,
            content_hash: null,
            sha256: null,
            files: [],
          },
        },
        {
          kind: 'step.done',
          step: 'volume:scsi0:0',
          seconds,
          result: { label: 'scsi0:0', volume_id: 'v', size_gib: 4 },
        },
      ].map((line) => ({ at: '2026-11-25T00:00:00.000Z', ...line })) as JournalLine[],
    );

  it('gives the medians of this host and this cloud, and nothing of what is not known', () => {
    const runs = [run('r1', 'esx1', 'scs', 10), run('r2', 'esx1', 'other', 20), run('r3', 'esx2', 'scs', 40)].flatMap(
      (item) => item ?? [],
    );
    expect(ratesOfRuns(runs, { host: 'esx1', cloud: 'scs' })).toEqual({
      copy: { value: GIB / 20, source: 'earlier runs' },
      volumePerGib: { value: 2.5, source: 'earlier runs' },
    });
    expect(ratesOfRuns(runs, { host: 'none', cloud: null })).toEqual({
      volumePerGib: { value: 5, source: 'earlier runs' },
    });
    expect(ratesOfRuns([], { host: null, cloud: null })).toEqual({});
  });
});
