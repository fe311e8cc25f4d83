import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ServerDoor, clearAttachments } from '../../../src/openstack/attach/index.js';
import { tempFolders } from '../../support/temp-folder.js';
import { connected, failure } from '../support/connect.js';
import type { Route } from '../support/fake-cloud.js';

const VOLUME = '3b52a004-270f-4b18-a405-0701696cfe56';
const SERVER = '5ad690eb-d744-40c8-82ab-d0baf6086e22';
const ATTACHED = `/compute/v2.1/servers/${SERVER}/os-volume_attachments`;
const SHOWN = `GET /volume/v3/p1/volumes/${VOLUME}`;
const tempFolder = tempFolders();

const shown = (status: string) => ({ body: { volume: { id: VOLUME, name: 'web01', status, size: 1 } } });

/** A machine to which the volume comes as this disk as soon as Nova is asked. */
async function machine(
  sectors: number,
  name = 'vdq',
): Promise<{ sys: string; dev: string; plug: () => void; ready: Promise<void>[] }> {
  const dir = await tempFolder();
  const [sys, dev] = [join(dir, 'sys'), join(dir, 'dev')];
  const ready: Promise<void>[] = [];
  const plug = () => {
    const block = join(sys, 'block', name);
    ready.push(
      mkdir(block, { recursive: true })
        .then(() => writeFile(join(block, 'size'), `${sectors}\n`))
        .then(() => writeFile(join(block, 'serial'), VOLUME.slice(0, 20))),
    );
  };
  return { sys, dev, plug, ready };
}

function routes(plug: () => void, statuses: string[]): Record<string, Route | Route[]> {
  return {
    [`POST ${ATTACHED}`]: () => {
      plug();
      // The name is a guess of Nova's: the disk comes as another one.
      return { body: { volumeAttachment: { id: VOLUME, volumeId: VOLUME, serverId: SERVER, device: '/dev/vdb' } } };
    },
    [SHOWN]: statuses.map(shown),
    [`DELETE ${ATTACHED}/${VOLUME}`]: { status: 202 },
  };
}

test('Nova attaches, the disk is known by its serial and size, and is let go again', async () => {
  const here = await machine(2097152);
  let state = 'attaching';
  const { cloud, fake, ctx } = await connected({
    ...routes(here.plug, []),
    [SHOWN]: () => {
      const now = state;
      if (state === 'attaching') state = 'in-use';
      if (state === 'detaching') state = 'available';
      return shown(now);
    },
    [`DELETE ${ATTACHED}/${VOLUME}`]: () => {
      state = 'detaching';
      return { status: 202 };
    },
  });
  const made: string[] = [];
  const door = new ServerDoor(cloud, ctx, SERVER, here);
  const attached = await door.attach({ id: VOLUME, bytes: 1024 ** 3 }, (id) => {
    made.push(id);
    return Promise.resolve();
  });
  expect(attached.path).toBe(join(here.dev, 'vdq'));
  expect(made).toEqual([`${SERVER}/${VOLUME}`]);
  await attached.release();
  expect(fake.count(`DELETE ${ATTACHED}/${VOLUME}`)).toBe(1);
  expect(fake.seen.find(({ method, path }) => method === 'POST' && path === ATTACHED)?.body).toEqual({
    volumeAttachment: { volumeId: VOLUME },
  });
});

test('a disk of another size is not taken; the volume is detached', async () => {
  const here = await machine(4194304);
  let gone = false;
  const { cloud, fake, ctx } = await connected({
    ...routes(here.plug, []),
    [SHOWN]: () => shown(gone ? 'available' : 'in-use'),
    [`DELETE ${ATTACHED}/${VOLUME}`]: () => {
      gone = true;
      return { status: 202 };
    },
  });
  const door = new ServerDoor(cloud, ctx, SERVER, here);
  const error = await failure(door.attach({ id: VOLUME, bytes: 1024 ** 3 }, () => Promise.resolve()));
  expect(error.code).toBe('cloud.attach_failed');
  expect(error.message).toContain('nothing was written');
  expect(fake.count(`DELETE ${ATTACHED}/${VOLUME}`)).toBe(1);
});

test('a disk that never comes is a time-out, and the volume is detached', async () => {
  const here = await machine(2097152);
  let gone = false;
  const { cloud, fake, ctx } = await connected({
    ...routes(() => undefined, []),
    [SHOWN]: () => shown(gone ? 'available' : 'in-use'),
    [`DELETE ${ATTACHED}/${VOLUME}`]: () => {
      gone = true;
      return { status: 202 };
    },
  });
  const door = new ServerDoor(cloud, ctx, SERVER, here, 5_000);
  const error = await failure(door.attach({ id: VOLUME, bytes: 1024 ** 3 }, () => Promise.resolve()));
  expect(error.code).toBe('cloud.attach_timeout');
  expect(error.hint).toContain('--via glance');
  expect(fake.count(`DELETE ${ATTACHED}/${VOLUME}`)).toBe(1);
});

test('a disk that is there before it was attached is not the volume', async () => {
  const here = await machine(2097152);
  here.plug();
  await Promise.all(here.ready);
  const { cloud, fake, ctx } = await connected(routes(() => undefined, ['available']));
  const door = new ServerDoor(cloud, ctx, SERVER, here);
  expect((await failure(door.attach({ id: VOLUME, bytes: 1024 ** 3 }, () => Promise.resolve()))).code).toBe(
    'cloud.attach_failed',
  );
  expect(fake.count(`POST ${ATTACHED}`)).toBe(0);
});

test('a volume at somebody else’s server is left there', async () => {
  const other = '99999999-d744-40c8-82ab-d0baf6086e22';
  const attachment = { id: 'a1', status: 'attached', volume_id: VOLUME, instance: other };
  const { cloud, fake, ctx } = await connected({
    [SHOWN]: shown('in-use'),
    'GET /volume/v3/p1/attachments': { body: { attachments: [attachment] } },
    'GET /volume/v3/p1/attachments/a1': { body: { attachment } },
  });
  const error = await failure(clearAttachments(cloud, ctx, VOLUME, SERVER));
  expect(error.code).toBe('cloud.volume_in_use');
  expect(error.message).toContain(other);
  expect(fake.seen.filter(({ method }) => method === 'DELETE')).toEqual([]);
});
