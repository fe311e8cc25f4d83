import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { parseSavedInventory } from '../../../src/migration/report/index.js';
import { vm as record } from '../sample-vm.js';
import { blocker, disk, info, inventory, vm } from './samples.js';

const printed = inventory([vm({ findings: [info] })]);

describe('reads', () => {
  it.each([
    ['what inventory -f json prints', printed],
    ['what has a version', { version: 1, ...printed }],
    [
      'what has fields of a later program',
      { ...printed, extra: 1, vms: printed.vms.map((one) => ({ ...one, more: 2 })) },
    ],
  ])('%s', (_, given) => {
    expect(parseSavedInventory(JSON.stringify(given, null, 2), 'esx1.json')).toEqual({
      inventory: printed,
      savedAt: null,
    });
    expect(parseSavedInventory(`\uFEFF${JSON.stringify(given)}`, 'esx1.json')).toEqual({
      inventory: printed,
      savedAt: null,
    });
  });

  it('judges anew where the facts are there', () => {
    const saved = {
      version: 1,
      ...printed,
      vms: [{ ...record({ power_state: 'on', facts: { toolsRunning: true } }), findings: [info] }],
    };
    const [first] = parseSavedInventory(JSON.stringify(saved), 'esx1.json').inventory.vms;
    expect(first?.findings.map(({ code }) => code)).toEqual([blocker.code]);
  });
});

it.each([
  ['', 'esx1.json is empty.'],
  ['NAME POWER', 'esx1.json is not JSON.'],
  ['[]', 'esx1.json is no inventory that can be true'],
  [JSON.stringify({ ...printed, vms: [{ name: 'x' }] }), 'esx1.json is no inventory that can be true (vms.0.'],
  [JSON.stringify({ version: 2, ...printed }), 'esx1.json was written by a newer stackferry (version 2 of the form).'],
  [
    JSON.stringify({ ...printed, vms: printed.vms.map((one) => ({ ...one, findings: undefined })) }),
    'esx1.json does not say what was found on "web01"',
  ],
])('refuses %j', (text, message) => {
  const attempt = () => parseSavedInventory(text, 'esx1.json');
  expect(attempt).toThrow(message);
  expect(attempt).toThrow(expect.objectContaining({ code: 'inventory.unreadable', exitCode: 2 }) as Error);
});

const web01 = (change: object) => ({ vms: [{ ...printed.vms[0], ...change }] });
const ofDisk = (change: object) => web01({ disks: [{ ...printed.vms[0]?.disks[0], ...change }] });
const ofNic = (change: object) => web01({ nics: [{ ...printed.vms[0]?.nics[0], ...change }] });
const store = { name: 'nfs', uuid: null, type: 'NFS', capacity_bytes: 2 ** 60, free_bytes: null };

it.each<[object, string]>([
  [ofDisk({ capacity_bytes: -1 }), 'vms.0.disks.0.capacity_bytes of "web01": '],
  [ofDisk({ capacity_bytes: 0.5 }), 'vms.0.disks.0.capacity_bytes of "web01": a whole number'],
  [ofDisk({ capacity_bytes: 2 ** 50 + 1 }), 'vms.0.disks.0.capacity_bytes of "web01": more than 1 PiB'],
  [ofDisk({ allocated_bytes: 2 ** 51 }), 'vms.0.disks.0.allocated_bytes of "web01": '],
  [ofDisk({ allocated_bytes: undefined }), 'vms.0.disks.0.allocated_bytes of "web01": '],
  [ofDisk({ controller: 'floppy' }), 'vms.0.disks.0.controller of "web01": '],
  [ofDisk({ kind: 'vvol' }), 'vms.0.disks.0.kind of "web01": '],
  [ofDisk({ label: '../../etc' }), 'vms.0.disks.0.label of "web01": a disk label as scsi0:0'],
  [web01({ disks: [disk(), disk()] }), 'vms.0.disks.1.label of "web01": scsi0:0 is there twice'],
  [ofNic({ model: 'rtl8139' }), 'vms.0.nics.0.model of "web01": '],
  [ofNic({ vlan_id: 4096 }), 'vms.0.nics.0.vlan_id of "web01": '],
  [web01({ cpus: -2 }), 'vms.0.cpus of "web01": '],
  [web01({ memory_mib: 1.5 }), 'vms.0.memory_mib of "web01": '],
  [web01({ power_state: 'sleeping' }), 'vms.0.power_state of "web01": '],
  [web01({ id: 'one' }), 'vms.0.id of "web01": a vmid'],
  [{ vms: [vm(), vm({ id: '2' }), vm({ name: 'other' })] }, 'vms.2.id of "other": 1 is there twice'],
  [{ datastores: [{ ...store, free_bytes: -1 }] }, 'datastores.0.free_bytes: '],
  [{ saved_at: 'yesterday' }, 'saved_at: '],
  [{ source: { host: 'esx1', port: 0, user: 'root' } }, 'source.port: '],
])('does not believe %j', (change, message) => {
  const attempt = () => parseSavedInventory(JSON.stringify({ ...printed, ...change }), 'esx1.json');
  expect(attempt).toThrow(`esx1.json is no inventory that can be true (${message}`);
  expect(attempt).toThrow(
    expect.objectContaining({
      exitCode: 2,
      hint: 'Make it anew: stackferry inventory --esxi HOST --save FILE',
    }) as Error,
  );
});

it('takes sizes that can be: any whole one up to 1 PiB, and null', () => {
  const size = fc.option(fc.integer({ min: 0, max: 2 ** 50 }));
  fc.assert(
    fc.property(size, size, (capacity_bytes, allocated_bytes) => {
      const read = parseSavedInventory(
        JSON.stringify({ ...printed, ...ofDisk({ capacity_bytes, allocated_bytes }) }),
        'x',
      );
      expect(read.inventory.vms[0]?.disks[0]).toMatchObject({ capacity_bytes, allocated_bytes });
    }),
  );
  expect(parseSavedInventory(JSON.stringify({ ...printed, datastores: [store] }), 'x').inventory.datastores).toEqual([
    store,
  ]);
});

it('keeps what a lying descriptor says, where that was found when it was read', () => {
  const huge = disk({ capacity_bytes: 2 ** 62 });
  const facts = { diskProblems: { 'scsi0:0': [{ code: 'disk.too_large' as const, message: 'It lies.' }] } };
  for (const one of [
    record({ disks: [huge], facts }),
    vm({ disks: [huge], findings: [{ ...blocker, code: 'disk.too_large', subject: 'scsi0:0' }] }),
  ]) {
    const { inventory: read } = parseSavedInventory(JSON.stringify({ ...printed, vms: [one] }), 'x');
    expect(read.vms[0]?.disks[0]?.capacity_bytes).toBe(2 ** 62);
    expect(read.vms[0]?.findings.map(({ code }) => code)).toContain('disk.too_large');
  }
});

it('never fails in another way', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseSavedInventory(text, 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(StackferryError);
      }
    }),
  );
});
