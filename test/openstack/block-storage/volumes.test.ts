import { describe, expect, it } from 'vitest';
import { volumeTypeAspects } from '../../../src/openstack/index.js';
import { connected, failure } from '../support/connect.js';

const VOLUMES = '/volume/v3/p1/volumes';
const marker = { run: 'r7', step: 'volume:scsi0:0' };
const volume = (changes: Record<string, unknown> = {}) => ({
  id: 'v1',
  name: 'web01-scsi0:0',
  status: 'available',
  size: 40,
  bootable: 'true',
  metadata: {},
  attachments: [],
  ...changes,
});

describe('volumes', () => {
  it('are created from an image with all that was chosen', async () => {
    const { cloud, fake } = await connected({
      [`POST ${VOLUMES}`]: { status: 202, body: { volume: volume({ status: 'creating' }) } },
    });
    await cloud.volumes.create({
      name: 'web01-scsi0:0',
      sizeGib: 40,
      imageId: 'i1',
      volumeType: 'ssd',
      availabilityZone: 'az1',
      description: 'moved',
      metadata: { vm: 'web01' },
      marker,
    });
    expect(fake.seen.at(-1)?.body).toEqual({
      volume: {
        name: 'web01-scsi0:0',
        size: 40,
        imageRef: 'i1',
        volume_type: 'ssd',
        availability_zone: 'az1',
        description: 'moved',
        metadata: { vm: 'web01', stackferry_run: 'r7', stackferry_step: 'volume:scsi0:0' },
      },
    });
    expect(fake.seen.at(-1)?.headers['openstack-api-version']).toBe('volume 3.70');
  });

  it('are waited for through creating and downloading', async () => {
    const { cloud, ctx } = await connected({
      [`GET ${VOLUMES}/v1`]: ['creating', 'downloading', 'available'].map((status) => ({
        body: { volume: volume({ status }) },
      })),
    });
    expect(
      (await cloud.volumes.waitAvailable('v1', { timeoutMs: 60_000, label: 'the volume', task: 't' })).status,
    ).toBe('available');
    expect(ctx.told.flatMap((event) => (event.kind === 'wait.progress' ? [event.state] : []))).toEqual([
      'creating',
      'downloading',
    ]);
    expect(ctx.told[0]).toMatchObject({ kind: 'wait.started', label: 'the volume', task: 't' });
  });

  it('that fail give the newest message that Cinder has for the user', async () => {
    const message = (id: string, at: string, text: string) => ({
      resource_uuid: id,
      created_at: at,
      user_message: text,
    });
    const { cloud } = await connected({
      [`GET ${VOLUMES}/v1`]: { body: { volume: volume({ status: 'error' }) } },
      'GET /volume/v3/p1/messages': {
        body: {
          messages: [
            message('v1', '2026-01-01T00:00:00', 'older'),
            message(
              'v1',
              '2026-01-01T00:00:05',
              'schedule allocate volume: Could not find any available weighted backend.',
            ),
            message('v2', '2026-01-01T00:00:09', 'of another'),
          ],
        },
      },
    });
    const error = await failure(cloud.volumes.waitAvailable('v1', { timeoutMs: 60_000 }));
    expect(error.code).toBe('cloud.volume_failed');
    expect(error.message).toContain('available weighted backend');
    expect(error.hint).toContain('--volume-type');
  });

  it('that fail are named also where Cinder keeps no messages', async () => {
    const { cloud } = await connected({
      [`GET ${VOLUMES}/v1`]: { body: { volume: volume({ status: 'error_extending', name: null }) } },
      'GET /volume/v3/p1/messages': { status: 403 },
    });
    expect((await failure(cloud.volumes.waitAvailable('v1', { timeoutMs: 1 }))).message).toContain(
      'Volume v1 is error_extending',
    );
  });

  it.each([
    ['creating', '--volume-type'],
    ['downloading', 'copies the image'],
    ['reserved', 'volume attachment delete'],
    ['attaching', 'volume attachment delete'],
  ])('that stay %s are named with their remedy', async (status, words) => {
    const { cloud } = await connected({ [`GET ${VOLUMES}/v1`]: { body: { volume: volume({ status }) } } });
    const error = await failure(cloud.volumes.waitAvailable('v1', { timeoutMs: 5_000, option: '--timeout-volume' }));
    expect(error).toMatchObject({ code: 'cloud.volume_timeout', details: { state: status } });
    expect(error.message).toContain(`still ${status}`);
    expect(error.hint).toContain(words);
    expect(error.hint).toContain('--timeout-volume');
  });

  it('that are attached meanwhile are not waited for', async () => {
    const { cloud } = await connected({ [`GET ${VOLUMES}/v1`]: { body: { volume: volume({ status: 'in-use' }) } } });
    expect((await failure(cloud.volumes.waitAvailable('v1', { timeoutMs: 1 }))).code).toBe('cloud.volume_in_use');
  });

  it('get their boot flag and image metadata, again after a lost answer', async () => {
    const ACTION = `POST ${VOLUMES}/v1/action`;
    const { cloud, fake } = await connected({
      [ACTION]: [{ cut: true }, { status: 200 }, { status: 200 }, { status: 200 }, { status: 404 }],
    });
    await cloud.volumes.setBootable('v1', true);
    await cloud.volumes.setImageMetadata('v1', { hw_disk_bus: 'scsi' });
    await cloud.volumes.unsetImageMetadata('v1', ['a', 'b']);
    expect(fake.seen.filter(({ method, path }) => `${method} ${path}` === ACTION).map(({ body }) => body)).toEqual([
      { 'os-set_bootable': { bootable: true } },
      { 'os-set_bootable': { bootable: true } },
      { 'os-set_image_metadata': { metadata: { hw_disk_bus: 'scsi' } } },
      { 'os-unset_image_metadata': { key: 'a' } },
      { 'os-unset_image_metadata': { key: 'b' } },
    ]);
  });

  it('are found by marker on every page', async () => {
    const { cloud } = await connected({
      [`GET ${VOLUMES}/detail`]: [
        {
          body: {
            volumes: [volume()],
            volumes_links: [{ rel: 'next', href: 'http://x/v3/p1/volumes/detail?marker=v1' }],
          },
        },
        {
          body: {
            volumes: [volume({ id: 'v2', metadata: { stackferry_run: 'r7', stackferry_step: 'volume:scsi0:0' } })],
          },
        },
      ],
    });
    expect((await cloud.volumes.findByMarker(marker)).map(({ id }) => id)).toEqual(['v2']);
  });

  it('are deleted and seen to be gone; one that is attached is named so', async () => {
    const { cloud, ctx } = await connected({
      [`DELETE ${VOLUMES}/v1`]: { status: 202 },
      [`GET ${VOLUMES}/v1`]: [{ body: { volume: volume({ status: 'deleting' }) } }, { status: 404 }],
      [`DELETE ${VOLUMES}/v2`]: {
        status: 400,
        body: {
          badRequest: {
            code: 400,
            message:
              'Invalid volume: Volume status must be available or error or error_restoring and must not be attached',
          },
        },
      },
      [`DELETE ${VOLUMES}/v3`]: { status: 404 },
      [`GET ${VOLUMES}/v4`]: { body: { volume: volume({ id: 'v4', status: 'error_deleting' }) } },
    });
    expect(await cloud.volumes.delete('v1')).toBe(true);
    await cloud.volumes.waitDeleted('v1', { timeoutMs: 60_000 });
    expect(ctx.told.at(-1)).toEqual({ kind: 'resource.deleted', resource: 'volume', id: 'v1', name: 'v1' });
    expect((await failure(cloud.volumes.delete('v2'))).code).toBe('cloud.volume_in_use');
    expect(await cloud.volumes.delete('v3')).toBe(false);
    expect((await failure(cloud.volumes.waitDeleted('v4', { timeoutMs: 1 }))).code).toBe('cloud.volume_failed');
  });
});

describe('volume types', () => {
  it('are listed with the default, which a cloud need not have', async () => {
    const { cloud } = await connected({
      'GET /volume/v3/p1/types': {
        body: { volume_types: [{ id: 't1', name: 'ssd', description: '[scs:encrypted, replicated] fast' }] },
      },
      'GET /volume/v3/p1/types/default': [{ body: { volume_type: { id: 't1', name: 'ssd' } } }, { status: 404 }],
    });
    expect(await cloud.volumeTypes.list()).toEqual([
      { id: 't1', name: 'ssd', description: '[scs:encrypted, replicated] fast', extra_specs: {} },
    ]);
    expect((await cloud.volumeTypes.default())?.name).toBe('ssd');
    expect(await cloud.volumeTypes.default()).toBeUndefined();
  });

  it.each([
    ['[scs:encrypted, replicated] fast', ['encrypted', 'replicated']],
    ['[scs:replicated]', ['replicated']],
    ['fast [scs:replicated]', []],
    ['', []],
    [null, []],
  ])('have aspects in %s', (description, aspects) => {
    expect(volumeTypeAspects(description)).toEqual(aspects);
  });
});
