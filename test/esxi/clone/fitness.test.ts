import { describe, expect, it } from 'vitest';
import { GIB } from '../../../src/core/index.js';
import { assertCloneable } from '../../../src/esxi/clone/fitness.js';
import { cloneSpace } from '../../../src/esxi/clone/space.js';
import { disk, vm, type VmChanges } from '../../migration/sample-vm.js';

const on = (given: VmChanges = {}) =>
  vm({ power_state: 'on', ...given, facts: { toolsRunning: true, ...given.facts } });
const labels = ['scsi0:0'];
const second = (given: Parameters<typeof disk>[0]) =>
  disk({ label: 'scsi0:1', path: '[datastore1] b/b.vmdk', ...given });

describe('whether a VM can be copied while it runs', () => {
  it('takes a healthy one, with or without quiescing', () => {
    expect(() => assertCloneable(on(), labels, true)).not.toThrow();
    expect(() => assertCloneable(on({ facts: { toolsRunning: false } }), labels, false)).not.toThrow();
  });

  it.each<[string, VmChanges, boolean?]>([
    ['vm.suspended', { power_state: 'suspended' }],
    ['vm.question_pending', { facts: { questionPending: true } }],
    ['vm.fault_tolerance', { facts: { faultTolerance: true } }],
    ['vm.snapshots', { snapshots: 2 }],
    ['vm.consolidation_needed', { facts: { consolidationNeeded: true } }],
    ['vm.consolidation_needed', { disks: [disk({ chain: ['[datastore1] a.vmdk', '[datastore1] a-000001.vmdk'] })] }],
    ['vm.tools_missing', { facts: { toolsRunning: false } }, true],
    ['vm.tools_missing', { facts: { toolsRunning: null } }, true],
    ['disk.independent', { disks: [disk({ mode: 'independent_persistent' })] }],
    ['disk.nonpersistent', { disks: [disk({ mode: 'independent_nonpersistent' })] }],
    ['disk.nonpersistent', { disks: [disk({ mode: 'nonpersistent' })] }],
    ['disk.rdm_virtual', { disks: [disk({ kind: 'rdm_virtual' })] }],
    ['disk.rdm_physical', { disks: [disk(), second({ kind: 'rdm_physical' })] }],
    ['disk.shared', { disks: [disk(), second({ shared: true })] }],
    ['disk.missing', { disks: [disk({ path: null, chain: [] })] }],
    ['disk.unsupported', { disks: [disk({ kind: 'sparse' })] }],
  ])('refuses with %s', (code, given, quiesce = false) => {
    expect(() => assertCloneable(on(given), labels, quiesce)).toThrow(
      expect.objectContaining({ code, exitCode: 3, hint: expect.stringMatching(/./) as string }),
    );
  });

  it('does not mind disks that stand apart and are not copied', () => {
    const apart = second({ mode: 'independent_persistent', kind: 'rdm_physical' });
    expect(() => assertCloneable(on({ disks: [disk(), apart] }), labels, false)).not.toThrow();
  });
});

describe('room for clones', () => {
  const store = (name: string, free: number | null) =>
    ({ name, uuid: null, type: 'VMFS-6', capacity_bytes: 100 * GIB, free_bytes: free }) as const;
  const two = on({
    disks: [disk({ allocated_bytes: 10 * GIB }), second({ allocated_bytes: null, capacity_bytes: 30 * GIB })],
    facts: { vmxDatastore: 'datastore1', diskDatastores: { 'scsi0:0': 'datastore1', 'scsi0:1': 'slow' } },
  });

  it('is what the datastore holds of the disks, and a reserve, to the byte', () => {
    const needed = 10 * GIB + GIB + GIB;
    const stores = (free: number) => [store('datastore1', free), store('slow', 50 * GIB)];
    expect(cloneSpace(two, labels, stores(needed), null)).toEqual({ datastore: 'datastore1', bytes: 10 * GIB });
    expect(() => cloneSpace(two, labels, stores(needed - 1), null)).toThrow(
      expect.objectContaining({ code: 'host.space', exitCode: 3 }),
    );
  });

  it('is the whole capacity where what is held is not told', () => {
    const stores = [store('datastore1', 45 * GIB), store('slow', 5 * GIB)];
    expect(cloneSpace(two, ['scsi0:0', 'scsi0:1'], stores, null).bytes).toBe(40 * GIB);
    expect(() =>
      cloneSpace(two, ['scsi0:0', 'scsi0:1'], [store('datastore1', 44 * GIB), stores[1] ?? []].flat(), null),
    ).toThrow(/datastore1 has 44 GiB free/);
  });

  it('must be kept on every datastore of the VM, also where the clones are not', () => {
    const stores = [store('datastore1', GIB), store('slow', 50 * GIB), store('spare', 50 * GIB)];
    expect(() => cloneSpace(two, labels, stores, 'spare')).toThrow(/datastore1 has 1 GiB free and needs 2 GiB to stay/);
    expect(cloneSpace(two, labels, [store('datastore1', 2 * GIB), ...stores.slice(1)], 'spare').datastore).toBe(
      'spare',
    );
  });

  it('must be told, on a datastore that is there', () => {
    const stores = [store('datastore1', null), store('slow', 50 * GIB)];
    expect(() => cloneSpace(two, labels, stores, null)).toThrow(expect.objectContaining({ code: 'host.space' }));
    expect(() => cloneSpace(two, labels, stores, 'nowhere')).toThrow(
      expect.objectContaining({ code: 'usage', exitCode: 2, hint: 'It has: datastore1, slow.' }),
    );
  });
});
