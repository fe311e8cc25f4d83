import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MIB, vm, type VmSpec } from '../lab/esxi/index.js';
import { smallVm, usePeers, type Lab } from '../support/embedded.js';

/** What is told weeks before a move of VMs that cannot move as they are, and of an inventory that has aged. */

const disk = { sizeBytes: 8 * MIB, mbr: true };
const small = (name: string, more: Partial<VmSpec> = {}) => vm({ name, disks: [disk], ...more });
const peers = usePeers({
  vms: [
    smallVm('web01'),
    smallVm('running', { power: 'on', tools: 'running' }),
    small('bare', { disks: [] }),
    small('rdm', { disks: [disk, { sizeBytes: 64 * MIB, rdm: 'physical' }] }),
    small('lost-extent', { disks: [disk, { sizeBytes: 4 * MIB, fault: 'missing-extent' }] }),
    small('asleep', { power: 'suspended' }),
    small('no-vmx', { vmxFault: 'missing' }),
  ],
});

const OPEN = ['--network', '*=lab-net', '--security-group', 'web_ssh'];

/** Runs a command and gives its result; it must end like this. */
async function run(lab: Lab, code: number, ...args: string[]) {
  const ended = await lab.run(args);
  expect(ended.code, `${ended.stderr}\n${ended.stdout}`).toBe(code);
  return ended;
}

describe.concurrent('estimate', () => {
  test('fits no VM in a window that cannot move, and counts none of them', async () => {
    const lab = await peers.lab();
    const args = ['estimate', '--rate', '100MiB/s', '--budget', '30m'];
    const { stdout } = await run(lab, 0, ...args, '-f', 'json');
    const made = JSON.parse(stdout) as {
      vms: { vm: string; blocked: string[]; fits: boolean }[];
      totals: { vms: number; blocked: number };
      budget: { fit_alone: string[]; fit_together: string[] };
    };
    expect(made.vms.map(({ vm: name, blocked, fits }) => [name, blocked, fits])).toEqual([
      ['web01', [], true],
      ['running', [], true],
      ['bare', ['vm.no_disk'], false],
      ['rdm', ['disk.rdm_physical'], false],
      ['lost-extent', ['disk.missing'], false],
      ['asleep', ['vm.suspended'], false],
    ]);
    expect(made.totals).toMatchObject({ vms: 2, blocked: 4 });
    expect(made.budget.fit_alone).toEqual(['web01', 'running']);
    expect([...made.budget.fit_together].sort()).toEqual(['running', 'web01']);
    const table = await run(lab, 0, ...args);
    expect(table.stdout).toMatch(/^bare .* blocked: vm\.no_disk$/m);
    expect(table.stderr).toContain('4 VM(s) cannot move as they are');
    expect(table.stderr).toContain('2 of 2 VM(s) fit alone');
  });

  test('as CSV has numbers, in bytes and seconds', async () => {
    const lab = await peers.lab();
    const { stdout } = await run(lab, 0, 'estimate', '--vm', 'web01', '--rate', '1MiB/s', '-f', 'csv');
    const [head = '', line = ''] = stdout.split('\n');
    const row = Object.fromEntries(head.split(',').map((name, at) => [name, line.split(',')[at]]));
    expect(row).toMatchObject({ vm: 'web01', volume_gib: '2', blocked: '' });
    expect(Number(row['copy_bytes'])).toBeGreaterThan(0);
    expect(Number(row['copy_bytes'])).toBeLessThan(14 * MIB + 512); // what the disks hold
    expect(row['downtime_seconds']).toMatch(/^\d+(\.\d+)?$/);
  });

  test('of a plan leaves out the disks that it leaves behind, with what stands on them', async () => {
    const lab = await peers.lab();
    await run(lab, 0, 'plan', '--vm', 'rdm', '--skip-disk', 'scsi0:1', ...OPEN, '-o', 'plan.yaml');
    const { stdout } = await run(lab, 0, 'estimate', 'plan.yaml', '--rate', '1MiB/s', '-f', 'json');
    const made = JSON.parse(stdout) as { vms: { blocked: string[]; copy_bytes: number; volume_gib: number }[] };
    expect(made.vms).toMatchObject([{ blocked: [], volume_gib: 1 }]);
    expect(made.vms[0]?.copy_bytes).toBeLessThan(8 * MIB); // what the one disk that moves holds
  });
});

describe.concurrent('guide', () => {
  test.each([
    ['rdm', 'disk.rdm_physical'],
    ['lost-extent', 'disk.missing'],
    ['asleep', 'vm.suspended'],
  ])('of %s is printed, says that it cannot work, and stops as a script', async (name, code) => {
    const lab = await peers.lab();
    const page = await run(lab, 3, 'guide', '--vm', name, ...OPEN, '--quiet');
    expect(page.stdout).toContain('**This cannot work as the VM is now**');
    expect(page.stderr).toContain(`(${code})`);
    const script = await run(lab, 3, 'guide', '--vm', name, ...OPEN, '-f', 'sh');
    expect(script.stdout.indexOf("\nstop 'this VM cannot move")).toBeLessThan(script.stdout.indexOf('ssh '));
    expect(script.stderr).toContain('As a script they stop before the first.');
  });

  test('of a VM that runs, or whose blocked disk stays behind, is one to follow', async () => {
    const lab = await peers.lab();
    const { stdout } = await run(lab, 0, 'guide', '--vm', 'rdm', '--skip-disk', 'scsi0:1', ...OPEN);
    expect(stdout).not.toMatch(/cannot work|rdm_physical/);
    await run(lab, 0, 'guide', '--vm', 'running', ...OPEN);
    await run(lab, 3, 'guide', '--vm', 'bare', ...OPEN);
  });
});

test('a plan file has the same types for readers of YAML 1.1', async () => {
  const lab = await peers.lab();
  await run(lab, 0, 'plan', '--vm', 'web01', '--vm', 'running', ...OPEN, '-o', 'plan.yaml');
  const text = await readFile(join(lab.dir, 'plan.yaml'), 'utf8');
  expect(text).toContain('power_state: "off"');
  expect(parse(text, { version: '1.1' })).toEqual(parse(text));
});

test('a check of a saved inventory says that the host was not asked', async () => {
  const lab = await peers.lab();
  await run(lab, 0, 'inventory', '--save', 'esx1.json', '-c', 'name');
  const { stdout, stderr } = await run(lab, 0, 'check', '--from', 'esx1.json', '--vm', 'web01', ...OPEN, '-f', 'json');
  expect(JSON.parse(stdout)).toMatchObject({ state: 'ready', host: { state: 'unknown' } });
  expect(stderr).toContain('host unknown (not asked)');
});
