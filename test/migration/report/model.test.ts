import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildReport, targetsOfPlan, type ReportInput } from '../../../src/migration/report/index.js';
import { ASSUMED_RATE, readinessOf } from '../../../src/migration/report/model.js';
import { foldJournal } from '../../../src/migration/state/fold.js';
import { blocker, disk, info, inventory, manyVms, runOf, vm, warning } from './samples.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const HASH = `sha256-4m:${'ab'.repeat(32)}`;

function report(more: Partial<ReportInput>) {
  return buildReport({
    now: Date.parse('2026-11-25T06:30:00.000Z'),
    program: '0.1.0',
    source: { kind: 'file', name: 'esx1.json', saved_at: null },
    inventory: null,
    runs: [],
    ...more,
  });
}

const db01 = vm({
  id: '2',
  name: 'db01',
  uuid: '564d0000-0000-0000-0000-000000000002',
  power_state: 'on',
  cpus: 8,
  memory_mib: 32_768,
  disks: [disk(), disk({ label: 'scsi0:1', capacity_bytes: 500 * GIB, allocated_bytes: 210 * GIB })],
  findings: [blocker, info],
});

describe('of an inventory', () => {
  it('counts, sums and estimates', () => {
    const made = report({
      inventory: inventory([vm(), db01, vm({ id: '3', name: 'app01', findings: [warning] })], {
        skipped: [{ id: '9', name: null, reason: 'no .vmx' }],
      }),
    });
    expect(made.totals).toEqual({
      vms: 3,
      ready: 1,
      remedies: 1,
      blocked: 1,
      blocked_by_power_only: 1,
      moved: 0,
      skipped: 1,
      vcpus: 12,
      memory_mib: 40_960,
      disks: 4,
      capacity_bytes: 620 * GIB,
      allocated_bytes: 219 * GIB,
      to_move_bytes: 219 * GIB,
      disks_of_unknown_size: 0,
    });
    expect(made.estimate).toEqual({
      rate_bytes_per_second: 90 * MIB,
      basis: 'assumed',
      seconds: 2492,
      by_readiness: {
        ready: { vms: 1, to_move_bytes: 3 * GIB, seconds: 35 },
        remedies: { vms: 1, to_move_bytes: 3 * GIB, seconds: 35 },
        blocked: { vms: 1, to_move_bytes: 213 * GIB, seconds: 2424 },
      },
    });
    expect(made.findings.map(({ code, severity, vms, count }) => [severity, code, vms, count])).toEqual([
      ['blocker', 'vm.powered_on', 1, 1],
      ['warning', 'disk.nvme', 1, 1],
      ['info', 'disk.odd_size', 1, 1],
    ]);
    expect(made.vms.map(({ name, readiness, advice }) => [name, readiness, advice])).toEqual([
      ['web01', 'ready', 'yes'],
      ['db01', 'blocked', 'shut it down first (vm.powered_on)'],
      ['app01', 'remedies', 'yes'],
    ]);
    expect(made).toMatchObject({
      version: 1,
      generated_at: '2026-11-25T06:30:00.000Z',
      program: '0.1.0',
      source: { kind: 'file', name: 'esx1.json', saved_at: null },
      host: { name: 'esx1.example.com', version: '8.0.3' },
      skipped: [{ id: '9', name: null, reason: 'no .vmx' }],
      run: null,
      runs: [],
    });
  });

  it('takes a given rate, and counts a code once a VM', () => {
    const two = vm({ findings: [info, { ...info, subject: 'scsi0:1' }] });
    const made = report({ inventory: inventory([two]), rate: 80 * MIB });
    expect(made.estimate).toMatchObject({ basis: 'given', rate_bytes_per_second: 80 * MIB, seconds: 39 });
    expect(made.findings).toMatchObject([{ code: 'disk.odd_size', vms: 1, count: 2 }]);
  });

  it.each([
    ['what a flat file holds', {}, 3 * GIB],
    ['what a chain holds', { kind: 'se_sparse', chain: ['base', 'link'] }, 3 * GIB],
    ['a sparse file for what it holds', { kind: 'se_sparse' }, 3 * GIB],
    ['no raw device', { kind: 'rdm_physical' }, 0],
    ['the size where the use is not known', { kind: 'sparse', allocated_bytes: null }, 40 * GIB],
    ['nothing where nothing is known', { capacity_bytes: null, allocated_bytes: null }, 0],
  ] as const)('moves %s', (_, changes, bytes) => {
    const made = report({
      inventory: inventory([
        vm({ disks: [disk({ ...changes, chain: 'chain' in changes ? [...changes.chain] : ['x'] })] }),
      ]),
    });
    expect(made.totals.to_move_bytes).toBe(bytes);
    const unknown = 'allocated_bytes' in changes ? 1 : 0;
    expect(made.totals.disks_of_unknown_size).toBe(unknown);
  });

  it('keeps annotations out: people keep passwords there', () => {
    expect(JSON.stringify(report({ inventory: inventory([vm()]) }))).not.toContain('do-not-print');
  });

  it('is limited by selectors, and refuses one that fits nothing', () => {
    const given = inventory([vm(), db01], { skipped: [{ id: '9', name: 'gone', reason: 'no .vmx' }] });
    const made = report({ inventory: given, selectors: ['db*'] });
    expect(made.vms.map(({ name }) => name)).toEqual(['db01']);
    expect(made.totals).toMatchObject({ vms: 1, skipped: 0 });
    expect(() => report({ inventory: given, selectors: ['mail'] })).toThrow('No VM on the host fits "mail"');
    expect(() => report({ inventory: given, selectors: ['gone'] })).toThrow('cannot be read');
  });

  it('stays whole for any mix of VMs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), (count) => {
        const { totals, vms, estimate } = report({ inventory: inventory(manyVms(count)) });
        expect(totals.ready + totals.remedies + totals.blocked).toBe(count);
        expect(vms.reduce((sum, one) => sum + one.to_move_bytes, 0)).toBe(totals.to_move_bytes);
        const parts = Object.values(estimate.by_readiness);
        expect(parts.reduce((sum, part) => sum + part.to_move_bytes, 0)).toBe(totals.to_move_bytes);
        expect(estimate.seconds).toBe(Math.ceil(totals.to_move_bytes / ASSUMED_RATE));
      }),
    );
  });
});

describe('of runs', () => {
  it('knows the VM from the journal alone', () => {
    const made = report({ runs: [runOf(vm())], source: { kind: 'run', name: 'r7k2m9qa', saved_at: null } });
    expect(made.vms).toMatchObject([
      { name: 'web01', moved: true, to_move_bytes: 0, readiness: 'ready', runs: ['r7k2m9qa'] },
    ]);
    expect(made.totals).toMatchObject({ vms: 1, moved: 1, to_move_bytes: 0 });
    expect(made.host).toMatchObject({ name: 'esx1.example.com', version: null });
    expect(made.estimate.basis).toBe('measured');
    expect(made.estimate.rate_bytes_per_second).toBe(Math.round((40 * GIB) / 420));
    expect(made.run).toBe(made.runs[0]);
    expect(made.run).toMatchObject({
      run: 'r7k2m9qa',
      command: 'migrate',
      state: 'done',
      source_host: 'esx1.example.com',
      error: null,
      warnings: [{ code: 'nic.default_security_group' }],
    });
    expect(made.vms[0]?.target).toBe(made.run?.target);
    expect(made.run?.target).toEqual({
      cloud: 'scs',
      project: 'acme',
      region: 'eu-1',
      server: {
        name: 'web01',
        server_id: '44444444-4444-4444-8444-444444444444',
        flavor: 'SCS-2V-4',
        flavor_reason: 'the smallest with 2 vCPUs and 4 GiB',
        zone: 'nova',
      },
      images: [{ label: 'scsi0:0', image_id: '11111111-1111-4111-8111-111111111111' }],
      volumes: [
        {
          label: 'scsi0:0',
          name: 'web01-scsi0:0',
          volume_id: '22222222-2222-4222-8222-222222222222',
          size_gib: 40,
          type: 'ssd',
          capacity_bytes: 40 * GIB,
          content_hash: `sha256-4m:${'ab'.repeat(32)}`,
        },
      ],
      ports: [
        {
          label: 'ethernet0',
          network: 'prod',
          port_id: '33333333-3333-4333-8333-333333333333',
          mac: '00:50:56:00:00:01',
          ip_addresses: ['192.0.2.77'],
        },
      ],
    });
    expect(made.run?.proofs.map(({ subject, claim, proved }) => [subject, claim, proved])).toEqual([
      ['scsi0:0', 'The disk was read whole from the host', true],
      ['scsi0:0', 'The converted image holds what was read', true],
      ['scsi0:0', 'Glance holds what was sent', true],
      ['scsi0:0', 'The volume holds the image', false],
      ['server', 'The guest booted', true],
    ]);
  });

  it('has a VM that the run shut down as off', () => {
    const [first] = report({ runs: [runOf(vm({ power_state: 'on' }))] }).vms;
    expect(first).toMatchObject({ power_state: 'off', readiness: 'ready', findings: [] });
  });

  it('says what failed, what to do, and what was planned', () => {
    const made = report({ inventory: inventory([vm(), db01]), runs: [runOf(vm(), 'failed')] });
    expect(made.run).toMatchObject({
      state: 'failed',
      error: { code: 'volume.failed', hint: 'Choose another --volume-type, or ask the operator for room.' },
      target: { server: { server_id: null, flavor: 'SCS-2V-4' }, volumes: [{ volume_id: null, size_gib: 40 }] },
    });
    expect(made.vms.map(({ name, moved, runs }) => [name, moved, runs])).toEqual([
      ['web01', false, ['r7k2m9qa']],
      ['db01', false, []],
    ]);
    expect(made.totals.to_move_bytes).toBe(216 * GIB);
  });

  it('leaves out runs of VMs that were not chosen', () => {
    const runs = [runOf(vm()), runOf(db01, 'done', 'r8aaaaaa')];
    const made = report({ inventory: inventory([vm(), db01]), runs, selectors: ['db01'] });
    expect(made.runs.map(({ run }) => run)).toEqual(['r8aaaaaa']);
    expect(made.run?.run).toBe('r8aaaaaa');
  });

  it('does not take a copy with the same uuid for the VM that was moved', () => {
    const twin = vm({ id: '7', name: 'web01-copy' });
    const made = report({ inventory: inventory([twin, vm()]), runs: [runOf(vm())] });
    expect(made.vms.map(({ name, moved }) => [name, moved])).toEqual([
      ['web01-copy', false],
      ['web01', true],
    ]);
  });
});

describe('the timeline', () => {
  it('has each attempt, by the time that was worked', () => {
    const [run] = report({ runs: [runOf(vm(), 'failed')] }).runs;
    const { steps, pauses, active_seconds } = run?.timeline ?? { steps: [], pauses: [], active_seconds: 0 };
    expect(steps.map(({ title, state, offset_seconds, seconds }) => [title, state, offset_seconds, seconds])).toEqual([
      ['Look at the source', 'done', 0, 2],
      ['Copy from the host · scsi0:0', 'done', 2, 420],
      ['Look at the source again', 'done', 422, 1],
      ['Convert · scsi0:0', 'done', 423, 95],
      ['Upload · scsi0:0', 'done', 518, 61],
      ['Make the volume · scsi0:0', 'failed', 579, 14],
      ['Make the volume · scsi0:0', 'failed', 593, 13],
    ]);
    expect(pauses).toEqual([{ offset_seconds: 593, seconds: 7201 }]);
    expect(active_seconds).toBe(606);
    expect(steps[1]).toMatchObject({ bytes: 40 * GIB, rate_bytes_per_second: Math.round((40 * GIB) / 420) });
  });

  it('has the one pass from host to image as reading, and gives the looks no bytes', () => {
    const made = runOf(vm());
    const lines = made.lines
      .filter((line) => !('step' in line) || !/^(export|convert):/.test(line.step))
      .map((line) => {
        if (line.kind !== 'step.done') return line;
        if (line.step === 'source') return { ...line, result: { bytes: 40 * GIB } };
        if (line.step !== 'image:scsi0:0') return line;
        return { ...line, result: { ...(line.result as object), read_bytes: 30 * GIB, content_hash: HASH } };
      });
    lines.splice(1, 0, { kind: 'plan', section: 'transfer', value: 'direct', at: lines[0]?.at ?? '' });
    const state = foldJournal(lines);
    if (!state) throw new Error('no state');
    const { runs, estimate } = report({ runs: [{ ...made, state, lines }] });
    const steps = runs[0]?.timeline.steps ?? [];
    expect(steps.slice(0, 3).map(({ title, bytes, from_host }) => [title, bytes, from_host])).toEqual([
      ['Look at the source', null, false],
      ['Look at the source again', null, false],
      ['Copy from the host and upload · scsi0:0', 30 * GIB, true],
    ]);
    expect(estimate).toMatchObject({ basis: 'measured', rate_bytes_per_second: Math.round((30 * GIB) / 61) });
    expect(runs[0]?.proofs[0]).toEqual({
      subject: 'scsi0:0',
      claim: 'The disk was read whole from the host',
      proved: true,
      detail: HASH,
    });
  });

  it('knows a step that was cut off from one that runs', () => {
    const run = runOf(vm());
    const at = run.lines.findIndex((line) => line.kind === 'step.started' && line.step === 'image:scsi0:0');
    const lines = run.lines.slice(0, at + 1);
    const states = (worker: number | null) =>
      report({ runs: [{ ...run, lines, worker }] }).runs[0]?.timeline.steps.at(-1)?.state;
    expect(states(null)).toBe('cut_off');
    expect(states(42)).toBe('running');
  });
});

it.each([
  [[], 'ready'],
  [[info], 'ready'],
  [[info, warning], 'remedies'],
  [[warning, blocker], 'blocked'],
] as const)('readiness of %#', (findings, readiness) => {
  expect(readinessOf(findings)).toBe(readiness);
});

describe('of a plan', () => {
  it('shows what it makes of a VM that no run has moved', () => {
    const planned = targetsOfPlan({
      cloud: { name: 'scs', project_name: 'acme', region: 'R1' },
      vms: [
        {
          vm: { id: vm().id, disks: [{ label: 'scsi0:0', capacity_bytes: 40 * GIB }] },
          server: { name: 'web01', flavor: 'SCS-2V-4', zone: null },
          volumes: [{ label: 'scsi0:0', name: 'web01-scsi0:0', size_gib: 40, type: 'ssd' }],
          ports: [{ label: 'ethernet0', network: 'prod', mac: null, addresses: [{ ip: '10.0.0.5' }] }],
        },
      ],
    } as unknown as Parameters<typeof targetsOfPlan>[0]);
    expect(planned.get(vm().id)).toMatchObject({
      cloud: 'scs',
      server: { flavor: 'SCS-2V-4', server_id: null },
      volumes: [{ label: 'scsi0:0', size_gib: 40, type: 'ssd', volume_id: null, capacity_bytes: 40 * GIB }],
      ports: [{ network: 'prod', ip_addresses: ['10.0.0.5'] }],
    });
    const { vms } = report({ inventory: inventory([vm(), db01]), planned });
    expect(vms.map(({ target }) => target)).toEqual([planned.get(vm().id), null]);
  });
});
