import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { orNothing, systemClock } from '../../src/core/index.js';
import { guideOf } from '../../src/migration/guide/index.js';
import { ServerDoor, clearAttachments, findDevice, thisServer } from '../../src/openstack/attach/index.js';
import { connectCloud, loadCloudConfig, type Cloud } from '../../src/openstack/index.js';
import { guideInput, volume } from '../migration/guide/sample-guide.js';
import { recordingContext } from '../support/recording-context.js';
import { CLOUDS_FILE } from '../support/real-cloud.js';
import { MIGRATE, cloudBench, expectDone, resultOf } from './bench.js';

/**
 * The door of a converter that is a server of the cloud, against a real Nova: a volume is attached to a running server,
 * found, and detached. The guest of the lab runs no Node, so the program runs beside it: what its kernel would show under
 * /sys is written down here from what its QEMU says of its disks. Not proved by this: that the guest's kernel shows it so,
 * and writing to the disk from within.
 */

const bench = cloudBench();
const GIB = 1024 ** 3;
const made: string[] = [];
let dir = '';
let cloud: Cloud;
let server = '';
const ctx = { ...recordingContext(), clock: systemClock };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-door-'));
  const config = await loadCloudConfig({
    env: bench.env(),
    cwd: dir,
    home: dir,
    overrides: {},
    readFile: async (path) => {
      const text = await orNothing(readFile(path, 'utf8'));
      return text === undefined ? undefined : { text, mode: (await stat(path)).mode & 0o777 };
    },
  });
  cloud = await connectCloud(config, ctx, { readFile: (path) => readFile(path, 'utf8') });
  const ended = await bench.run([...MIGRATE, '--wait-for', 'active']);
  expectDone(ended);
  server = resultOf(ended).server_id ?? '';
});

afterAll(async () => {
  for (const id of made) {
    await clearAttachments(cloud, ctx, id, server).catch(() => undefined);
    await bench.cloud.request('volumev3', 'DELETE', `/volumes/${id}`).catch(() => undefined);
  }
  cloud.close();
  await rm(dir, { recursive: true, force: true });
});

const virsh = async (...args: string[]) => (await execa('virsh', ['-q', '-c', 'qemu:///system', ...args])).stdout;

/** The serials of all disks that the server's QEMU shows its guest. */
async function serials(): Promise<string[]> {
  const tree = await virsh('qemu-monitor-command', server, '--hmp', 'info qtree');
  return [...tree.matchAll(/^\s*serial = "([^"]+)"/gm)].map(([, serial = '']) => serial);
}

/** Shows under `sys` what the kernel of the guest has of its disks, until it is stopped. */
function mirror(sys: string): { stop: () => Promise<void> } {
  const stopped = new AbortController();
  const work = async () => {
    while (!stopped.signal.aborted) {
      for (const [index, serial] of (await serials()).entries()) {
        const device = join(sys, 'block', `sd${String.fromCharCode(97 + index)}`, 'device');
        await mkdir(device, { recursive: true });
        // QEMU's SCSI disks give their serial as page 80h, up to 36 characters of it.
        const text = Buffer.from(serial.slice(0, 36));
        await writeFile(join(device, 'vpd_pg80'), Buffer.concat([Buffer.from([0, 0x80, 0, text.length]), text]));
        const shown = await bench.cloud.show('volume', serial);
        await writeFile(join(device, '../size'), `${(Number(shown['size']) * GIB) / 512}\n`);
      }
      await sleep(500, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const working = work();
  return {
    stop: async () => {
      stopped.abort();
      await working;
    },
  };
}

async function blankVolume(name: string): Promise<string> {
  const { volume } = (await bench.cloud.request('volumev3', 'POST', '/volumes', { volume: { name, size: 1 } })) as {
    volume: { id: string };
  };
  made.push(volume.id);
  await cloud.volumes.waitAvailable(volume.id, { timeoutMs: 300_000 });
  return volume.id;
}

test('Nova attaches a volume, its disk has the serial that is looked for, and it is let go again', async () => {
  const id = await blankVolume('door-test');
  const roots = { sys: join(dir, 'sys'), dev: join(dir, 'dev') };
  const mirrored = mirror(roots.sys);
  try {
    const noted: string[] = [];
    const door = new ServerDoor(cloud, ctx, server, roots);
    const attached = await door.attach({ id, bytes: GIB }, (made) => Promise.resolve(void noted.push(made)));
    expect(noted).toEqual([`${server}/${id}`]);
    expect(attached.path).toMatch(/\/dev\/sd[a-z]$/);
    expect(await serials()).toContain(id);
    expect(await virsh('dumpxml', server)).toContain(`<serial>${id}</serial>`);
    // By /dev/disk/by-id, where it is known by no more than 20 characters, the same volume is meant.
    expect((await serials()).filter((serial) => serial.startsWith(id.slice(0, 20)))).toEqual([id]);
    expect(await bench.cloud.show('volume', id)).toMatchObject({ status: 'in-use' });
    await attached.release();
    expect(await bench.cloud.show('volume', id)).toMatchObject({ status: 'available', attachments: [] });
    expect(await serials()).not.toContain(id);
    expect(await virsh('dumpxml', server)).not.toContain(id);
  } finally {
    await mirrored.stop();
  }
});

test('what a killed program left attached is taken away, and a disk of that serial is not attached over', async () => {
  const id = await blankVolume('door-left');
  const roots = { sys: join(dir, 'left/sys'), dev: join(dir, 'left/dev') };
  await cloud.servers.attachVolume(server, id);
  await expect.poll(serials, { timeout: 120_000, interval: 1_000 }).toContain(id);
  const mirrored = mirror(roots.sys);
  await expect.poll(() => findDevice(id, roots), { timeout: 30_000 }).toMatchObject({ bytes: GIB });
  await mirrored.stop();
  await expect(
    new ServerDoor(cloud, ctx, server, roots).attach({ id, bytes: GIB }, () => Promise.resolve()),
  ).rejects.toMatchObject({ code: 'cloud.attach_failed' });
  await expect.poll(async () => (await bench.cloud.show('volume', id))['status'], { timeout: 60_000 }).toBe('in-use');
  expect(await clearAttachments(cloud, ctx, id, server)).toEqual([`${server}/${id}`]);
  expect(await bench.cloud.show('volume', id)).toMatchObject({ status: 'available' });
});

test('a server knows itself by the id that Nova gives its firmware', async () => {
  const xml = await virsh('dumpxml', server);
  const uuid = /<entry name='uuid'>([^<]+)<\/entry>/.exec(xml)?.[1] ?? '';
  expect(uuid).toBe(server);
  const sys = join(dir, 'self/sys');
  await mkdir(join(sys, 'class/dmi/id'), { recursive: true });
  await writeFile(join(sys, 'class/dmi/id/product_uuid'), `${uuid.toUpperCase()}\n`);
  expect(await thisServer(cloud, { sys, dev: join(dir, 'dev') })).toMatchObject({ id: server, status: 'ACTIVE' });
});

test('the commands of the guide attach, detach and set what an image would have given', async () => {
  const id = await blankVolume('door-guide');
  const input = guideInput({ via: 'cinder', volumes: [volume('scsi0:0', { size_gib: 1 })] });
  const commands = guideOf(input)
    .flatMap((step) => [...step.commands, ...step.check.commands])
    .flatMap((command) => ('text' in command && typeof command.text === 'string' ? command.text : []));
  const env = { OS_CLIENT_CONFIG_FILE: CLOUDS_FILE, OS_CLOUD: 'lab', CONVERTER: server, VOLUME0: id };
  const typed = async (form: RegExp) => {
    const text = commands.find((command) => form.test(command));
    expect(text, String(form)).toBeDefined();
    return execa('bash', ['-c', text ?? ''], { env });
  };
  await typed(/^openstack server show "\$CONVERTER"/);
  await typed(/^openstack volume show .*\n.*openstack server add volume/);
  await expect.poll(serials, { timeout: 120_000, interval: 1_000 }).toContain(id);
  await expect.poll(async () => (await bench.cloud.show('volume', id))['status'], { timeout: 60_000 }).toBe('in-use');
  // Run again, it finds it attached.
  await typed(/^openstack volume show .*\n.*openstack server add volume/);
  await typed(/^openstack server remove volume/);
  await cloud.volumes.waitAvailable(id, { timeoutMs: 300_000 });
  await typed(/^openstack volume set/);
  await typed(/^test .*bootable.* = true$/);
  await typed(/^test .*-c size/);
  expect(await bench.cloud.show('volume', id)).toMatchObject({
    bootable: 'true',
    volume_image_metadata: { hw_disk_bus: 'scsi', image_description: 'web01 from esx1', min_disk: '40' },
  });
});
