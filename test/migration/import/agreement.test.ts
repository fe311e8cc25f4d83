import { readFile, rm, writeFile } from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/index.js';
import { openHost, type VmRecord } from '../../../src/esxi/index.js';
import type { PackageAddress } from '../../../src/migration/import/address.js';
import { openImport } from '../../../src/migration/import/open.js';
import { findingsOf } from '../../../src/migration/findings/index.js';
import { STREAM_OPTIMIZED, diskItem, item, ovf, virtualSystem } from '../../convert/ovf/texts.js';
import { MIB, buildTree, startHost, vm, type BuiltTree, type EmbeddedHost } from '../../lab/esxi/index.js';
import { streamOptimized } from '../../support/import-files.js';
import { recordingContext } from '../../support/recording-context.js';

/** One machine, read from its host over SSH, from a copy of its folder, and from an OVF that says the same of it. */

const ctx = recordingContext();
let dir: string;
let tree: BuiltTree;
let host: EmbeddedHost;
let fromHost: VmRecord[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-agreement-'));
  const disks = [{ sizeBytes: 9 * MIB, mbr: true }, { sizeBytes: 5 * MIB }];
  tree = await buildTree(join(dir, 'tree'), {
    vms: [
      vm({ name: 'web01', cpus: 2, memoryMib: 2048, guestId: 'debian11_64Guest', disks }),
      vm({ name: 'efi01', firmware: 'efi', cpus: 4, memoryMib: 1024, guestId: 'rhel9_64Guest', disks: [{ sizeBytes: 8 * MIB }] }),
      vm({ name: 'snap01', cpus: 1, memoryMib: 512, disks: [{ sizeBytes: 8 * MIB, mbr: true }], snapshots: [{ name: 'one' }] }),
    ],
  }); // prettier-ignore
  host = await startHost({ tree });
  const { host: name, port, user, password, fingerprint } = host;
  const files = { knownHostsFiles: [], rememberIn: join(dir, 'known_hosts') };
  const how = { insecure: false, legacy: false, maxConnections: 4 };
  const target = {
    host: name,
    port,
    user,
    password: () => Promise.resolve(new Secret(password)),
    fingerprint,
    ...files,
    ...how,
  };
  const opened = await openHost(target, ctx);
  fromHost = (await opened.inventory()).vms;
  await opened.close();
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

function ofHost(name: string): VmRecord {
  const found = fromHost.find((one) => one.name === name);
  if (!found) throw new Error(`no VM ${name}`);
  return found;
}

async function imported(path: string): Promise<VmRecord> {
  const address: PackageAddress = { given: [path], raw: false, cacert: null, hardware: null };
  const files = await openImport(address, { ctx, urls: new Map(), stdin: null, proxyFor: () => null });
  const [first, ...more] = (await files.inventory()).vms;
  await files.close();
  expect(more).toEqual([]);
  if (!first) throw new Error(`no VM in ${path}`);
  return first;
}

/** What only one of the two ways can tell is left out: ids, places, what a datastore holds, and VLANs. */
function told(record: VmRecord): unknown {
  const { id, vmx_path: path, disks, nics, facts, ...rest } = record;
  const { diskDatastores, vmxDatastore, toolsRunning, toolsInstalled, promiscuousNics, ...known } = facts;
  expect([id, path, diskDatastores, vmxDatastore, toolsRunning, toolsInstalled, promiscuousNics]).toHaveLength(7);
  return {
    ...rest,
    facts: known,
    disks: disks.map(({ allocated_bytes: held, ...disk }) => ({
      ...disk,
      held: held !== null,
      path: basename(disk.path ?? '').replace(/^.*:/, ''),
      chain: disk.chain.map((file) => basename(file)),
    })),
    nics: nics.map((nic) => ({ ...nic, vlan_id: null })),
  };
}

describe('the folder of a VM', () => {
  it.each(['web01', 'efi01', 'snap01'])('%s says what its host says', async (name) => {
    const record = await imported(tree.vm(name).vmxFile);
    expect(told(record)).toEqual(told(ofHost(name)));
    expect(record.snapshots).toBe(name === 'snap01' ? 1 : 0);
    expect(findingsOf(record, { host: noHost, datastores: [], networks: [], vms: [record], skipped: [] })
      .filter(({ severity }) => severity === 'blocker')).toEqual([]); // prettier-ignore
  });
});

const noHost = { name: null, product: null, version: null, build: null, uuid: null, license: null };

describe('an OVF', () => {
  it('says what the host says of the hardware', async () => {
    const record = ofHost('web01');
    const disks = record.disks.map((_, index) => `<Disk ovf:capacity="${(record.disks[index]?.capacity_bytes ?? 0) / MIB}" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="d${index}" ovf:fileRef="f${index}" ovf:format="${STREAM_OPTIMIZED}"/>`); // prettier-ignore
    const [nic] = record.nics;
    const hardware = [
      item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: record.cpus ?? 0 }),
      item({ InstanceID: 2, AllocationUnits: 'byte * 2^20', ResourceType: 4, VirtualQuantity: record.memory_mib ?? 0 }),
      item({ InstanceID: 3, Address: 0, ResourceType: 6, ResourceSubType: 'VirtualSCSI' }),
      ...record.disks.map((_, index) => diskItem(index, `d${index}`)),
      item({ InstanceID: 50, ResourceType: 10, ResourceSubType: 'VmxNet3', Connection: nic?.network ?? '', Address: nic?.mac ?? '' }),
    ].join(''); // prettier-ignore
    const system = `<OperatingSystemSection ovf:id="96" vmw:osType="${record.guest_id}"><Info>Guest</Info></OperatingSystemSection>`;
    const text = ovf({
      files: record.disks.map((_, index) => `<File ovf:href="${index}.vmdk" ovf:id="f${index}"/>`).join(''),
      disks: disks.join(''),
      content: virtualSystem('web01', { hardware, system, hardwareType: record.hardware_version ?? '' }),
    });
    await writeFile(join(dir, 'web01.ovf'), text);
    for (const [index, { capacity_bytes: bytes }] of record.disks.entries()) {
      await writeFile(join(dir, `${index}.vmdk`), await streamOptimized(dir, Buffer.alloc(bytes ?? 0)));
    }
    const own = await imported(join(dir, 'web01.ovf'));
    const same = ['name', 'annotation', 'guest_id', 'hardware_version', 'power_state', 'cpus', 'cores_per_socket', 'memory_mib', 'firmware', 'secure_boot', 'vtpm', 'encrypted'] as const; // prettier-ignore
    for (const field of same) expect(own[field], field).toEqual(record[field]);
    expect(
      own.disks.map(({ label, controller, capacity_bytes: bytes, mode }) => [label, controller, bytes, mode]),
    ).toEqual(
      record.disks.map(({ label, controller, capacity_bytes: bytes, mode }) => [label, controller, bytes, mode]),
    );
    expect(own.nics).toEqual(record.nics.map((one) => ({ ...one, vlan_id: null, ip_addresses: [] })));
    expect(await readFile(join(dir, 'web01.ovf'), 'utf8')).toBe(text);
  });
});
