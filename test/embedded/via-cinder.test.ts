import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  expectKilled,
  expectSourceBytes,
  killAt,
  migrateArgs,
  requests,
  resultOf,
  smallVm,
  usePeers,
  type Lab,
} from '../support/embedded.js';

/**
 * The attached-volume way against the embedded cloud, whose volumes are files here. os-brick is a stand-in (see
 * test/lab/os-brick); the real one is judged in test/cloud/via-cinder.test.ts. Attaching needs root: as anyone else the
 * same commands end with a blocker, and that is what is looked at then.
 */

const peers = usePeers({ vms: [smallVm('web01')] });
const BRICK = { PYTHONPATH: fileURLToPath(new URL('../lab/os-brick', import.meta.url)) };
const isRoot = process.getuid?.() === 0;
const VIA = [...migrateArgs('web01'), '--via', 'cinder'];

/** Starts the migration and lets it kill itself at a line of its journal. */
async function killed(lab: Lab, when: 'before' | 'after', line: RegExp): Promise<void> {
  expectKilled(await lab.run(VIA, { ...BRICK, ...killAt(when, line) }));
}

describe.runIf(isRoot)('migrate --via cinder, as root', () => {
  test('writes what holds data to blank volumes, gives them properties, and makes no image', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(VIA, BRICK);
    expect(ended.code, ended.stderr).toBe(0);
    const result = resultOf(ended);
    expect(result.vms[0]?.image_ids).toEqual([]);
    expect(requests(lab, 'POST', 'image', /./)).toEqual([]);
    await expectSourceBytes(lab, 'web01', result);
    const made = requests(lab, 'POST', 'block-storage', /\/attachments$/);
    expect(made.map(({ body }) => body)).toEqual(
      result.vms[0]?.volumes.map(({ volume_id }) => ({
        attachment: {
          volume_uuid: volume_id,
          mode: 'rw',
          connector: expect.objectContaining({ host: 'converter', ip: '127.0.0.1', multipath: false }) as unknown,
        },
      })),
    );
    expect(requests(lab, 'DELETE', 'block-storage', /\/attachments\//)).toHaveLength(2);
    expect(
      lab.cloud.state.volumes.map(({ bootable, image_metadata }) => [bootable, image_metadata['hw_disk_bus']]),
    ).toEqual([
      [true, 'scsi'],
      [false, 'scsi'],
    ]);
    expect(result.vms[0]?.proof.map(({ volume, image }) => [volume, image])).toEqual([
      ['equal', 'not made'],
      ['equal', 'not made'],
    ]);
  });

  test.each([
    '"intent".*"attachment"',
    '"made".*"attachment"',
    '"gone".*"attachment"',
    '"step.done","step":"data:scsi0:0"',
  ])('killed around %s: resumed, the bytes are right and nothing stays attached but to the server', async (line) => {
    for (const when of ['before', 'after'] as const) {
      const lab = await peers.lab();
      await killed(lab, when, new RegExp(line));
      const ended = await lab.run(['migrate', '--resume', '-f', 'json'], BRICK);
      expect(ended.code, ended.stderr).toBe(0);
      await expectSourceBytes(lab, 'web01', resultOf(ended));
      const { attachments, images, volumes } = lab.cloud.inventory('lab');
      expect([attachments.length, images.length - lab.seed.images.length, volumes.length]).toEqual([2, 0, 2]);
      expect(lab.cloud.state.attachments.map(({ instance }) => instance === null)).toEqual([false, false]);
    }
  });

  test.each(['before', 'after'] as const)(
    'killed %s the attachment is noted, rolled back: nothing is left',
    async (when) => {
      const lab = await peers.lab();
      await killed(lab, when, /"made".*"attachment"/);
      const [run = ''] = await readdir(join(lab.stateDir, 'runs'));
      const ended = await lab.run(['rollback', run, '--yes'], BRICK);
      expect(ended.code, ended.stderr).toBe(0);
      expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
    },
  );

  test('--dry-run shows what os-brick says of this machine, and changes nothing', async () => {
    const lab = await peers.lab();
    const ended = await lab.run([...VIA, '--dry-run'], BRICK);
    expect(ended.code, ended.stderr).toBe(0);
    const { calls } = JSON.parse(ended.stdout) as { calls: { path: string; body: unknown }[] };
    const made = calls.filter(({ path }) => path.endsWith('/attachments'));
    expect(made).toHaveLength(2);
    expect(made[0]?.body).toMatchObject({ attachment: { connector: { host: 'converter', ip: '127.0.0.1' } } });
    expect(lab.cloud.changingRequests()).toEqual([]);
  });

  test('rollback --dry-run lists the attachment that a killed run left, and no folder that is not there', async () => {
    const lab = await peers.lab();
    await killed(lab, 'after', /"made".*"attachment"/);
    const [run = ''] = await readdir(join(lab.stateDir, 'runs'));
    const ended = await lab.run(['rollback', run, '--dry-run', '-f', 'json'], BRICK);
    expect(ended.code, ended.stderr).toBe(0);
    const { calls } = JSON.parse(ended.stdout) as { calls: { method: string; path: string }[] };
    const [attachment] = lab.cloud.state.attachments;
    expect(calls.map(({ method, path }) => `${method} ${path.replace(/^.*\/(?=attachments|volumes)/, '')}`)).toEqual([
      `DELETE attachments/${attachment?.id ?? ''}`,
      ...lab.cloud.state.volumes.map(({ id }) => `DELETE volumes/${id}`).reverse(),
    ]);
  });

  test('the guide of such a run makes no image, and says how the disk gets onto its volume', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(VIA, BRICK));
    const ended = await lab.run(['guide', '--run', run]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).not.toContain('openstack image create');
    expect(ended.stdout).toContain('openstack server add volume "$CONVERTER" "$VOLUME0"');
    expect(ended.stdout).toContain('qemu-img convert -n -f vmdk -O raw scsi0-0/web01.vmdk "$DEVICE0"');
  });

  test('a volume that holds what was there before: zeros are made where the disk has none of its own', async () => {
    const lab = await peers.lab();
    await killed(lab, 'after', /"made".*"attachment"/);
    for (const { id } of lab.cloud.state.volumes) {
      const file = await open(lab.cloud.volumeFile(id), 'r+');
      for (let at = 0; at < 1024; at++) await file.write(Buffer.alloc(1024 ** 2, 0xee), 0, 1024 ** 2, at * 1024 ** 2);
      await file.close();
    }
    const ended = await lab.run(['migrate', '--resume', '-f', 'json'], BRICK);
    expect(ended.code, ended.stderr).toBe(0);
    await expectSourceBytes(lab, 'web01', resultOf(ended));
  });
});

test('without os-brick, or without root, --via cinder is a blocker before anything is made', async () => {
  const lab = await peers.lab();
  const ended = await lab.run(VIA, { PYTHONPATH: fileURLToPath(new URL('../lab/no-os-brick', import.meta.url)) });
  expect(ended.code).toBe(3);
  expect(ended.stderr).toContain('converter.no_attach');
  expect(ended.stderr).toContain('--via glance');
  const check = await lab.run(
    ['check', '--vm', 'web01', '--network', 'VM Network=lab-net', '--via', 'cinder', '-f', 'json'],
    { PYTHONPATH: fileURLToPath(new URL('../lab/no-os-brick', import.meta.url)) },
  );
  expect(check.code).toBe(3);
  expect(check.stdout).toContain('converter.no_attach');
  expect(lab.cloud.changingRequests()).toEqual([]);
});

test('auto stays with images on a machine that is no server of the cloud, and says so', async () => {
  const lab = await peers.lab();
  const ended = await lab.run([...migrateArgs('web01'), '--dry-run', '-f', 'json'], BRICK);
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({
    via: { way: 'glance', reason: 'this machine is no server of the project', server_id: null },
  });
});

test('guide --via cinder is of a server of the project, and asks nothing of this machine', async () => {
  const lab = await peers.lab();
  const args = ['guide', '--vm', 'web01', '--network', 'VM Network=lab-net', '--via', 'cinder', '-f', 'sh'];
  const ended = await lab.run(args);
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stdout).toContain('tr A-Z a-z < /sys/class/dmi/id/product_uuid');
  expect(ended.stdout).not.toContain('openstack image create');
  expect(lab.cloud.changingRequests()).toEqual([]);
});
