import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { login, uploaded, volume, type Client } from './client.js';
import { startCloud } from './index.js';
import type { EmbeddedCloud } from './index.js';

const GIB = 1024 ** 3;
let cloud: EmbeddedCloud;
let directory: string;
let lab: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lab-cloud-'));
  cloud = await startCloud({ directory });
  lab = await login(cloud);
});
afterAll(async () => {
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

const create = (fields: object, version?: string) =>
  lab.volume('POST', '/volumes', { json: { volume: fields }, ...(version === undefined ? {} : { version }) });
const show = async (id: string) => (await lab.volume('GET', `/volumes/${id}`)).body.volume;
const action = (id: string, body: object) => lab.volume('POST', `/volumes/${id}/action`, { json: body });

describe('Cinder', () => {
  it('makes a volume from a qcow2 image: the bytes the guest sees, sparse, with the image metadata', async () => {
    const raw = Buffer.concat([randomBytes(300_000), Buffer.alloc(5 * 1024 ** 2)]);
    await writeFile(join(directory, 'a.raw'), raw);
    await execa('qemu-img', ['convert', '-O', 'qcow2', join(directory, 'a.raw'), join(directory, 'a.qcow2')]);
    const bytes = await readFile(join(directory, 'a.qcow2'));
    const image = await uploaded(lab, bytes, { name: 'web', disk_format: 'qcow2', hw_disk_bus: 'scsi', mark: 'x' });
    const made = await create({
      size: 1,
      imageRef: image,
      metadata: { stackferry_run: 'r1' },
      volume_type: 'lab-fast',
    });
    expect(made.status).toBe(202);
    expect(made.body.volume).toMatchObject({ status: 'creating', bootable: 'false', volume_type: 'lab-fast' });
    const { id } = made.body.volume;
    await cloud.settled();
    expect(await show(id)).toMatchObject({
      status: 'available',
      bootable: 'true',
      metadata: { stackferry_run: 'r1' },
      volume_image_metadata: {
        image_id: image,
        image_name: 'web',
        hw_disk_bus: 'scsi',
        mark: 'x',
        disk_format: 'qcow2',
      },
    });
    const file = cloud.volumeFile(id);
    const { size, blocks } = await stat(file);
    expect(size).toBe(GIB);
    expect(blocks * 512).toBeLessThan(2 * 1024 ** 2);
    const head = (await execa('head', ['-c', String(raw.length), file], { encoding: 'buffer', maxBuffer: 1e8 })).stdout;
    expect(Buffer.from(head).equals(raw)).toBe(true);
  });

  it('goes through creating and downloading for as long as it is told', async () => {
    const image = await uploaded(lab, randomBytes(1000));
    cloud.settings.delays.volume = 300;
    const { id } = (await create({ size: 1, imageRef: image })).body.volume;
    cloud.settings.delays.volume = 20;
    expect((await show(id)).status).toBe('creating');
    await expect.poll(async () => (await show(id)).status, { interval: 20 }).toBe('downloading');
    await expect.poll(async () => (await show(id)).status, { interval: 20 }).toBe('available');
  });

  it.each([
    ['no size', { name: 'x' }, 400, /malformed/],
    ['size 0', { size: 0 }, 400, /0 is less than the minimum of 1/],
    ['an unknown type', { size: 1, volume_type: 'nope' }, 404, /Volume type with name nope could not be found/],
    ['an unknown zone', { size: 1, availability_zone: 'nope' }, 400, /Availability zone 'nope' is invalid/],
    ['an unknown image', { size: 1, imageRef: 'nope' }, 400, /Invalid image identifier/],
    ['metadata that is no text', { size: 1, metadata: { a: 5 } }, 400, /5 is not of type 'string'/],
  ])('refuses %s', async (_, fields, code, message) => {
    const answer = await create(fields);
    expect(answer.status).toBe(code);
    expect(JSON.stringify(answer.body)).toMatch(message);
  });

  it('refuses unknown keys from 3.53 on, and passes them over before', async () => {
    expect((await create({ size: 1, foo: 1 }, '3.53')).status).toBe(400);
    expect((await create({ size: 1, foo: 1 }, '3.52')).status).toBe(202);
  });

  it('refuses an image that does not fit, by size, virtual size and min_disk', async () => {
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', join(directory, 'big.qcow2'), '3G']);
    const big = await uploaded(lab, await readFile(join(directory, 'big.qcow2')), { disk_format: 'qcow2' });
    expect((await create({ size: 2, imageRef: big })).body.badRequest.message).toBe(
      `Image ${big} is unacceptable: Image virtual size is 3GB and doesn't fit in a volume of size 2GB.`,
    );
    const min = await uploaded(lab, randomBytes(10), { min_disk: 4 });
    expect((await create({ size: 2, imageRef: min })).body.badRequest.message).toMatch(/minDisk size 4GB/);
    const queued = await lab.image('POST', '/v2/images', { json: { name: 'q' } });
    const inactive = await create({ size: 2, imageRef: queued.body.id });
    expect(inactive.body.badRequest.message).toMatch(/is not active\.$/);
  });

  it('never follows a backing file, and ends in error with a message', async () => {
    await writeFile(join(directory, 'secret'), 'secret');
    await execa('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-b',
      join(directory, 'secret'),
      '-F',
      'raw',
      join(directory, 'e.qcow2'),
      '1M',
    ]);
    const evil = await uploaded(lab, await readFile(join(directory, 'e.qcow2')), { disk_format: 'qcow2' });
    const id = await volume(cloud, lab, { imageRef: evil });
    expect((await show(id)).status).toBe('error');
    const messages = await lab.volume('GET', `/messages?resource_uuid=${id}`, { version: '3.70' });
    expect(messages.body.messages[0].user_message).toBe('copy image to volume:An unknown error occurred.');
    expect((await lab.volume('GET', '/messages')).status).toBe(404);
  });

  it('comes to error, or is stuck, where a test wants it', async () => {
    cloud.settings.volumeOutcome = 'error';
    const broken = await volume(cloud, lab);
    cloud.settings.volumeOutcome = 'stuck';
    const stuck = await volume(cloud, lab);
    cloud.settings.volumeOutcome = 'ok';
    expect((await show(broken)).status).toBe('error');
    expect((await show(stuck)).status).toBe('creating');
    expect((await lab.volume('DELETE', `/volumes/${stuck}`)).status).toBe(400);
    expect((await lab.volume('DELETE', `/volumes/${broken}`)).status).toBe(202);
  });

  it('knows quotas: 413 with Retry-After, in gigabytes, in number and per type', async () => {
    const poor = await login(cloud, 'lab-poor');
    const large = await poor.volume('POST', '/volumes', { json: { volume: { size: 2 } } });
    expect(large.status).toBe(413);
    expect(large.headers.get('retry-after')).toBe('0');
    expect(large.body.overLimit).toEqual({
      code: 413,
      message:
        'VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 2G, ' +
        'quota is 1G and 0G has been consumed.',
      retryAfter: '0',
    });
    cloud.quotas('lab-poor').gigabytes = 10;
    cloud.quotas('lab-poor').perType['lab-fast'] = { gigabytes: 0, volumes: -1 };
    const fast = await poor.volume('POST', '/volumes', { json: { volume: { size: 1, volume_type: 'lab-fast' } } });
    expect(fast.body.overLimit.message).toContain('gigabytes_lab-fast');
    await volume(cloud, poor);
    const second = await poor.volume('POST', '/volumes', { json: { volume: { size: 1 } } });
    expect(second.body.overLimit.message).toMatch(/^VolumeLimitExceeded: Maximum number of volumes allowed \(1\)/);
    const set = await poor.volume('GET', `/os-quota-sets/${poor.projectId}?usage=true`);
    expect(set.body.quota_set.gigabytes).toEqual({ limit: 10, in_use: 1, reserved: 0 });
    expect((await poor.volume('GET', '/limits')).body.limits.absolute).toMatchObject({ totalVolumesUsed: 1 });
    expect((await poor.volume('GET', `/os-quota-sets/${lab.projectId}`)).status).toBe(403);
  });

  it('lists by metadata, in pages', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await volume(cloud, lab, { metadata: { list: "it's", n: String(n) } }));
    const query = encodeURIComponent(`{"list": "it's"}`);
    const seen: string[] = [];
    let next = `/volumes/detail?metadata=${query}&limit=2`;
    for (;;) {
      const { body } = await lab.volume('GET', next);
      seen.push(...body.volumes.map((one) => one.id));
      const link = body.volumes_links?.[0].href;
      if (link === undefined) break;
      next = `/volumes/detail${new URL(link).search}`;
    }
    expect(seen).toEqual([...ids].reverse());
    const one = encodeURIComponent(`{'n': '3', 'list': "it's"}`);
    expect((await lab.volume('GET', `/volumes?metadata=${one}`)).body.volumes).toHaveLength(1);
    expect((await lab.volume('GET', '/volumes?nope=1', { version: '3.40' })).status).toBe(400);
    expect((await lab.volume('GET', '/volumes?marker=nope')).status).toBe(404);
  });

  it('sets bootable, image metadata and metadata', async () => {
    const id = await volume(cloud, lab);
    expect((await action(id, { 'os-set_bootable': { bootable: true } })).status).toBe(200);
    const set = await action(id, { 'os-set_image_metadata': { metadata: { hw_firmware_type: 'uefi' } } });
    expect(set.body).toEqual({ metadata: { hw_firmware_type: 'uefi' } });
    expect(await show(id)).toMatchObject({ bootable: 'true', volume_image_metadata: { hw_firmware_type: 'uefi' } });
    expect((await action(id, { 'os-unset_image_metadata': { key: 'hw_firmware_type' } })).status).toBe(200);
    expect((await show(id)).volume_image_metadata).toBeUndefined();
    expect((await action(id, { nope: {} })).status).toBe(400);
    expect((await lab.volume('POST', `/volumes/${id}/metadata`, { json: { metadata: { a: 'b' } } })).status).toBe(200);
    expect((await lab.volume('DELETE', `/volumes/${id}/metadata/a`)).status).toBe(200);
    expect((await lab.volume('DELETE', `/volumes/${id}/metadata/a`)).status).toBe(404);
  });

  it('attaches to this host: reserved, attaching, in-use, available', async () => {
    const id = await volume(cloud, lab);
    const connector = { host: 'here', ip: '127.0.0.1', initiator: 'iqn.x', multipath: false };
    const version = '3.54';
    const made = await lab.volume('POST', '/attachments', {
      json: { attachment: { volume_uuid: id, connector } },
      version,
    });
    expect(made.body.attachment.connection_info).toMatchObject({ driver_volume_type: 'nfs', name: `volume-${id}` });
    const again = await lab.volume('POST', '/attachments', { json: { attachment: { volume_uuid: id } }, version });
    expect(again.body.badRequest.message).toMatch(/but the current status is attaching/);
    const path = `/attachments/${made.body.attachment.id}`;
    expect((await lab.volume('POST', `${path}/action`, { json: { 'os-complete': {} }, version })).status).toBe(204);
    expect((await show(id)).status).toBe('in-use');
    const refused = await lab.volume('DELETE', `/volumes/${id}`);
    expect(refused.status).toBe(400);
    expect(refused.body.badRequest.message).toMatch(/^Invalid volume: Volume status must be available or error/);
    expect((await lab.volume('DELETE', path, { version })).status).toBe(200);
    expect((await show(id)).status).toBe('available');
    expect((await lab.volume('GET', '/attachments')).status).toBe(404);
  });

  it('deletes the bytes too', async () => {
    const id = await volume(cloud, lab);
    const file = cloud.volumeFile(id);
    expect((await lab.volume('DELETE', `/volumes/${id}`)).status).toBe(202);
    await cloud.settled();
    expect((await lab.volume('GET', `/volumes/${id}`)).status).toBe(404);
    await expect(stat(file)).rejects.toThrow();
  });

  it('answers 406 above 3.70, 400 for no version, and for another project in the path', async () => {
    expect((await lab.volume('GET', '/volumes', { version: '3.99' })).status).toBe(406);
    expect((await lab.volume('GET', '/volumes', { version: 'abc' })).status).toBe(400);
    const ok = await lab.volume('GET', '/volumes', { version: 'latest' });
    expect(ok.headers.get('openstack-api-version')).toBe('volume 3.70');
    const headers = { 'x-auth-token': lab.token };
    const other = await fetch(`${cloud.url}/volume/v3/nope/volumes`, { headers });
    expect(other.status).toBe(400);
  });

  it('describes its types by aspect', async () => {
    const { body } = await lab.volume('GET', '/types');
    expect(body.volume_types.map((one) => one.description)).toContain('[scs:replicated] fast');
  });
});
