import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostOver } from '../../../src/esxi/index.js';
import { readInventory, type InventoryWithFindings } from '../../../src/migration/read-inventory.js';
import { FakeHost, context } from '../harness.js';
import { install } from '../vms.js';
import { contractDisks } from './contract-disks.js';
import { DS1, DS2, DS3 } from './contract-form.js';
import { contractMachines, contractSkipped } from './contract-machines.js';

const vms = [...contractDisks, ...contractMachines];

/** `inventory -f json` of a host full of odd VMs, each compared as a whole with what it must be. */
describe('the contract of the inventory', () => {
  let host: FakeHost;
  let inventory: InventoryWithFindings;

  beforeAll(async () => {
    host = new FakeHost();
    install(host, [...vms, ...contractSkipped.map(({ vm }) => vm)], { stderr: "Skipping invalid VM '399'\n" });
    host.link(DS3.name, DS3.uuid);
    host.answer(
      'esxcli --formatter=csv storage filesystem list',
      [
        'Free,MountPoint,Mounted,Size,Type,UUID,VolumeName,',
        ...[DS1, DS2, DS3].map(({ name, uuid }) => `5,/vmfs/volumes/${uuid},true,10,VMFS-6,${uuid},${name},`),
        '',
      ].join('\n'),
    );
    const shell = host.shell();
    shell.busy = ['/held-flat.vmdk', '/running-flat.vmdk'];
    inventory = await readInventory(hostOver(shell, context));
  });
  afterAll(() => host.remove());

  it.each(vms.map((vm) => [`${vm.name}: ${vm.what}`, vm] as const))('%s', (_, { id, expected }) => {
    const { findings, ...vm } = inventory.vms.find((one) => one.id === String(id)) ?? { findings: [] };
    const brief = findings.map(({ code, severity, subject }) => `${code} ${severity} ${subject}`);
    expect({ ...vm, findings: brief }).toEqual(expected);
  });

  it('is of more than 25 odd VMs, and of no other', () => {
    expect(vms.length).toBeGreaterThan(40);
    expect(inventory.vms.map(({ id }) => id)).toEqual(
      vms.map(({ id }) => String(id)).sort((a, b) => Number(a) - Number(b)),
    );
  });

  it('skips what cannot be read, with why', () => {
    expect(inventory.skipped).toEqual([
      ...contractSkipped.map(({ vm, reason }) => ({
        id: String(vm.id),
        name: vm.name,
        reason: expect.stringMatching(reason) as string,
      })),
      { id: '399', name: null, reason: expect.stringMatching(/invalid/) as string },
    ]);
  });

  it('gives each finding a message and a remedy, and runs nothing that a name holds', () => {
    for (const { message, remedy } of inventory.vms.flatMap(({ findings }) => findings)) {
      expect(message).not.toBe('');
      expect(remedy).not.toBe('');
    }
    expect(existsSync(join(host.root, 'pwned'))).toBe(false);
  });
});
