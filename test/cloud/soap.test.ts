import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/core/index.js';
import { openApiHost, type ApiHost } from '../../src/esxi/soap/index.js';
import { SoapSession } from '../../src/esxi/soap/session.js';
import type { SoapTarget } from '../../src/esxi/soap/target.js';
import type { InventoryVm, InventoryWithFindings } from '../../src/migration/read-inventory.js';
import { recorder } from '../esxi/ssh/harness.js';
import { guideCommands, runGuide } from '../support/guide-blocks.js';
import { makeReader } from '../support/guide-reader.js';
import { run } from '../support/program.js';
import { labEnv } from './lab-env.js';
import { createVm } from './sim-vm.js';

/** The API's door against VMware's own simulator (`scripts/lab vcsim up`); its own client, govc, is the judge. */

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const VMS = ['web01', 'db01', 'asleep', 'spread', 'bare'];

/** What the simulator cannot show as the host does: see guides/transports.md. */
const DIFFERENCES = ['id', 'disks.allocated_bytes', 'nics.ip_addresses', 'findings'];

let dir: string;
let sim: Record<string, string>;
let overSsh: InventoryWithFindings;
let host: ApiHost;

const govc = async (...args: string[]) =>
  (await execute(sim['LAB_VCSIM_GOVC'] ?? '', args, { env: { ...process.env, ...sim }, timeout: 60_000 })).stdout;

function target(address = sim['STACKFERRY_ESXI'] ?? ''): SoapTarget {
  const [name = '', port = ''] = address.split(':');
  const password = new Secret(sim['STACKFERRY_ESXI_PASSWORD'] ?? '');
  const fingerprint = sim['STACKFERRY_ESXI_FINGERPRINT'] ?? '';
  return {
    host: name,
    port: Number(port),
    user: 'root',
    password: () => Promise.resolve(password),
    fingerprint,
    insecure: false,
  };
}

async function inventory(env: Record<string, string>, ...args: string[]): Promise<InventoryWithFindings> {
  const ended = await run(['inventory', '-f', 'json', ...args], { STACKFERRY_STATE_DIR: dir, ...env });
  expect(ended.stderr).toBe('');
  expect(ended.code).toBe(0);
  return JSON.parse(ended.stdout) as InventoryWithFindings;
}

async function emptySimulator(): Promise<void> {
  for (const path of (await govc('find', '/', '-type', 'm')).split('\n').filter((line) => line !== '')) {
    await govc('vm.destroy', path);
  }
}

/** Those of the host that the simulator does not have yet; each with its folder here. */
async function makeDatastores(names: readonly string[]): Promise<Map<string, string>> {
  const first = sim['LAB_VCSIM_DATASTORE'] ?? '';
  const there = (await govc('find', '/', '-type', 's')).split('\n').map((path) => basename(path));
  const folders = new Map<string, string>();
  for (const [index, name] of names.entries()) {
    const folder = name === 'datastore1' ? first : join(dirname(first), `more${index}`);
    folders.set(name, folder);
    if (there.includes(name)) continue;
    await mkdir(folder, { recursive: true });
    await govc('datastore.create', '-type', 'local', '-name', name, '-path', folder, 'localhost.localdomain');
  }
  return folders;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-soap-'));
  [sim, overSsh] = await Promise.all([labEnv('vcsim'), labEnv('esxi').then((env) => inventory(env))]);
  await emptySimulator();
  const there = await govc('host.portgroup.info', '-json');
  for (const { name, vlan_id } of overSsh.networks) {
    if (there.includes(JSON.stringify(name))) continue;
    await govc('host.portgroup.add', '-vswitch', 'vSwitch1', '-vlan', String(vlan_id ?? 0), name);
  }
  const folders = await makeDatastores(overSsh.datastores.map(({ name }) => name));
  const fileOf = (path: string) => {
    const [, datastore = '', rest = ''] = /^\[([^\]]*)\] (.*)$/.exec(path) ?? [];
    return join(folders.get(datastore) ?? '', rest);
  };
  const session = await SoapSession.open(target(), recorder().ctx);
  try {
    for (const name of VMS) {
      const vm = overSsh.vms.find((item) => item.name === name);
      if (!vm) throw new Error(`the lab's host has no ${name}`);
      await rm(dirname(fileOf(vm.vmx_path)), { recursive: true, force: true }); // of a run that was killed
      for (const path of vm.disks.map((disk) => disk.path ?? '')) {
        const file = fileOf(path);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, '# Disk DescriptorFile\n');
        await writeFile(file.replace(/\.vmdk$/, '-flat.vmdk'), '');
      }
      await createVm(session, recorder().ctx, vm);
    }
  } finally {
    await session.close();
  }
  host = await openApiHost(target(), recorder().ctx);
});
afterAll(async () => {
  await host.close();
  await emptySimulator();
  await rm(dir, { recursive: true, force: true });
});

/**
 * Every field but the named ones. The simulator leaves an empty annotation out, which a host gives as empty; and by the
 * API a vlance is a flexible adapter: only the .vmx tells them apart.
 */
function comparable(vm: InventoryVm): Record<string, unknown> {
  // No Tools run in the simulator, and its port groups have no policy.
  const unseen = ['vm.tools_missing', 'nic.promiscuous'];
  const without = (value: object, prefix: string) =>
    Object.fromEntries(Object.entries(value).filter(([key]) => !DIFFERENCES.includes(`${prefix}${key}`)));
  return {
    ...without(vm, ''),
    annotation: vm.annotation ?? '',
    findings: vm.findings
      .filter(({ code }) => !unseen.includes(code))
      .map(({ code, severity, subject }) => `${code} ${severity} ${subject}`),
    disks: vm.disks.map((disk) => without(disk, 'disks.')),
    nics: vm.nics.map((nic) => ({
      ...without(nic, 'nics.'),
      model: nic.model === 'vlance' ? 'flexible' : nic.model,
    })),
  };
}

describe('the same VM by both doors', () => {
  test.each(VMS)('%s is the same, field by field', async (name) => {
    const { vms } = await inventory(sim, '--vm', name);
    const same = overSsh.vms.find((vm) => vm.name === name);
    if (!same) throw new Error(`no ${name}`);
    expect(vms.map(comparable)).toEqual([comparable(same)]);
  });

  test('networks of the same names have the same VLANs', async () => {
    const { networks } = await inventory(sim);
    const vlans = (list: InventoryWithFindings['networks']) =>
      new Map(list.map(({ name, vlan_id }) => [name, vlan_id]));
    const [ours, theirs] = [vlans(networks), vlans(overSsh.networks)];
    for (const [name, vlan] of theirs) expect([name, ours.get(name)]).toEqual([name, vlan]);
  });
});

test('what govc says of a VM is what we say', async () => {
  const { vms } = await inventory(sim, '--vm', 'spread');
  const [vm] = vms;
  interface Info {
    VirtualMachines: {
      Config: { Uuid: string; Firmware: string; GuestId: string; Version: string };
      Summary: { Config: { NumCpu: number; MemorySizeMB: number; VmPathName: string } };
    }[];
  }
  const info = JSON.parse(await govc('vm.info', '-json', 'spread')) as Info;
  const [theirs] = info.VirtualMachines;
  expect(vm).toMatchObject({
    uuid: theirs?.Config.Uuid,
    firmware: theirs?.Config.Firmware,
    guest_id: theirs?.Config.GuestId,
    hardware_version: theirs?.Config.Version,
    cpus: theirs?.Summary.Config.NumCpu,
    memory_mib: theirs?.Summary.Config.MemorySizeMB,
    vmx_path: theirs?.Summary.Config.VmPathName,
  });
});

test('power and snapshots change as govc sees them', async () => {
  const id = async () => (await host.inventory({ only: ['web01'] })).vms[0]?.id ?? '';
  const vm = await id();
  expect(await host.powerState(vm)).toBe('off');
  await host.powerOff(vm); // already as wanted
  await host.powerOn(vm);
  await host.powerOn(vm);
  expect(await govc('vm.info', 'web01')).toMatch(/poweredOn/);
  const made = await host.createSnapshot(vm, { name: 'a & <b>', description: 'ours', quiesce: false });
  expect(await govc('snapshot.tree', '-vm', 'web01')).toContain('a & <b>');
  expect((await host.inventory({ only: ['web01'] })).vms[0]?.snapshots).toBe(1);
  await host.removeSnapshot(made);
  await host.removeSnapshot(made); // gone is gone
  expect((await govc('snapshot.tree', '-vm', 'web01')).trim()).toBe('');
  await host.shutdownGuest(vm);
  expect(await host.powerState(vm)).toBe('off');
  expect(await govc('vm.info', 'web01')).toMatch(/poweredOff/);
  await expect(host.powerState('vm-99999')).rejects.toMatchObject({ code: 'vm.not_found' });
});

test('a session that was ended under us is taken up again, and none is left behind', async () => {
  const ours = async () => (await govc('session.ls')).split('\n').filter((line) => line.includes('stackferry'));
  const own = await openApiHost(target(), recorder().ctx);
  const before = await ours();
  for (const line of before) await govc('session.rm', line.split(/\s+/)[0] ?? '');
  expect((await own.about()).product).toBe('VMware ESXi');
  const { code } = await run(['inventory'], { STACKFERRY_STATE_DIR: dir, ...sim });
  expect(code).toBe(0);
  expect(before.length).toBeGreaterThan(0);
  await own.close();
  expect(await ours()).toEqual([]);
});

test('a vCenter is read, too', async () => {
  const { host: record, vms } = await inventory({ ...sim, STACKFERRY_ESXI: sim['LAB_VCSIM_CENTER'] ?? '' });
  expect(record.product).toBe('VMware ESXi');
  expect(vms.map(({ name }) => name)).toEqual(['DC0_H0_VM0', 'DC0_H0_VM1']);
  expect(vms[0]?.id).toMatch(/^vm-\d+$/);
});

test('guides/transports.md: every command runs', async () => {
  const page = await readFile(join(ROOT, 'guides/transports.md'), 'utf8');
  const reader = await makeReader(dir);
  const ran = await runGuide(guideCommands(page), { env: { ...reader.env, ...sim }, cwd: dir });
  expect(ran.length).toBeGreaterThan(2);
});
