import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MIB, ODD_DATASTORE, ODD_NAME, manyVms, sampleHost, vm, type VmSpec } from '../lab/esxi/index.js';
import {
  addressIn,
  counts,
  diskReads,
  expectSourceBytes,
  migrateArgs,
  ONE_OF_EACH,
  resultOf,
  smallVm,
  usePeers,
  type Lab,
  type LabOptions,
} from '../support/embedded.js';

/** VMs, hosts and projects that are not as in the guide. */

const disk = { sizeBytes: 8 * MIB, mbr: true };
const small = (name: string, more: Partial<VmSpec> = {}) =>
  vm({ name, cpus: 1, memoryMib: 256, guestId: 'debian11_64Guest', disks: [disk], ...more });

const peers = usePeers({
  ...sampleHost(),
  vms: [
    smallVm('web01'),
    small(ODD_NAME, { folder: 'web 01 (größe)', file: `it's "x" $(touch pwned)` }),
    small('twin', { folder: 'twin' }),
    small('twin', { folder: 'twin_1', disks: [{ ...disk, sizeBytes: 6 * MIB }] }),
    small('snap-se', { snapshots: [{ name: 'before' }, { name: 'after', state: 'on' }] }),
    small('snap-cowd', { datastore: ODD_DATASTORE, snapshots: [{ name: 'one' }, { name: 'two' }] }),
    small('spread', {
      disks: [disk, { sizeBytes: 4 * MIB, datastore: ODD_DATASTORE, folder: 'data disks/für spread' }],
    }),
    small('efi', { firmware: 'efi', secureBoot: true, guestId: 'windows9Server64Guest', coresPerSocket: 2, cpus: 4 }),
    small('no-nic', { nics: [] }),
    small('three-nics', {
      nics: [{ network: 'VM Network' }, { network: 'prod (20)', mac: '00:50:56:aa:bb:01' }, { network: 'VM Network' }],
    }),
    small('bare', { disks: [] }),
    small('rdm', { disks: [disk, { sizeBytes: 64 * MIB, rdm: 'physical' }] }),
    small('lost-extent', { disks: [disk, { sizeBytes: 4 * MIB, fault: 'missing-extent' }] }),
    small('lost-parent', { disks: [{ ...disk, fault: 'missing-parent' }], snapshots: [{ name: 'only' }] }),
    small('running', {
      power: 'on',
      tools: 'running',
      nics: [{ network: 'VM Network', ipAddresses: ['192.0.2.21', 'fe80::1'] }],
    }),
    small('refused', { power: 'on', tools: 'running' }),
    small('no-tools', { power: 'on', tools: 'none' }),
    small('stubborn', { power: 'on', tools: 'stuck' }),
    small('asleep', { power: 'suspended' }),
    small('giant', { cpus: 128, memoryMib: 4 * 1024 * 1024 }),
    small('garbage', { vmxFault: 'garbage' }),
    small('no-vmx', { vmxFault: 'missing' }),
    small('invalid', { invalid: true }),
  ],
});
const crowd = usePeers(manyVms(200));

const moved = { images: 1, volumes: 1, ports: 1, servers: 1 };

async function moves(lab: Lab, args: string[], vmName: string | number, made = moved) {
  const result = resultOf(await lab.run(args));
  expect(counts(lab)).toEqual(made);
  await expectSourceBytes(lab, vmName, result);
  return result;
}

/** A run that must end before anything is copied or made, with this exit code and these words. */
async function refuses(
  args: string[],
  code: number,
  words: RegExp,
  options: LabOptions & { env?: Record<string, string> } = {},
): Promise<Lab> {
  const lab = await peers.lab(options);
  const ended = await lab.run(args, options.env);
  expect(ended.code, ended.stderr).toBe(code);
  expect(ended.stderr).toMatch(words);
  expect(ended.stderr).not.toContain('(internal)');
  expect(diskReads(lab.host)).toEqual([]);
  expect(lab.cloud.changingRequests()).toEqual([]);
  return lab;
}

describe.concurrent('odd names', () => {
  test('run no command and arrive whole', async () => {
    const lab = await peers.lab();
    const result = await moves(lab, ['migrate', '--vm', ODD_NAME, '--network', '*=lab-net', '-f', 'json'], ODD_NAME);
    expect(result.vms[0]?.vm).toBe(ODD_NAME);
    expect(lab.cloud.state.servers[0]?.name).toBe(ODD_NAME);
    expect(lab.cloud.state.servers[0]?.metadata['stackferry_vm']).toBe(ODD_NAME);
    for (const place of [lab.tree.dir, lab.dir, process.cwd(), join(lab.stateDir, 'runs', result.run)]) {
      expect(existsSync(join(place, 'pwned')), place).toBe(false);
    }
    const back = await lab.run(['rollback', result.run, '--discard', ODD_NAME]);
    expect(back.code, back.stderr).toBe(0);
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
  });

  test('that two VMs share are told apart by id or uuid', async () => {
    const lab = await refuses(migrateArgs('twin'), 2, /twin \(id:\d+\).*twin \(id:\d+\)|id:\d+.*id:\d+/);
    const [first, second] = lab.tree.vms.filter((one) => one.name === 'twin');
    const result = await moves(lab, migrateArgs(`id:${second?.id ?? 0}`), second?.id ?? 0);
    expect(result.vms[0]).toMatchObject({ vm: 'twin', id: String(second?.id), volumes: [{ capacity_bytes: 6 * MIB }] });
    // The other twin is another VM, whatever its name.
    const other = resultOf(await lab.run(migrateArgs(`uuid:${first?.uuid.toUpperCase() ?? ''}`)));
    expect(other.run).not.toBe(result.run);
    expect(other.vms[0]).toMatchObject({ id: String(first?.id), volumes: [{ capacity_bytes: 8 * MIB }] });
  });

  test('of datastores and folders are no hindrance', async () => {
    const lab = await peers.lab();
    await moves(lab, migrateArgs('spread'), 'spread', { ...moved, images: 2, volumes: 2 });
  });
});

describe.concurrent('odd disks', () => {
  test.each(['snap-se', 'snap-cowd'])('%s: the whole chain arrives as the guest sees it', async (name) => {
    const lab = await peers.lab();
    await moves(lab, migrateArgs(name), name);
    const { stdout } = await lab.run(['inventory', '--vm', name, '-f', 'json']);
    const { vms } = JSON.parse(stdout) as { vms: { disks: { chain: string[] }[] }[] };
    expect(vms[0]?.disks[0]?.chain).toHaveLength(3);
  });

  test.each([
    ['rdm', /\(disk\.rdm_physical\)/],
    ['lost-extent', /\(disk\.missing\)/],
    ['lost-parent', /\(disk\.(missing|chain_broken)\)/],
    ['bare', /\(vm\.no_disk\)/],
    ['asleep', /\(vm\.suspended\)/],
  ])('%s is refused before a byte moves', async (name, words) => {
    await refuses(migrateArgs(name), 3, words);
  });

  test('a bad one may be left behind on purpose', async () => {
    for (const name of ['rdm', 'lost-extent']) {
      const lab = await peers.lab();
      const result = resultOf(await lab.run(migrateArgs(name, '--skip-disk', 'scsi0:1')));
      expect(result.vms[0]?.volumes).toHaveLength(1);
      expect(counts(lab)).toEqual(moved);
    }
    await refuses(migrateArgs('rdm', '--skip-disk', 'scsi0:9'), 2, /scsi0:9.*scsi0:0, scsi0:1/s);
  });
});

describe.concurrent('odd machines', () => {
  test('EFI with secure boot: the image says so', async () => {
    const lab = await peers.lab();
    const result = resultOf(await lab.run(migrateArgs('efi', '--wait-for', 'active')));
    expect(result.vms[0]?.boot).toEqual({ proved: false, by: 'active', seen: '' });
    expect(lab.cloud.state.images[0]?.properties).toMatchObject({
      hw_firmware_type: 'uefi',
      hw_machine_type: 'q35',
      os_secure_boot: 'optional',
      os_type: 'windows',
      hw_cpu_sockets: '2',
      hw_cpu_cores: '2',
    });
  });

  test('without a NIC there is a server without a port', async () => {
    const lab = await peers.lab();
    const result = await moves(lab, migrateArgs('no-nic'), 'no-nic', { ...moved, ports: 0 });
    expect(result.vms[0]?.ports).toEqual([]);
    await refuses(migrateArgs('no-nic', '--nic', 'ethernet0=lab-net'), 2, /\(nic\.unmapped\)/);
  });

  test('what the host cannot read is listed as skipped, and costs the others nothing', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(['inventory', '-f', 'json']);
    expect(ended.code, ended.stderr).toBe(0);
    const inventory = JSON.parse(ended.stdout) as {
      vms: { name: string; findings: { code: string; severity: string; remedy: string }[] }[];
      skipped: { id: string; name: string | null; reason: string }[];
    };
    expect(inventory.vms).toHaveLength(20);
    expect(inventory.skipped.map((item) => item.id).sort()).toEqual(
      ['garbage', 'no-vmx', 'invalid'].map((name) => String(lab.tree.vm(name).id)).sort(),
    );
    for (const item of inventory.skipped) expect(item.reason).not.toBe('');
    const blocked = inventory.vms.filter((one) => one.findings.some((item) => item.severity === 'blocker'));
    expect(blocked.map((one) => one.name)).toEqual([
      ...['bare', 'rdm', 'lost-extent', 'lost-parent', 'running', 'refused', 'no-tools', 'stubborn', 'asleep'],
    ]);
    for (const one of inventory.vms) for (const item of one.findings) expect(item.remedy, item.code).not.toBe('');
    await refuses(migrateArgs('garbage'), 3, /garbage/);
  });

  test('200 of them cost a dozen round trips', async () => {
    const lab = await crowd.lab();
    const start = Date.now();
    const ended = await lab.run(['inventory', '-f', 'json']);
    expect(ended.code, ended.stderr).toBe(0);
    expect((JSON.parse(ended.stdout) as { vms: unknown[] }).vms).toHaveLength(200);
    expect(lab.host.commands.length).toBeLessThanOrEqual(12);
    expect(lab.host.connectionCount).toBe(1);
    expect(Date.now() - start).toBeLessThan(60_000);
    const one = await lab.run(['inventory', '--vm', 'vm-19*', '--vm', 'vm-?77', '-f', 'json']);
    expect(one.code, one.stderr).toBe(0);
    const names = (JSON.parse(one.stdout) as { vms: { name: string }[] }).vms.map((item) => item.name);
    expect(names.sort()).toEqual([
      'vm-077',
      'vm-177',
      ...Array.from({ length: 10 }, (_, index) => `vm-${190 + index}`),
    ]);
  });
});

describe.concurrent('a running VM', () => {
  test('is refused, and shut down only where that is said', async () => {
    const lab = await refuses(migrateArgs('refused'), 3, /\(vm\.powered_on\)\n.*--power-off/);
    const yes = await lab.run(migrateArgs('refused', '--yes'));
    expect(yes.code).toBe(3);
    expect(await lab.tree.power('refused')).toBe('on');
  });

  test('--power-off shuts the guest down, and --keep-ip keeps what Tools told of it before', async () => {
    const lab = await peers.lab();
    const subnet = lab.cloud.state.subnets.find((one) => one.cidr === addressIn(lab, 'lab-net', 0) + '/24');
    if (!subnet) throw new Error('lab-net has no subnet of that size');
    Object.assign(subnet, {
      cidr: '192.0.2.0/24',
      gateway_ip: '192.0.2.1',
      allocation_pools: [{ start: '192.0.2.100', end: '192.0.2.199' }],
    });
    const result = await moves(lab, migrateArgs('running', '--power-off', '--keep-ip'), 'running');
    expect(result.vms[0]?.ports[0]?.ip_addresses).toEqual(['192.0.2.21']);
    expect(await lab.tree.power('running')).toBe('off');
    expect(lab.host.commands.some(({ command }) => command.includes('power.off'))).toBe(false);
  });

  test('without Tools: --power-off says so, --force-off pulls the plug', async () => {
    const lab = await peers.lab();
    const asked = await lab.run(migrateArgs('no-tools', '--power-off'));
    expect(asked.code, asked.stderr).toBe(3);
    expect(asked.stderr).toMatch(/\(vm\.tools_missing\)\n.*--force-off/);
    expect(await lab.tree.power('no-tools')).toBe('on');
    expect(diskReads(lab.host)).toEqual([]);
    await moves(lab, migrateArgs('no-tools', '--power-off', '--force-off'), 'no-tools');
    expect(await lab.tree.power('no-tools')).toBe('off');
  });

  test('that does not shut down in time stays on unless --force-off', async () => {
    const lab = await peers.lab();
    const asked = await lab.run(migrateArgs('stubborn', '--power-off', '--timeout-shutdown', '2'));
    expect(asked.code, asked.stderr).not.toBe(0);
    expect(asked.stderr).toContain('--force-off');
    expect(await lab.tree.power('stubborn')).toBe('on');
    expect(lab.cloud.changingRequests()).toEqual([]);
    await moves(lab, migrateArgs('stubborn', '--power-off', '--force-off', '--timeout-shutdown', '2'), 'stubborn');
  });
});

describe.concurrent('networks', () => {
  test('each NIC goes where it is told, in order, with its MAC', async () => {
    const lab = await peers.lab();
    const address = addressIn(lab, 'lab-net', 77);
    const result = await moves(
      lab,
      [
        ...['migrate', '--vm', 'three-nics', '--network', 'prod*=lab-provider', '--network', 'VM Network=lab-subnet'],
        ...['--nic', `ethernet2=lab-net,ip=${address},mac=fa:16:3e:00:00:42`, '-f', 'json'],
      ],
      'three-nics',
      { ...moved, ports: 3 },
    );
    const { state } = lab.cloud;
    const ports = result.vms[0]?.ports ?? [];
    const networks = ports.map((item) => {
      const port = state.ports.find((one) => one.id === item.port_id);
      return state.networks.find((one) => one.id === port?.network_id)?.name;
    });
    expect(networks).toEqual(['lab-net', 'lab-provider', 'lab-net']);
    expect(ports[2]).toMatchObject({ mac: 'fa:16:3e:00:00:42', ip_addresses: [address] });
    // A subnet was named, so the port has an address of that one alone.
    expect(ports[0]?.ip_addresses).toHaveLength(1);
    expect(state.servers[0]?.ports.map((one) => one.port_id)).toEqual(ports.map((port) => port.port_id));
  });

  test('--no-keep-mac takes new ones', async () => {
    const lab = await peers.lab();
    const result = resultOf(await lab.run(migrateArgs('web01', '--no-keep-mac')));
    expect(result.vms[0]?.ports[0]?.mac).toMatch(/^fa:16:3e:/);
    expect(result.vms[0]?.warnings.map(({ code }) => code)).toEqual(['cloud.default_security_group']);
  });

  test('a MAC that is taken is told; one that was asked for by name is not given up', async () => {
    const lab = await peers.lab();
    resultOf(await lab.run(migrateArgs('web01')));
    const mac = lab.cloud.state.ports.find((one) => one.tags.length > 0)?.mac_address ?? '';
    const second = resultOf(await lab.run(migrateArgs('web01', '--again')));
    expect(second.vms[0]?.ports[0]?.mac).not.toBe(mac);
    expect(second.vms[0]?.warnings.filter(({ code }) => code === 'cloud.mac_taken')).toHaveLength(1);
    const third = await lab.run(migrateArgs('web01', '--again', '--nic', `ethernet0=lab-net,mac=${mac}`));
    expect(third.code).toBe(3);
    expect(third.stderr).toContain('(cloud.mac_taken)');
    expect(counts(lab).servers).toBe(2);
  });

  test('an address that is taken is an error that says so', async () => {
    const lab = await peers.lab();
    const address = addressIn(lab, 'lab-net', 88);
    resultOf(await lab.run(migrateArgs('web01', '--nic', `ethernet0=lab-net,ip=${address}`)));
    const second = await lab.run(migrateArgs('web01', '--again', '--nic', `ethernet0=lab-net,ip=${address}`));
    expect(second.code).toBe(3);
    expect(second.stderr).toContain('(cloud.ip_taken)');
    expect(counts(lab).servers).toBe(1);
  });

  test.each([
    ['no network said', ['migrate', '--vm', 'web01'], /\(nic\.unmapped\)\n.*--network 'VM Network=/],
    [
      'an unknown network',
      ['migrate', '--vm', 'web01', '--network', 'VM Network=nowhere'],
      /"nowhere".*\(cloud\.no_network\)\n.*lab-net/,
    ],
    [
      'an address outside',
      migrateArgs('web01', '--nic', 'ethernet0=lab-net,ip=203.0.113.9'),
      /203\.0\.113\.9.*\(cloud\.ip_outside\)/,
    ],
    ['--keep-ip of a VM that is off', migrateArgs('web01', '--keep-ip'), /\(cloud\.ip_outside\)\n.*--nic ethernet0/],
    [
      'an unknown security group',
      migrateArgs('web01', '--security-group', 'nobody'),
      /"nobody".*\(cloud\.no_security_group\)\n.*web_ssh/,
    ],
    ['an unknown key', migrateArgs('web01', '--key-name', 'nobody'), /"nobody".*\(cloud\.no_keypair\)\n.*lab-key/],
    ['an unknown zone', migrateArgs('web01', '--zone', 'moon'), /"moon".*\(cloud\.zone_mismatch\)\n.*nova/],
    [
      'an unknown volume zone',
      migrateArgs('web01', '--volume-zone', 'moon'),
      /"moon".*\(cloud\.zone_mismatch\)\n.*nova/,
    ],
    [
      'an unknown volume type',
      migrateArgs('web01', '--volume-type', 'gold'),
      /"gold".*\(cloud\.volume_type\)\n.*lab-fast/,
    ],
    ['an unknown flavor', migrateArgs('web01', '--flavor', 'huge'), /"huge".*\(cloud\.no_flavor\)\n.*SCS-/],
    ['a VM that no flavor holds', migrateArgs('giant'), /\(cloud\.no_flavor\)/],
  ])('%s: exit 3 before anything is made', async (_what, args, words) => {
    await refuses(args, 3, words);
  });

  test('known ones of each kind are used', async () => {
    const lab = await peers.lab();
    const args = migrateArgs(
      ...['web01', '--key-name', 'lab-key', '--zone', 'nova', '--volume-type', 'lab-fast', '--flavor', 'SCS-2V-4'],
      ...['--security-group', 'web_ssh', '--security-group', 'lab-open', '--config-drive', '--name', 'renamed'],
    );
    await moves(lab, args, 'web01', ONE_OF_EACH);
    const { state } = lab.cloud;
    const [server] = state.servers;
    expect(server).toMatchObject({
      name: 'renamed',
      key_name: 'lab-key',
      config_drive: true,
      availability_zone: 'nova',
    });
    expect(state.flavors.find((one) => one.id === server?.flavor_id)?.name).toBe('SCS-2V-4');
    const fast = state.volumeTypes.find((type) => type.name === 'lab-fast')?.id;
    expect(state.volumes.map((one) => [one.name, one.volume_type_id])).toEqual([
      ['renamed-scsi0:0', fast],
      ['renamed-scsi0:1', fast],
    ]);
    expect(state.ports.find((one) => one.tags.length > 0)?.security_groups).toHaveLength(2);
  });
});

describe.concurrent('projects and accounts', () => {
  test('a quota that is too small stops it before a byte moves', async () => {
    const args = ['migrate', '--vm', 'web01', '--network', '*=lab-poor-net'];
    await refuses(args, 3, /\(cloud\.quota\)/, { credentials: 'lab-poor' });
  });

  test('a wrong password for the host is tried once', async () => {
    const env = { STACKFERRY_ESXI_PASSWORD: 'wrong' };
    const lab = await refuses(migrateArgs('web01'), 1, /\(esxi\.login_refused\)\n.*15 minutes/, { env });
    expect(lab.host.refusedLogins).toBe(1);
    expect(lab.host.connectionCount).toBe(1);
  });

  test('no password at all is asked for, and without a terminal named', async () => {
    await refuses(migrateArgs('web01'), 2, /STACKFERRY_ESXI_PASSWORD/, { env: { STACKFERRY_ESXI_PASSWORD: '' } });
  });

  test.each([
    ['a wrong password', { OS_PASSWORD: 'wrong' }, 1, /\(cloud\.unauthorized\)/],
    ['an unknown project', { OS_PROJECT_NAME: 'nowhere' }, 1, /nowhere.*\(cloud\.(unauthorized|scope)\)/],
    ['a project of others', { OS_PROJECT_NAME: 'admin' }, 1, /\(cloud\.(unauthorized|scope)\)/],
    ['an unknown region', { OS_REGION_NAME: 'Mars' }, 1, /Mars.*RegionOne/s],
    ['an unknown cloud', { OS_CLOUD: 'nowhere' }, 2, /nowhere.*\(config\.unknown_cloud\)/],
    ['no cloud at all', { OS_AUTH_URL: '' }, 2, /\(config\.\w+\)/],
  ])('%s of the cloud: a clear word, nothing made', async (_what, env, code, words) => {
    const lab = await refuses(migrateArgs('web01'), code, words, { env });
    const logins = lab.cloud.requests().filter((entry) => entry.service === 'identity' && entry.method === 'POST');
    expect(logins.length).toBeLessThanOrEqual(1);
  });

  test('an application credential will do', async () => {
    const lab = await peers.lab({ credentials: 'lab-appcred' });
    await moves(lab, migrateArgs('web01'), 'web01', ONE_OF_EACH);
  });
});
