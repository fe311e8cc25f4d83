import { describe, expect, it } from 'vitest';
import { compareImageHash, type Image } from '../../../src/openstack/index.js';
import { connected, failure } from '../support/connect.js';

const IMAGES = '/image/v2/images';
const marker = { run: 'r7', step: 'image:scsi0:0' };
const image = (changes: Record<string, unknown> = {}) => ({
  id: 'i1',
  name: 'web01-scsi0:0',
  status: 'queued',
  disk_format: 'qcow2',
  size: null,
  checksum: null,
  min_disk: 40,
  tags: [],
  hw_disk_bus: 'scsi',
  ...changes,
});

describe('images', () => {
  it('are created with the id, properties and marker in one request', async () => {
    const { cloud, fake, ctx } = await connected({ [`POST ${IMAGES}`]: { status: 201, body: image() } });
    const made = await cloud.images.create({
      id: 'i1',
      name: 'web01-scsi0:0',
      diskFormat: 'qcow2',
      minDiskGib: 40,
      properties: { hw_disk_bus: 'scsi' },
      tags: ['os:debian'],
      marker,
    });
    expect(made['hw_disk_bus']).toBe('scsi');
    expect(fake.seen.at(-1)?.body).toEqual({
      id: 'i1',
      name: 'web01-scsi0:0',
      disk_format: 'qcow2',
      container_format: 'bare',
      visibility: 'private',
      min_disk: 40,
      min_ram: 0,
      tags: ['os:debian'],
      hw_disk_bus: 'scsi',
      stackferry_run: 'r7',
      stackferry_step: 'image:scsi0:0',
    });
    expect(ctx.told).toEqual([{ kind: 'resource.created', resource: 'image', id: 'i1', name: 'web01-scsi0:0' }]);
  });

  it('whose creation got no answer are looked up by the id that was chosen', async () => {
    const { cloud, fake } = await connected({
      [`POST ${IMAGES}`]: { cut: true },
      [`GET ${IMAGES}/i1`]: { body: image() },
    });
    expect((await cloud.images.create({ id: 'i1', name: 'x', diskFormat: 'raw', marker })).id).toBe('i1');
    expect(fake.count(`POST ${IMAGES}`)).toBe(1);
  });

  it('are found by marker, also where a cloud ignores the filter', async () => {
    const mine = image({ stackferry_run: 'r7', stackferry_step: 'image:scsi0:0' });
    const { cloud, fake } = await connected({
      [`GET ${IMAGES}`]: { body: { images: [mine, image({ id: 'i2' }), image({ id: 'i3', stackferry_run: 'r77' })] } },
    });
    expect((await cloud.images.findByMarker({ run: 'r7' })).map(({ id }) => id)).toEqual(['i1']);
    expect(await cloud.images.findByMarker({ run: 'r7', step: 'image:scsi0:1' })).toEqual([]);
    expect(fake.seen.at(-1)?.query).toMatchObject({ stackferry_run: 'r7', stackferry_step: 'image:scsi0:1' });
  });

  it('are waited for until active', async () => {
    const { cloud } = await connected({
      [`GET ${IMAGES}/i1`]: [{ body: image({ status: 'saving' }) }, { body: image({ status: 'active', size: 5 }) }],
    });
    expect(await cloud.images.waitActive('i1', { timeoutMs: 60_000 })).toMatchObject({ status: 'active', size: 5 });
  });

  it.each(['queued', 'killed', 'deleted', 'deactivated', 'pending_delete'])(
    'are not waited for when %s, for that does not become active',
    async (status) => {
      const { cloud } = await connected({ [`GET ${IMAGES}/i1`]: { body: image({ status }) } });
      const error = await failure(cloud.images.waitActive('i1', { timeoutMs: 60_000 }));
      expect(error).toMatchObject({ code: 'cloud.image_failed', details: { status } });
    },
  );

  it('are waited for no longer than told, and the error names the option', async () => {
    const { cloud } = await connected({ [`GET ${IMAGES}/i1`]: { body: image({ status: 'saving' }) } });
    const error = await failure(cloud.images.waitActive('i1', { timeoutMs: 10_000, option: '--timeout-image' }));
    expect(error.code).toBe('cloud.image_timeout');
    expect(error.hint).toContain('--timeout-image');
  });

  it('whose upload was cut are waited for until Glance knows it, and shown as they are then', async () => {
    const { cloud } = await connected({
      [`GET ${IMAGES}/i1`]: [{ body: image({ status: 'saving' }) }, { body: image({ status: 'queued' }) }],
      [`GET ${IMAGES}/i2`]: { body: image({ status: 'active' }) },
      [`GET ${IMAGES}/i3`]: { body: image({ status: 'saving' }) },
    });
    expect((await cloud.images.waitSettled('i1', { timeoutMs: 60_000 })).status).toBe('queued');
    expect((await cloud.images.waitSettled('i2', { timeoutMs: 60_000 })).status).toBe('active');
    expect((await failure(cloud.images.waitSettled('i3', { timeoutMs: 5_000 }))).code).toBe('cloud.image_timeout');
  });

  it('are deleted; one that is gone is no error, one in use is named so', async () => {
    const { cloud } = await connected({
      [`DELETE ${IMAGES}/i1`]: { status: 204 },
      [`DELETE ${IMAGES}/i2`]: { status: 404 },
      [`DELETE ${IMAGES}/i3`]: {
        status: 409,
        body: '<html><body><h1>409 Conflict</h1>Image i3 could not be deleted because it is in use: cloned</body></html>',
      },
      [`DELETE ${IMAGES}/i4`]: { status: 403, body: 'Image i4 is protected and cannot be deleted.' },
    });
    expect(await cloud.images.delete('i1')).toBe(true);
    expect(await cloud.images.delete('i2')).toBe(false);
    const inUse = await failure(cloud.images.delete('i3'));
    expect(inUse.code).toBe('cloud.image_in_use');
    expect(inUse.message).toContain('cloned');
    expect((await failure(cloud.images.delete('i4'))).code).toBe('cloud.forbidden');
  });
});

describe('the hash of an image', () => {
  const of = (changes: Partial<Image>) => image(changes) as unknown as Image;
  it.each([
    [{ os_hash_algo: 'sha512', os_hash_value: 'AB' }, { sha512: 'ab' }, { result: 'equal', algorithm: 'sha512' }],
    [{ os_hash_algo: 'sha512', os_hash_value: 'ab' }, { sha512: 'cd' }, { result: 'different', algorithm: 'sha512' }],
    [
      { os_hash_algo: 'sha256', os_hash_value: 'ab', checksum: '12' },
      { md5: '12' },
      { result: 'equal', algorithm: 'md5' },
    ],
    [{ checksum: '12' }, { md5: '13' }, { result: 'different', algorithm: 'md5' }],
    [{ os_hash_algo: 'sha3', os_hash_value: 'ab' }, { sha512: 'ab' }, { result: 'unknown', algorithm: null }],
    [{}, { sha512: 'ab', md5: '12' }, { result: 'unknown', algorithm: null }],
  ])('%o against %o', (fields, digests, verdict) => {
    expect(compareImageHash(of(fields), digests)).toEqual(verdict);
  });
});
