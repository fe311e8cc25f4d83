import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findDevice, machineIds } from '../../../src/openstack/attach/index.js';
import { failure } from '../support/connect.js';
import { tempFolders } from '../../support/temp-folder.js';

const tempFolder = tempFolders();
const VOLUME = '3b52a004-270f-4b18-a405-0701696cfe56';

interface Disk {
  /** File below /sys/block/NAME, and what is in it. */
  at?: string;
  says?: string | Buffer;
  sectors?: number;
  byId?: string;
}

/** Folders that look like /sys and /dev with these disks. */
async function roots(disks: Record<string, Disk>): Promise<{ sys: string; dev: string }> {
  const dir = await tempFolder();
  const [sys, dev] = [join(dir, 'sys'), join(dir, 'dev')];
  await mkdir(join(dev, 'disk/by-id'), { recursive: true });
  for (const [name, { at, says, sectors = 2097152, byId }] of Object.entries(disks)) {
    await mkdir(join(sys, 'block', name, 'device'), { recursive: true });
    await writeFile(join(sys, 'block', name, 'size'), `${sectors}\n`);
    if (at !== undefined) await writeFile(join(sys, 'block', name, at), says ?? '');
    await writeFile(join(dev, name), '');
    if (byId !== undefined) await symlink(`../../${name}`, join(dev, 'disk/by-id', byId));
  }
  return { sys, dev };
}

/** Page 80h of the vital product data, as the kernel shows it. */
function page80(serial: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0x80, 0, serial.length]), Buffer.from(serial, 'latin1')]);
}

test.each<[string, Disk]>([
  ['virtio: twenty characters of the id', { at: 'serial', says: VOLUME.slice(0, 20) }],
  ['virtio-scsi: page 80h with the whole id', { at: 'device/vpd_pg80', says: page80(VOLUME) }],
  ['virtio-scsi of an older qemu: cut off', { at: 'device/vpd_pg80', says: page80(VOLUME.slice(0, 20)) }],
  ['NVMe: padded with blanks', { at: 'device/serial', says: `${VOLUME.slice(0, 20)}    \n` }],
  ['udev alone knows it', { byId: `scsi-0QEMU_QEMU_HARDDISK_${VOLUME.slice(0, 20)}` }],
])('a volume is found by its serial, %s', async (_, disk) => {
  const where = await roots({ vda: { at: 'serial', says: 'root' }, vdb: disk });
  expect(await findDevice(VOLUME, where)).toEqual({ path: join(where.dev, 'vdb'), bytes: 1024 ** 3 });
});

test.each<[string, Record<string, Disk>]>([
  ['no disk has a serial', { vda: {}, vdb: {} }],
  ['another volume is there', { vdb: { at: 'serial', says: 'aaaaaaaa-270f-4b18-a' } }],
  ['a serial is too short to tell', { vdb: { at: 'serial', says: VOLUME.slice(0, 8) } }],
  ['only a partition carries the id', { vdb1: { byId: `virtio-${VOLUME.slice(0, 20)}-part1` } }],
  ['a page is cut off', { sdb: { at: 'device/vpd_pg80', says: Buffer.from([0, 0x80]) } }],
])('no disk is taken where %s', async (_, disks) => {
  expect(await findDevice(VOLUME, await roots(disks))).toBeNull();
});

test('two disks that say they are the volume: none is taken', async () => {
  const disk = { at: 'serial', says: VOLUME.slice(0, 20) };
  const error = await failure(findDevice(VOLUME, await roots({ vdb: disk, vdc: disk })));
  expect(error.code).toBe('cloud.attach_failed');
  expect(error.message).toContain('vdb, vdc');
});

test('what the firmware says of this machine counts only in the form of an id', async () => {
  const where = await roots({});
  const dmi = join(where.sys, 'class/dmi/id');
  await mkdir(dmi, { recursive: true });
  expect(await machineIds(where)).toEqual([]);
  await writeFile(join(dmi, 'product_uuid'), `${VOLUME.toUpperCase()}\n`);
  await writeFile(join(dmi, 'product_serial'), 'VMware-42 1d\n');
  expect(await machineIds(where)).toEqual([VOLUME]);
});
