import { expect, it } from 'vitest';
import { findingsOf, readiness } from '../../../src/migration/findings/index.js';
import { disk, inventory, vm, type VmChanges } from '../sample-vm.js';

function ready(changes: VmChanges): string {
  const subject = vm(changes);
  return readiness(findingsOf(subject, inventory([subject])));
}

it('says yes to a healthy VM, and to one whose findings ask for nothing', () => {
  expect(ready({})).toBe('yes');
  expect(ready({ snapshots: 3, firmware: 'efi', facts: { connectedRemovable: ['ide1:0'] } })).toBe('yes');
});

it('gives the advice on the first blocker', () => {
  expect(ready({ power_state: 'on', facts: { toolsRunning: true } })).toBe('shut it down first (vm.powered_on)');
  expect(ready({ power_state: 'suspended' })).toBe('resume it, then shut it down (vm.suspended)');
  expect(ready({ encrypted: true })).toBe('decrypt it first (vm.encrypted)');
});

it('names the disk, and counts the blockers that are left', () => {
  const rdm = disk({ label: 'scsi0:1', kind: 'rdm_physical' });
  expect(ready({ disks: [disk(), rdm] })).toBe('scsi0:1: its disk is a raw device (disk.rdm_physical)');
  expect(ready({ power_state: 'on', disks: [disk(), rdm], facts: { toolsRunning: true } })).toBe(
    'shut it down first (vm.powered_on), and 1 more',
  );
});

it('gives the advice on a warning where there is no blocker', () => {
  expect(ready({ guest_id: 'windows9_64Guest', snapshots: 1 })).toBe('check its virtio drivers (vm.windows_drivers)');
  expect(ready({ guest_id: 'windows9_64Guest', power_state: 'on' })).toMatch(/^shut it down first/);
});

it('says something of a blocker that no rule here gives', () => {
  const finding = { code: 'x.y', severity: 'blocker', subject: 'vm', message: '', remedy: '' } as const;
  expect(readiness([finding])).toBe('see its findings (x.y)');
});

it('has an advice for every blocker', () => {
  const blockers: VmChanges[] = [
    { power_state: 'on' },
    { power_state: 'suspended' },
    { encrypted: true },
    { disks: [] },
    { facts: { questionPending: true } },
    { disks: [disk({ kind: 'rdm_virtual' })] },
    { disks: [disk({ kind: null })] },
    { disks: [disk({ capacity_bytes: 63 * 1024 ** 4 })] },
    ...(['disk.missing', 'disk.chain_broken', 'disk.locked', 'disk.bad_descriptor'] as const).map((code) => ({
      facts: { diskProblems: { 'scsi0:0': [{ code, message: 'So.' }] } },
    })),
  ];
  for (const changes of blockers) {
    expect(ready(changes)).not.toContain('see its findings');
    expect(ready(changes)).not.toBe('yes');
  }
});
