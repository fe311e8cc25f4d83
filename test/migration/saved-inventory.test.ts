import { expect, it } from 'vitest';
import { chosenOf, judgedInventory } from '../../src/migration/read-inventory.js';
import { parseSavedInventory, savedInventory } from '../../src/migration/saved-inventory.js';
import { disk, inventory, nic, vm } from './sample-vm.js';

const vms = [
  vm({ id: '3', name: 'twin' }),
  vm({ id: '4', name: 'twin', power_state: 'on', facts: { toolsRunning: false } }),
  vm({
    id: '5',
    name: 'odd',
    uuid: null,
    encrypted: true,
    disks: [disk({ kind: null, path: null, capacity_bytes: null, allocated_bytes: null, chain: [] })],
    nics: [nic({ mac: null, network: null, ip_addresses: ['fe80::1'] })],
    facts: {
      rawDisks: { 'scsi0:0': 'rdm_virtual' },
      diskProblems: { 'scsi0:0': [{ code: 'disk.unsupported', message: 'It is so.' }] },
    },
  }),
];
const host = inventory(vms, {
  datastores: [{ name: 'größe (2)', uuid: null, type: 'NFS', capacity_bytes: null, free_bytes: 2 ** 50 }],
  networks: [{ name: 'a/b', vlan_id: 4095, vswitch: null }],
  skipped: [{ id: '9', name: null, reason: 'gone' }],
});
const saved = () => JSON.stringify(savedInventory(host, '1.2.3', new Date('2026-01-02T03:04:05Z')));

it('comes back as it was read, with the same findings', () => {
  expect(parseSavedInventory(saved(), 'x.json')).toEqual(judgedInventory(host));
});

it('says its version, what wrote it and when, and holds what programs read', () => {
  const data = JSON.parse(saved()) as { vms: unknown[] };
  expect(data).toMatchObject({ version: 1, program: '1.2.3', saved_at: '2026-01-02T03:04:05.000Z' });
  expect(data.vms[0]).toMatchObject({ name: 'twin', findings: [{ code: 'vm.duplicate_name' }] });
});

it('is limited as a host is: VMs by selectors, and nothing of what was skipped', () => {
  const all = parseSavedInventory(saved(), 'x.json');
  expect(chosenOf(all)).toEqual(all);
  const some = chosenOf(all, ['id:3', 'o*']);
  expect(some.vms.map(({ id }) => id)).toEqual(['3', '5']);
  // The twin is not shown, and still counts.
  expect(some.vms[0]?.findings.map(({ code }) => code)).toEqual(['vm.duplicate_name']);
  expect(some.skipped).toEqual([]);
  expect(() => chosenOf(all, ['twin'])).toThrow(expect.objectContaining({ code: 'vm.ambiguous' }) as Error);
});
