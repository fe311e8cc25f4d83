import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { login, uploaded, volume, type Answer, type Client } from './client.js';
import { startCloud } from './index.js';
import type { EmbeddedCloud } from './index.js';

let cloud: EmbeddedCloud;
let directory: string;
let lab: Client;
let flavor: string;
let net: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
  cloud = await startCloud({ directory });
  lab = await login(cloud);
  const flavors = (await lab.compute('GET', '/flavors')).body.flavors;
  flavor = flavors.find((one) => one.name === 'lab.tiny')?.id ?? '';
  net = (await lab.network('GET', '/networks?name=lab-net')).body.networks[0].id;
});
afterEach(() => {
  cloud.settings.serverOutcome = 'ok';
  cloud.settings.console = 'auto';
});
afterAll(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A disk whose first sector a BIOS starts. */
function bootSector(): Buffer {
  const bytes = randomBytes(512);
  bytes.fill(0, 446, 510);
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

const bootVolume = async (properties: object = {}, bytes = bootSector()) =>
  volume(cloud, lab, { imageRef: await uploaded(lab, bytes, { hw_disk_bus: 'scsi', ...properties }) });
const disk = (id: string, boot_index = 0, delete_on_termination = false) => ({
  uuid: id,
  source_type: 'volume',
  destination_type: 'volume',
  boot_index,
  delete_on_termination,
});
const create = (fields: object, version = '2.93'): Promise<Answer> =>
  lab.compute('POST', '/servers', {
    json: { server: { name: 'web01', flavorRef: flavor, networks: 'none', ...fields } },
    version,
  });
const show = async (id: string, version = '2.93') =>
  (await lab.compute('GET', `/servers/${id}`, { version })).body.server;
const console = (id: string) =>
  lab.compute('POST', `/servers/${id}/action`, { json: { 'os-getConsoleOutput': { length: null } } });

describe('Nova', () => {
  it('runs a server from two volumes on a port with a kept MAC, and gives all back when it goes', async () => {
    const boot = await bootVolume();
    const data = await volume(cloud, lab);
    const fixed = { mac_address: '00:0c:29:aa:bb:cc', fixed_ips: [{ ip_address: '10.177.0.10' }] };
    const port = (await lab.network('POST', '/ports', { json: { port: { network_id: net, ...fixed } } })).body.port.id;
    cloud.settings.delays.server = 600;
    const made = await create({
      networks: [{ port }],
      key_name: 'lab-key',
      metadata: { stackferry_run: 'r1' },
      block_device_mapping_v2: [disk(boot), disk(data, -1)],
      hostname: 'web01',
    });
    expect(made.status).toBe(202);
    const { id } = made.body.server;
    expect(made.headers.get('location')).toBe(`${cloud.url}/compute/v2.1/servers/${id}`);
    expect(await show(id)).toMatchObject({ status: 'BUILD', 'OS-EXT-STS:vm_state': 'building', image: '' });
    expect((await lab.volume('GET', `/volumes/${boot}`)).body.volume.status).toBe('reserved');
    expect((await console(id)).status).toBe(409);
    cloud.settings.delays.server = 30;
    await cloud.settled();
    expect(await show(id)).toMatchObject({
      status: 'ACTIVE',
      metadata: { stackferry_run: 'r1' },
      flavor: { original_name: 'lab.tiny', vcpus: 1, ram: 256 },
      addresses: { 'lab-net': [{ addr: '10.177.0.10', version: 4, 'OS-EXT-IPS-MAC:mac_addr': '00:0c:29:aa:bb:cc' }] },
      'os-extended-volumes:volumes_attached': [
        { id: boot, delete_on_termination: false },
        { id: data, delete_on_termination: false },
      ],
      'OS-EXT-SRV-ATTR:hostname': 'web01',
    });
    const attached = (await lab.volume('GET', `/volumes/${data}`)).body.volume;
    expect(attached).toMatchObject({ status: 'in-use', attachments: [{ server_id: id, device: '/dev/sdb' }] });
    expect((await lab.network('GET', `/ports/${port}`)).body.port).toMatchObject({
      status: 'ACTIVE',
      device_id: id,
      device_owner: 'compute:nova',
    });
    expect((await console(id)).body.output).toMatch(/\nweb01 login: $/);
    expect((await lab.compute('DELETE', `/servers/${id}`)).status).toBe(204);
    await cloud.settled();
    expect((await lab.compute('GET', `/servers/${id}`)).status).toBe(404);
    expect((await lab.volume('GET', `/volumes/${boot}`)).body.volume.status).toBe('available');
    expect((await lab.network('GET', `/ports/${port}`)).body.port).toMatchObject({ status: 'DOWN', device_id: '' });
  });

  it('deletes a volume with its server only where that was asked for', async () => {
    const boot = await bootVolume();
    const made = await create({ block_device_mapping_v2: [disk(boot, 0, true)] });
    await cloud.settled();
    await lab.compute('DELETE', `/servers/${made.body.server.id}`);
    await cloud.settled();
    expect((await lab.volume('GET', `/volumes/${boot}`)).status).toBe(404);
  });

  it('says on the console what a firmware finds', async () => {
    const output = async (properties: object, bytes?: Buffer) => {
      const made = await create({ block_device_mapping_v2: [disk(await bootVolume(properties, bytes))] });
      await cloud.settled();
      return (await console(made.body.server.id)).body.output;
    };
    expect(await output({}, randomBytes(512).fill(0, 510))).toContain('No bootable device.');
    expect(await output({ hw_firmware_type: 'uefi' })).toContain('BdsDxe: No bootable option or device was found.');
    const efi = bootSector();
    efi[446 + 4] = 0xef;
    expect(await output({ hw_firmware_type: 'uefi' }, efi)).toContain('login: ');
    cloud.settings.console = { text: 'Kernel panic - not syncing' };
    expect(await output({})).toBe('Kernel panic - not syncing');
    cloud.settings.console = 'unsupported';
    const made = await create({ block_device_mapping_v2: [disk(await bootVolume())] });
    await cloud.settled();
    expect((await console(made.body.server.id)).status).toBe(501);
  });

  it('shows the fault of a server that could not be built; its volumes stay taken until it is deleted', async () => {
    cloud.settings.serverOutcome = 'error';
    const boot = await bootVolume();
    const { id } = (await create({ block_device_mapping_v2: [disk(boot)] })).body.server;
    await cloud.settled();
    expect(await show(id)).toMatchObject({
      status: 'ERROR',
      fault: { code: 500, message: expect.stringMatching(/^No valid host/) as string },
    });
    expect((await lab.volume('GET', `/volumes/${boot}`)).body.volume.status).toBe('reserved');
    await lab.compute('DELETE', `/servers/${id}`);
    await cloud.settled();
    expect((await lab.volume('GET', `/volumes/${boot}`)).body.volume.status).toBe('available');
  });

  const UNKNOWN = '7a0b1c2d-0000-4000-8000-000000000001';
  it.each<[string, object, number, RegExp]>([
    ['an unknown key', { foo: 1 }, 400, /Additional properties are not allowed \('foo' was unexpected\)/],
    ['a key of a later version', { hypervisor_hostname: 1 }, 400, /Additional properties/],
    ['an unknown port', { networks: [{ port: UNKNOWN }] }, 400, /Port id .* could not be found/],
    ['an unknown network', { networks: [{ uuid: UNKNOWN }] }, 400, /Network .* could not be found/],
    ['an unknown flavor', { flavorRef: UNKNOWN }, 400, /Flavor .* could not be found/],
    ['an unknown key pair', { key_name: 'nope' }, 400, /Invalid key_name provided/],
    ['an unknown zone', { availability_zone: 'nope' }, 400, /The requested availability zone is not available/],
    ['metadata that is no text', { metadata: { a: 1 } }, 400, /1 is not of type 'string'/],
    ['an empty name', { name: '' }, 400, /'' is too short/],
    ['a host name with a space', { hostname: 'a b' }, 400, /does not match/],
    ['no disk 0', { block_device_mapping_v2: 'one' }, 400, /Boot sequence for the instance/],
    ['an unknown volume', { block_device_mapping_v2: 'unknown' }, 400, /failed to get volume/],
  ])('refuses %s', async (_, fields, status, message) => {
    const id = await bootVolume();
    const wanted = (fields as { block_device_mapping_v2?: string }).block_device_mapping_v2;
    const mapping = wanted === 'one' ? disk(id, 1) : disk(wanted === 'unknown' ? UNKNOWN : id);
    const before = cloud.inventory();
    const answer = await create(
      { ...fields, block_device_mapping_v2: [mapping] },
      'hostname' in fields ? '2.90' : '2.73',
    );
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toMatch(message);
    expect(cloud.inventory()).toEqual(before);
  });

  it('refuses a volume that is not bootable or taken, a port in use, and hardware it does not know', async () => {
    const blank = await volume(cloud, lab);
    expect((await create({ block_device_mapping_v2: [disk(blank)] })).body.badRequest.message).toBe(
      `Block Device ${blank} is not bootable.`,
    );
    const odd = await bootVolume({ hw_scsi_model: 'pvscsi' });
    expect((await create({ block_device_mapping_v2: [disk(odd)] })).body.badRequest.message).toBe(
      'Invalid image metadata. Error: Field value pvscsi is invalid',
    );
    const boot = await bootVolume();
    const port = (await lab.network('POST', '/ports', { json: { port: { network_id: net } } })).body.port.id;
    expect((await create({ networks: [{ port }], block_device_mapping_v2: [disk(boot)] })).status).toBe(202);
    const other = await bootVolume();
    const inUse = await create({ networks: [{ port }], block_device_mapping_v2: [disk(other)] });
    expect([inUse.status, inUse.body.conflictingRequest.message]).toEqual([409, `Port ${port} is still in use.`]);
    const free = await volume(cloud, lab);
    const taken = await create({ block_device_mapping_v2: [disk(other), disk(free, -1), disk(boot, -1)] });
    expect(taken.body.badRequest.message).toMatch(/^Invalid volume: Invalid input received: Invalid volume: Volume/);
    // What was reserved before the refusal is free again.
    for (const id of [other, free])
      expect((await lab.volume('GET', `/volumes/${id}`)).body.volume.status).toBe('available');
    await cloud.settled();
  });

  it('words the quota as Nova does, with 403', async () => {
    const poor = await login(cloud, 'lab-poor');
    Object.assign(cloud.quotas('lab-poor'), { cores: 1, ram: 512 });
    const image = await uploaded(poor, bootSector());
    const boot = await volume(cloud, poor, { imageRef: image });
    const flavors = (await lab.compute('GET', '/flavors')).body.flavors;
    const flavorRef = flavors.find((one) => one.name === 'SCS-2V-4')?.id;
    const json = { server: { name: 'x', flavorRef, networks: 'none', block_device_mapping_v2: [disk(boot)] } };
    const answer = await poor.compute('POST', '/servers', { json, version: '2.93' });
    expect(answer.status).toBe(403);
    expect(answer.body.forbidden.message).toBe(
      'Quota exceeded for cores, ram: Requested 2, 4096, but already used 0, 0 of 1, 512 cores, ram',
    );
  });

  it('makes boot volume and port itself where it is asked to', async () => {
    const image = await uploaded(lab, bootSector());
    const mapping = { uuid: image, source_type: 'image', destination_type: 'volume', volume_size: 1, boot_index: 0 };
    const made = await create({ networks: [{ uuid: net }], block_device_mapping_v2: [mapping] });
    const { id } = made.body.server;
    await cloud.settled();
    const server = await show(id);
    expect(server.status).toBe('ACTIVE');
    const ports = await lab.network('GET', `/ports?device_id=${id}`);
    expect(ports.body.ports).toHaveLength(1);
    await lab.compute('DELETE', `/servers/${id}`);
    await cloud.settled();
    expect((await lab.network('GET', `/ports?device_id=${id}`)).body.ports).toEqual([]);
  });

  it('stops, starts, attaches, detaches', async () => {
    const { id } = (await create({ block_device_mapping_v2: [disk(await bootVolume())] })).body.server;
    await cloud.settled();
    const act = (body: object) => lab.compute('POST', `/servers/${id}/action`, { json: body });
    expect((await act({ 'os-start': null })).status).toBe(409);
    expect((await act({ 'os-stop': null })).status).toBe(202);
    await cloud.settled();
    expect((await show(id)).status).toBe('SHUTOFF');
    expect((await act({ 'os-start': null })).status).toBe(202);
    await cloud.settled();
    const data = await volume(cloud, lab);
    const base = `/servers/${id}/os-volume_attachments`;
    const attached = await lab.compute('POST', base, { json: { volumeAttachment: { volumeId: data } } });
    expect(attached.body.volumeAttachment).toMatchObject({ volumeId: data, device: '/dev/sdb' });
    await cloud.settled();
    expect((await lab.volume('GET', `/volumes/${data}`)).body.volume.status).toBe('in-use');
    expect((await lab.compute('GET', base)).body.volumeAttachments).toHaveLength(2);
    expect((await lab.compute('DELETE', `${base}/${data}`)).status).toBe(202);
    await cloud.settled();
    expect((await lab.volume('GET', `/volumes/${data}`)).body.volume.status).toBe('available');
  });

  it('lists by name (a regular expression) and not by metadata, in pages', async () => {
    for (const name of ['list-a', 'list-b', 'list-c']) {
      await create({ name, metadata: { list: name }, block_device_mapping_v2: [disk(await bootVolume())] });
    }
    await cloud.settled();
    const names = async (query: string) =>
      (await lab.compute('GET', `/servers/detail?${query}`)).body.servers.map((one) => one.name);
    expect(await names('name=list-b')).toEqual(['list-b']);
    expect(await names(`name=list&metadata=${encodeURIComponent('{"list": "list-b"}')}`)).toHaveLength(3);
    const first = await lab.compute('GET', '/servers?name=list&limit=2');
    const { href } = first.body.servers_links[0] as { href: string };
    const rest = await lab.compute('GET', `/servers${new URL(href).search}`);
    expect(rest.body.servers).toHaveLength(1);
    expect((await lab.compute('GET', '/servers/detail?all_tenants=1')).status).toBe(403);
  });

  it('speaks versions: extra_specs with 2.61, the flavor inside the server with 2.47, 406 above 2.93', async () => {
    const specs = async (version: string) =>
      (await lab.compute('GET', '/flavors/detail', { version })).body.flavors.find((one) => one.name === 'SCS-2V-4-20s')
        ?.extra_specs;
    expect(await specs('2.61')).toEqual({
      'scs:name-v1': 'SCS-2V:4:20s',
      'scs:name-v2': 'SCS-2V-4-20s',
      'scs:cpu-type': 'shared-core',
      'scs:disk0-type': 'ssd',
    });
    expect(await specs('2.60')).toBeUndefined();
    const refused = await lab.compute('GET', '/servers', { version: '2.94' });
    expect(refused.status).toBe(406);
    expect(refused.body.computeFault.message).toBe(
      'Version 2.94 is not supported by the API. Minimum is 2.1 and maximum is 2.93.',
    );
    expect((await fetch(`${cloud.url}/compute/v2.1/`)).status).toBe(200);
  });
});
