import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Ended } from '../support/program.js';
import { volumeFile, type Row } from '../support/real-cloud.js';
import {
  MIGRATE,
  VM,
  cloudBench,
  contentHash,
  expectDone,
  firstMib,
  isZero,
  resultOf,
  sourceDisk,
  type VmResult,
} from './bench.js';

const GIB = 1024 ** 3;
const bench = cloudBench();

describe('migrate, from a real sshd into a real OpenStack', () => {
  let ended: Ended;
  let vm: VmResult & { run: string };
  let server: Row;
  let volumes: Row[];

  beforeAll(async () => {
    ended = await bench.run(MIGRATE);
    expectDone(ended);
    vm = resultOf(ended);
    server = await bench.cloud.show('server', vm.server_id ?? '');
    volumes = await Promise.all(vm.volumes.map(({ volume_id }) => bench.cloud.show('volume', volume_id)));
  });

  test('says that all is done, and how the guest was seen to boot', () => {
    expect(vm).toMatchObject({ vm: VM, state: 'done', error: null });
    expect(vm.volumes.map(({ label }) => label)).toEqual(['scsi0:0', 'scsi0:1']);
    expect(ended.stderr).toContain('console: "lab-guest login:"');
    expect(ended.stderr).toContain(`Undo: stackferry rollback ${vm.run}`);
  });

  test('gives a server that is ACTIVE and has nothing but Cinder volumes, none of which goes with it', () => {
    expect(server).toMatchObject({ name: VM, status: 'ACTIVE', image: '' });
    expect(server['os-extended-volumes:volumes_attached']).toEqual(
      vm.volumes.map(
        ({ volume_id }) => expect.objectContaining({ id: volume_id, delete_on_termination: false }) as unknown,
      ),
    );
    // 2 vCPU and 512 MiB: the smallest flavor with 2 vCPU is lab.medium, those with one do not count.
    expect(server['flavor']).toMatchObject({ original_name: 'lab.medium', vcpus: 2, ram: 2048, disk: 0 });
    expect(server['metadata']).toMatchObject({ stackferry_run: vm.run, stackferry_vm: VM });
  });

  test.each([0, 1])('disk %i: the bytes in the cloud are those of the source, and zeros behind them', async (index) => {
    const source = await sourceDisk(VM, index);
    const { volume_id, content_hash, capacity_bytes, size_gib } = vm.volumes[index] ?? {};
    const { size } = await stat(source);
    const hash = await contentHash(source, size);
    const file = volumeFile(volume_id ?? '');
    expect({ capacity_bytes, size_gib, content_hash }).toEqual({
      capacity_bytes: size,
      size_gib: 1,
      content_hash: hash,
    });
    expect((await stat(file)).size).toBe(GIB);
    expect(await contentHash(file, size)).toBe(hash);
    expect(await isZero(file, size, GIB)).toBe(true);
  });

  test('the volumes carry what Nova and SCS clouds read, and the first one boots', () => {
    expect(volumes.map((volume) => [volume['name'], volume['status'], volume['bootable'], volume['size']])).toEqual([
      ['web01-scsi0:0', 'in-use', 'true', 1],
      ['web01-scsi0:1', 'in-use', 'false', 1],
    ]);
    for (const volume of volumes) {
      expect(volume['volume_image_metadata']).toMatchObject({
        hw_disk_bus: 'scsi',
        hw_scsi_model: 'virtio-scsi',
        hw_vif_model: 'virtio',
        os_type: 'linux',
        os_distro: 'debian',
        os_version: '11',
        architecture: 'x86_64',
        min_disk: '1',
        image_source: 'private',
      });
      expect(volume['metadata']).toMatchObject({ stackferry_run: vm.run });
    }
  });

  test('the port is on the network that was named, with the MAC of the source and the group that was asked for', async () => {
    const [nic] = vm.ports;
    const port = await bench.cloud.show('port', nic?.port_id ?? '');
    const [network] = (await bench.cloud.list('network')).filter((item) => item['name'] === 'lab-net');
    const [group] = (await bench.cloud.list('security_group')).filter((item) => item['name'] === 'web_ssh');
    expect(port).toMatchObject({
      status: 'ACTIVE',
      network_id: network?.id,
      security_groups: [group?.id],
      device_id: vm.server_id,
    });
    const inventory = await bench.run(['inventory', '--vm', VM, '-f', 'json']);
    const host = JSON.parse(inventory.stdout) as { vms: { nics: { mac: string }[] }[] };
    expect(port['mac_address']).toBe(host.vms[0]?.nics[0]?.mac);
    expect(nic?.mac).toBe(port['mac_address']);
    expect(nic?.ip_addresses).toEqual((port['fixed_ips'] as { ip_address: string }[]).map((ip) => ip.ip_address));
  });

  test('the guest sees both disks in order with the bytes of the source, its NIC, and its name', async () => {
    const console = await bench.cloud.console(vm.server_id ?? '');
    const seen = [...console.matchAll(/LAB-GUEST-DISK \w+ at=(\S+) bytes=(\d+) sha256_first_mib=([0-9a-f]{64})/g)];
    // In the order of their addresses on the bus, which Nova gives: Linux names them (sda, sdb) as its probes end.
    const disks = seen.map(([, at, bytes, sum]) => [at, Number(bytes), sum]).sort();
    expect(disks).toEqual([
      [expect.stringMatching(/^\d+:0:0:0$/), GIB, await firstMib(await sourceDisk(VM, 0))],
      [expect.stringMatching(/^\d+:0:0:1$/), GIB, await firstMib(await sourceDisk(VM, 1))],
    ]);
    const ipv4 = vm.ports[0]?.ip_addresses.find((ip) => ip.includes('.'));
    expect(console).toContain(`LAB-GUEST-NIC eth0 mac=${vm.ports[0]?.mac ?? ''} ip=${ipv4 ?? ''}/24`);
    expect(console).toMatch(/LAB-GUEST-METADATA hostname=web01\b/);
  });

  test('status and the report tell the same, and what was proved and what was not', async () => {
    const status = await bench.run(['status', vm.run, '-f', 'json']);
    expectDone(status);
    expect(JSON.parse(status.stdout)).toMatchObject(JSON.parse(ended.stdout) as object);
    const report = await readFile(join(bench.stateDir, 'runs', vm.run, 'report.json'), 'utf8');
    expect(JSON.parse(report)).toEqual({ version: 1, ...(JSON.parse(ended.stdout) as object) });
    const proof = (JSON.parse(ended.stdout) as { vms: { proof: unknown }[] }).vms[0]?.proof;
    expect(proof).toEqual(
      vm.volumes.map(({ label, content_hash }) => ({
        label,
        content_hash,
        image: 'equal',
        image_hash: expect.stringMatching(/^sha512:[0-9a-f]{128}$/) as string,
        compared: expect.stringContaining("of the bytes sent with Glance's") as string,
        volume: 'not read back',
      })),
    );
  });

  test('the same command again makes nothing', async () => {
    const again = await bench.run(MIGRATE);
    expectDone(again);
    expect(resultOf(again)).toMatchObject({ run: vm.run, server_id: vm.server_id });
    expect(again.stderr).toContain('nothing was made now');
    expect(await bench.made(vm.run)).toEqual({ server: 1, volume: 2, port: 1, image: 2 });
  });
});
