import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as tick } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIB, Secret } from '../../../src/core/index.js';
import type { DiskPiece } from '../../../src/disk/index.js';
import { planExport, recheckSource } from '../../../src/esxi/export/index.js';
import { FolderClient, FolderFiles } from '../../../src/esxi/folder/index.js';
import { folderUrl } from '../../../src/esxi/folder/folder-url.js';
import type { DiskRecord } from '../../../src/esxi/inventory/schema.js';
import { openRemoteDisk } from '../../../src/esxi/read/index.js';
import type { SoapTarget } from '../../../src/esxi/soap/target.js';
import { recordingContext, type RecordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';
import { patterned, writeCowd, writeFlat } from '../../support/vmdk-files.js';
import { FolderServer } from './folder-server.js';

const temp = tempFolders();
let ctx: RecordingContext;
let server: FolderServer;
let client: FolderClient;
let files: FolderFiles;
let folder: string;
let target: SoapTarget;

beforeEach(async () => {
  ctx = hurried();
  const root = await temp();
  folder = join(root, 'datastore 1 (süd)', "wéb #1 '%");
  await mkdir(folder, { recursive: true });
  server = new FolderServer(root);
  const port = await server.listen();
  target = {
    host: '127.0.0.1',
    port,
    user: 'root',
    password: () => Promise.resolve(new Secret('secret')),
    ca: server.cert,
    insecure: false,
  };
  connect();
});

afterEach(async () => {
  client.close();
  await server.close();
});

/** A context whose time passes by waiting alone. */
function hurried(): RecordingContext {
  let now = 1_000_000;
  const sleep = async (ms: number) => {
    now += ms;
    await tick();
  };
  return { ...recordingContext(), clock: { now: () => now, sleep } };
}

function connect(changes: Partial<SoapTarget> = {}): void {
  client = new FolderClient({ ...target, ...changes }, ctx);
  files = new FolderFiles(client, ctx);
}

function record(...names: string[]): DiskRecord {
  const chain = names.map((name) => `[datastore 1 (süd)] wéb #1 '%/${name}`);
  const rest = { allocated_bytes: null, kind: null, mode: 'persistent', shared: false, chain } as const;
  return { label: 'scsi0:0', controller: 'pvscsi', path: chain.at(-1) ?? null, capacity_bytes: null, ...rest };
}

const probe: FolderFiles['probe'] = (requests, context) => files.probe(requests, context);

async function plan(...names: string[]) {
  const made = await planExport(probe, [record(...names)], ctx, { outputDir: null });
  const [disk] = made.disks;
  if (!disk) throw new Error('no disk');
  return disk;
}

async function readAll(...names: string[]): Promise<Buffer> {
  const disk = await plan(...names);
  const remote = await openRemoteDisk(files, disk, ctx, { trustMap: 'auto' });
  const content = Buffer.alloc(disk.capacityBytes);
  const wanted = await remote.layout.dataRanges();
  for await (const { offset, bytes } of remote.pieces(wanted, { mostStreams: 8, streams: 8 }))
    bytes.copy(content, offset);
  return content;
}

/** Bytes of all pieces. */
async function drained(pieces: AsyncIterable<DiskPiece>): Promise<number> {
  let bytes = 0;
  for await (const piece of pieces) bytes += piece.bytes.length;
  return bytes;
}

describe('folderUrl', () => {
  const base = new URL('https://esx1/');

  it('encodes each part of a path by itself', () => {
    expect(folderUrl(base, '/vmfs/volumes/ds 1 (a)/wéb #1/a%2f?.vmdk').href).toBe(
      'https://esx1/folder/w%C3%A9b%20%231/a%252f%3F.vmdk?dcPath=ha-datacenter&dsName=ds%201%20%28a%29',
    );
  });

  for (const path of ['/etc/shadow', '/vmfs/volumes/ds', '/vmfs/volumes/ds/../x', '/vmfs/volumes//x', 'x']) {
    it(`takes ${path} for no file on a datastore`, () => {
      expect(() => folderUrl(base, path)).toThrow(RangeError);
    });
  }
});

describe('a disk over HTTPS', () => {
  const content = patterned(21 * MIB + 512, 'https');

  it('is read by ranges, four at once at the most, whatever is in its names', async () => {
    await writeFlat(folder, 'web 01', content);
    expect((await readAll('web 01.vmdk')).equals(content)).toBe(true);
    expect(server.mostOpen).toBeGreaterThan(1);
    expect(server.mostOpen).toBeLessThanOrEqual(4);
    expect(server.seen.at(-1)?.cookie).toBe('vmware_soap_session="52f0"');
  });

  it('is read with its snapshots as one disk', async () => {
    const base = await writeFlat(folder, 'web', content);
    const changed = Buffer.from(content);
    patterned(2 * MIB, 'delta').copy(changed, 5 * MIB);
    await writeCowd(folder, 'web-000001', base, content, changed);
    expect((await readAll('web.vmdk', 'web-000001.vmdk')).equals(changed)).toBe(true);
  });

  it('goes on with the range that broke off', async () => {
    await writeFlat(folder, 'web', content);
    let cuts = 0;
    server.fault = (_, number) => (number > 3 && cuts++ < 2 ? { cutAfter: 100_000 } : null);
    expect((await readAll('web.vmdk')).equals(content)).toBe(true);
    expect(cuts).toBeGreaterThan(1);
    expect(ctx.seen.filter(({ kind }) => kind === 'retry')).not.toHaveLength(0);
  });

  it('waits with all requests when the host is busy, and goes on', async () => {
    await writeFlat(folder, 'web', content);
    let busy = 0;
    server.fault = (_, number) => (number > 3 && busy++ < 6 ? { status: 503, headers: { 'retry-after': '1' } } : null);
    expect((await readAll('web.vmdk')).equals(content)).toBe(true);
    expect(busy).toBeGreaterThan(6);
  });

  it('is taken from one stream where the host sends no ranges', async () => {
    server.ranges = false;
    await writeFlat(folder, 'web', content);
    expect((await readAll('web.vmdk')).equals(content)).toBe(true);
    expect(files.hasRanges).toBe(false);
    // Descriptor and flat file are looked at, then the flat file is read once.
    expect(server.seen).toHaveLength(3);
    expect(server.mostOpen).toBe(1);
  });

  it('with snapshots is refused where the host sends no ranges', async () => {
    server.ranges = false;
    const base = await writeFlat(folder, 'web', content);
    await writeCowd(folder, 'web-000001', base, content, content);
    await expect(readAll('web.vmdk', 'web-000001.vmdk')).rejects.toMatchObject({ code: 'esxi.no_ranges' });
  });

  it('that changes while it is read is seen', async () => {
    await writeFlat(folder, 'web', content);
    const disk = await plan('web.vmdk');
    await recheckSource(probe, { disks: [disk] }, ctx);
    await truncate(join(folder, 'web-flat.vmdk'), MIB);
    await expect(recheckSource(probe, { disks: [disk] }, ctx)).rejects.toMatchObject({
      code: 'vm.changed_during_copy',
    });
    const reading = openRemoteDisk(files, disk, ctx, { trustMap: 'auto' }).then(async (remote) =>
      drained(remote.pieces(await remote.layout.dataRanges(), { mostStreams: 2 })),
    );
    await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/^(esxi|disk)\./) as string });
  });

  it('takes no other range for the one that was asked for', async () => {
    await writeFlat(folder, 'web', content);
    const disk = await plan('web.vmdk');
    server.fault = () => ({ shift: 512 });
    const remote = await openRemoteDisk(files, disk, ctx, { trustMap: 'auto' });
    const pieces = remote.pieces(await remote.layout.dataRanges(), { mostStreams: 1 });
    await expect(pieces.next()).rejects.toMatchObject({ code: 'esxi.read_failed' });
  });

  it('stops at once when it is interrupted', async () => {
    await writeFlat(folder, 'web', content);
    const disk = await plan('web.vmdk');
    const remote = await openRemoteDisk(files, disk, ctx, { trustMap: 'auto' });
    const pieces = remote.pieces(await remote.layout.dataRanges(), { mostStreams: 4 });
    await pieces.next();
    ctx.stop();
    const rest = drained(pieces);
    await expect(rest).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('what a host refuses over HTTPS', () => {
  const content = patterned(5 * MIB, 'refused');

  it('a wrong password is tried once, for a few misses lock the account', async () => {
    await writeFlat(folder, 'web', content);
    client.close();
    connect({ password: () => Promise.resolve(new Secret('wrong')) });
    const failure = plan('web.vmdk');
    await expect(failure).rejects.toMatchObject({ code: 'esxi.login_refused' });
    expect(server.seen).toHaveLength(1);
    expect(JSON.stringify(ctx.seen)).not.toContain('wrong');
  });

  it('a certificate that is not trusted gets no password', async () => {
    client.close();
    delete target.ca;
    connect();
    await expect(plan('web.vmdk')).rejects.toMatchObject({ code: 'esxi.certificate' });
    expect(server.seen).toHaveLength(0);
  });

  it('a file that it does not have', async () => {
    await expect(plan('web.vmdk')).rejects.toMatchObject({ code: 'disk.missing' });
  });

  it('a file that something holds', async () => {
    await writeFlat(folder, 'web', content);
    server.fault = ({ path }) => (path.endsWith('-flat.vmdk') ? { status: 500 } : null);
    await expect(plan('web.vmdk')).rejects.toMatchObject({
      code: 'esxi.read_failed',
      message: expect.stringContaining('HTTP 500') as string,
    });
  });

  it('an account without the right', async () => {
    server.fault = () => ({ status: 403 });
    await expect(plan('web.vmdk')).rejects.toMatchObject({ code: 'esxi.no_permission' });
  });

  it('a host that stays busy ends in an error', async () => {
    server.fault = () => ({ status: 503 });
    await expect(plan('web.vmdk')).rejects.toMatchObject({ code: 'esxi.overloaded' });
    expect(server.seen).toHaveLength(8);
  });

  it('an empty file is one of no bytes', async () => {
    await writeFile(join(folder, 'empty.vmdk'), '');
    const [found] = await probe(
      [{ path: "/vmfs/volumes/datastore 1 (süd)/wéb #1 '%/empty.vmdk", headBytes: 512, lock: false }],
      ctx,
    );
    expect(found).toMatchObject({ state: 'file', bytes: 0 });
  });
});
