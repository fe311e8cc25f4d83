import { expect, it } from 'vitest';
import { chosenOf, judgedInventory } from '../../src/migration/read-inventory.js';
import { parseSavedHost, parseSavedInventory, savedInventory } from '../../src/migration/saved-inventory.js';
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
const source = { host: 'esx1', port: 2222, user: 'root' };
const by = { program: '1.2.3', now: new Date('2026-01-02T03:04:05Z'), source };
const saved = () => JSON.stringify(savedInventory(host, by));

it('comes back as it was read, with the same findings', () => {
  expect(parseSavedInventory(saved(), 'x.json')).toEqual({
    inventory: judgedInventory(host),
    savedAt: '2026-01-02T03:04:05.000Z',
  });
});

it('says its version, what wrote it and when, and holds what programs read', () => {
  const data = JSON.parse(saved()) as { vms: unknown[] };
  expect(data).toMatchObject({ version: 1, program: '1.2.3', saved_at: '2026-01-02T03:04:05.000Z', source });
  expect(data.vms[0]).toMatchObject({ name: 'twin', findings: [{ code: 'vm.duplicate_name' }] });
});

it('gives plans and checks all that was read, and where; what was only printed is not enough for them', () => {
  expect(parseSavedHost(saved(), 'x.json')).toEqual({ savedAt: '2026-01-02T03:04:05.000Z', inventory: host, source });
  const unnamed = JSON.stringify({ ...(JSON.parse(saved()) as object), source: undefined });
  expect(parseSavedHost(unnamed, 'x.json').source).toBeNull();
  expect(() => parseSavedHost(JSON.stringify(judgedInventory(host)), 'x.json')).toThrow(
    expect.objectContaining({ code: 'inventory.unreadable', exitCode: 2 }) as Error,
  );
});

it('is limited as a host is: VMs by selectors, and nothing of what was skipped', () => {
  const { inventory: all } = parseSavedInventory(saved(), 'x.json');
  expect(chosenOf(all)).toEqual(all);
  const some = chosenOf(all, ['id:3', 'o*']);
  expect(some.vms.map(({ id }) => id)).toEqual(['3', '5']);
  // The twin is not shown, and still counts.
  expect(some.vms[0]?.findings.map(({ code }) => code)).toEqual(['vm.duplicate_name']);
  expect(some.skipped).toEqual([]);
  expect(() => chosenOf(all, ['twin'])).toThrow(expect.objectContaining({ code: 'vm.ambiguous' }) as Error);
});
