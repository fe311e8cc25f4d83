import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostOver, type Inventory } from '../../../src/esxi/index.js';
import { inventorySchema } from '../../../src/esxi/inventory/schema.js';
import { DS1, DS2, FakeHost, type LocalShell, context } from '../harness.js';
import { install, flat, DISK, type FakeVm } from '../vms.js';
import { print } from '../texts.js';
import { oddVms } from './odd-vms.js';

describe('a host full of odd VMs', () => {
  let host: FakeHost;
  let shell: LocalShell;
  let inventory: Inventory;

  beforeAll(async () => {
    host = new FakeHost();
    install(host, oddVms, { stderr: "Skipping invalid VM '77'\n" });
    host.link(`${DS1.uuid}/linked/d-flat.vmdk`, '/etc/passwd');
    shell = host.shell();
    inventory = await hostOver(shell, context).inventory();
  });
  afterAll(() => host.remove());

  it('has the form of the contract', () => {
    expect(inventorySchema.parse(inventory)).toEqual(inventory);
  });

  it.each(oddVms.map((vm) => [vm.name, vm] as const))('describes %s', (_, { id, expect: expected }) => {
    const vm = inventory.vms.find((candidate) => candidate.id === String(id));
    const skipped = inventory.skipped.find((candidate) => candidate.id === String(id));
    if ('skipped' in expected) {
      expect(vm).toBeUndefined();
      expect(skipped?.reason).toMatch(expected.skipped);
      return;
    }
    expect(skipped).toBeUndefined();
    const { problems, ...fields } = expected;
    expect(vm).toMatchObject(fields);
    if (problems) {
      const found = Object.entries(vm?.facts.diskProblems ?? {}).map(([label, list]) => [
        label,
        list.map(({ code }) => code),
      ]);
      expect(Object.fromEntries(found)).toEqual(problems);
    }
  });

  it('ran nothing that a name held', () => {
    expect(existsSync(join(host.root, 'pwned'))).toBe(false);
  });

  it('does not take an annotation for a VM, and keeps what the host skips', () => {
    expect(inventory.vms.map(({ id }) => id)).not.toContain('99');
    expect(inventory.skipped.map(({ id }) => id)).toEqual(['27', '28', '29', '30', '31', '77']);
  });

  it('knows the host, its datastores and its networks', () => {
    expect(inventory.host).toEqual({
      name: 'esx1.lab',
      product: 'VMware ESXi',
      version: '8.0.3',
      build: '24677879',
      uuid: '4c4c4544-004d-5110-8038-b3c04f4b4632',
      license: 'esxBasic',
    });
    expect(inventory.datastores).toEqual([
      { name: DS1.name, uuid: DS1.uuid, type: 'VMFS-6', capacity_bytes: 10000, free_bytes: 5000 },
      { name: DS2.name, uuid: DS2.uuid, type: 'NFS', capacity_bytes: 900, free_bytes: 700 },
    ]);
    expect(inventory.networks).toEqual([
      { name: 'VM Network', vlan_id: 0, vswitch: 'vSwitch0' },
      { name: 'DMZ VLAN/20', vlan_id: 20, vswitch: 'vSwitch1' },
      { name: "it's $(trunk)", vlan_id: 4095, vswitch: 'vSwitch1' },
    ]);
    expect(JSON.stringify(inventory)).not.toContain('33333');
  });

  it('reads only what is asked for, and twins', async () => {
    const some = hostOver(host.shell(), context);
    const names = async (...only: string[]) => (await some.inventory({ only })).vms.map(({ id }) => id);
    expect(await names('web 01')).toEqual(['1']);
    expect(await names('id:25')).toEqual(['25', '26']);
    expect(await names('s?[lo]*t')).toEqual(['14', '34']);
    expect(await names('uuid:564D0000-0000-0000-0000-000000000023')).toEqual(['23']);
    expect(await names('nothing')).toEqual([]);
    expect((await some.inventory({ only: ['gone'] })).skipped).toHaveLength(1);
  });

  it('reads all where a disk is shared, for who else uses it decides what may be done', async () => {
    const inventoryOf = await hostOver(host.shell(), context).inventory({ only: ['order'] });
    expect(inventoryOf.vms.length).toBe(inventory.vms.length);
    expect(inventoryOf.skipped).toEqual([]);
  });

  it('costs the others nothing when one VM hangs', async () => {
    const slow = host.shell();
    slow.hangs = /^v 23 /m;
    const { vms, skipped } = await hostOver(slow, context).inventory();
    expect(skipped.find(({ id }) => id === '23')?.reason).toMatch(/in time/);
    expect(vms).toHaveLength(inventory.vms.length - 1);
  });
});

function many(count: number): FakeVm[] {
  return Array.from({ length: count }, (_, i) => {
    const name = `application server number ${String(i).padStart(4, '0')}`;
    return {
      id: i + 1,
      name,
      vmx: [
        ...DISK,
        `scsi0:0.fileName = "${name}.vmdk"`,
        'scsi0:1.present = "TRUE"',
        `scsi0:1.fileName = "${name}_1.vmdk"`,
      ],
      files: { ...flat(name), ...flat(`${name}_1`) },
    };
  });
}

describe('the cost', () => {
  it('of 200 VMs with two disks is at most a dozen round trips', async () => {
    const host = new FakeHost();
    try {
      install(host, many(200));
      const shell = host.shell();
      const { vms, skipped } = await hostOver(shell, context).inventory();
      expect(skipped).toEqual([]);
      expect(vms).toHaveLength(200);
      expect(
        vms.every(({ disks }) => disks.length === 2 && disks.every((disk) => disk.capacity_bytes === 1024 ** 2)),
      ).toBe(true);
      expect(shell.roundTrips).toBeLessThanOrEqual(12);
      expect(Math.max(...shell.commands.map((command) => Buffer.byteLength(command)))).toBeLessThanOrEqual(32 * 1024);
    } finally {
      host.remove();
    }
  });

  it('of one VM is a handful', async () => {
    const host = new FakeHost();
    try {
      install(host, many(3));
      const shell = host.shell();
      await hostOver(shell, context).inventory({ only: ['id:2'] });
      expect(shell.roundTrips).toBeLessThanOrEqual(5);
    } finally {
      host.remove();
    }
  });
});

describe('poorer hosts', () => {
  const [plain = many(1)[0]] = many(1);
  const withHost = async (without: string[], change: (host: FakeHost) => void): Promise<Inventory> => {
    const host = new FakeHost();
    try {
      install(host, plain ? [plain] : []);
      change(host);
      const shell = host.shell();
      shell.without = without;
      return await hostOver(shell, context).inventory();
    } finally {
      host.remove();
    }
  };

  it('without stat are measured by ls and du; without du the allocation is null', async () => {
    const withDu = await withHost(['stat'], () => undefined);
    expect(withDu.vms[0]?.disks[0]).toMatchObject({ capacity_bytes: 1024 ** 2, allocated_bytes: 0 });
    expect(withDu.vms[0]?.facts.diskProblems).toEqual({});
    const without = await withHost(['stat', 'du'], () => undefined);
    expect(without.vms[0]?.disks[0]).toMatchObject({ capacity_bytes: 1024 ** 2, allocated_bytes: null });
    expect(without.vms[0]?.facts.diskProblems).toEqual({});
  });

  it('whose esxcli fails give what vim-cmd knows', async () => {
    const fails = 'Connect to localhost failed: Connection failure.\n';
    const { datastores, networks, vms, host } = await withHost([], (fake) => {
      for (const command of ['storage filesystem list', 'network vswitch standard portgroup list']) {
        fake.answer(`esxcli --formatter=csv ${command}`, fails, { exitCode: 1 });
      }
      for (const what of ['system version get', 'system hostname get', 'hardware platform get']) {
        fake.answer(`esxcli ${what}`, fails, { exitCode: 1 });
      }
      fake.answer(
        'vim-cmd hostsvc/datastore/listsummary',
        `(vim.Datastore.Summary) [\n   (vim.Datastore.Summary) {\n      name = "${DS1.name}",\n      url = "/vmfs/volumes/${DS1.uuid}",\n      capacity = 10,\n      freeSpace = 5,\n      accessible = true,\n      type = "VMFS"\n   }\n]\n`,
      );
      fake.answer(
        'vim-cmd hostsvc/net/info',
        `(vim.host.NetworkInfo) {\n   portgroup = (vim.host.PortGroup) [\n      (vim.host.PortGroup) {\n         spec = (vim.host.PortGroup.Specification) {\n            name = "VM Network",\n            vlanId = 7,\n            vswitchName = "vSwitch0"\n         }\n      }\n   ]\n}\n`,
      );
      fake.answer(
        'vim-cmd hostsvc/hostsummary',
        `(vim.host.Summary) {\n   hardware = (vim.host.Summary.HardwareSummary) {\n      uuid = "30313436-3631-5A43-4A39-313330343031"\n   },\n   config = (vim.host.Summary.ConfigSummary) {\n      name = "esx2",\n      product = (vim.AboutInfo) {\n         name = "VMware ESXi",\n         version = "6.5.0",\n         build = "5969303"\n      }\n   }\n}\n`,
      );
    });
    expect(datastores).toEqual([{ name: DS1.name, uuid: DS1.uuid, type: 'VMFS', capacity_bytes: 10, free_bytes: 5 }]);
    expect(networks).toEqual([{ name: 'VM Network', vlan_id: 7, vswitch: 'vSwitch0' }]);
    expect(host).toMatchObject({
      name: 'esx2',
      version: '6.5.0',
      build: '5969303',
      uuid: '30313436-3631-5a43-4a39-313330343031',
    });
    expect(vms[0]?.vmx_path).toBe(`[datastore1] ${plain?.name ?? ''}/${plain?.name ?? ''}.vmx`);
  });

  it('that tell all policies at once are not asked for each port group', async () => {
    const host = new FakeHost();
    try {
      const nics = ['VM Network', 'DMZ VLAN/20'].flatMap((name, i) => [
        `ethernet${i}.present = "TRUE"`,
        `ethernet${i}.networkName = "${name}"`,
      ]);
      install(host, [{ id: 1, name: 'a', vmx: nics }]);
      const group = (name: string, promiscuous: boolean) => ({
        $: 'vim.host.PortGroup',
        computedPolicy: {
          $: 'vim.host.NetworkPolicy',
          security: { $: 'vim.host.NetworkPolicy.SecurityPolicy', allowPromiscuous: promiscuous },
        },
        spec: { $: 'vim.host.PortGroup.Specification', name, vlanId: 1, vswitchName: 'vSwitch0' },
      });
      const groups = [group('VM Network', true), group('DMZ VLAN/20', false), group("it's $(trunk)", false)];
      host.answer('vim-cmd hostsvc/net/info', `${print({ $: 'vim.host.NetworkInfo', portgroup: groups })}\n`);
      const shell = host.shell();
      const { vms } = await hostOver(shell, context).inventory();
      expect(vms[0]?.facts.promiscuousNics).toEqual(['ethernet0']);
      expect(shell.commands.join('')).not.toContain('policy security get');
    } finally {
      host.remove();
    }
  });

  it('that know no get.summary still list their VMs', async () => {
    const { vms } = await withHost([], (fake) => {
      fake.answer('vim-cmd vmsvc/get.summary 1', "Invalid command 'get.summary'.\n", { exitCode: 1 });
      fake.answer('vim-cmd vmsvc/snapshot.get 1', '', { exitCode: 1 });
    });
    expect(vms[0]).toMatchObject({
      id: '1',
      power_state: null,
      name: plain?.name,
      guest_id: 'ubuntu64Guest',
      snapshots: 0,
    });
  });

  it('that have no VMs are empty; that give no list are an error', async () => {
    const header = 'Vmid    Name   File   Guest OS   Version   Annotation\n';
    expect((await withHost([], (fake) => fake.answer('vim-cmd vmsvc/getallvms', header))).vms).toEqual([]);
    for (const text of ['', 'Failed to login: Connection refused\n']) {
      await expect(
        withHost([], (fake) => fake.answer('vim-cmd vmsvc/getallvms', text, { exitCode: 1 })),
      ).rejects.toMatchObject({ code: 'esxi.no_inventory' });
    }
  });
});
