import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MIB } from '../../../src/core/index.js';
import { CHUNK_BYTES, DiskHasher, RangeList, hashRawFile, type DiskPiece } from '../../../src/disk/index.js';
import { apiDisks, type FolderDisks } from '../../../src/esxi/api-disks.js';
import type { SourceDisk, SourceDisks } from '../../../src/esxi/index.js';
import type { DiskRecord } from '../../../src/esxi/inventory/schema.js';
import { SoapSession } from '../../../src/esxi/soap/session.js';
import { recordingContext, type RecordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';
import { patterned, writeStreamOptimized } from '../../support/vmdk-files.js';
import { LeaseHost } from './lease-host.js';

const temp = tempFolders();
const FIRST = patterned(13 * MIB, 'first');
/** Nothing that can be packed. */
const SECOND = randomBytes(6 * MIB);
/** Nothing at its start, so that zeros reach over the ends of chunks, in pieces that do not begin at one. */
FIRST.fill(0, 65536, 5 * MIB);

let ctx: RecordingContext;
let host: LeaseHost;
let session: SoapSession;
let disks: FolderDisks;
let folder: string;

beforeEach(async () => {
  folder = await temp();
  ctx = recordingContext();
  host = new LeaseHost();
  const target = await host.listen();
  host.disks = [
    { key: 'ParaVirtualSCSIController0:0', path: join(folder, 'first.vmdk') },
    { key: 'VirtualNVMEController0:0', path: join(folder, 'second.vmdk') },
  ];
  await writeStreamOptimized(join(folder, 'first.vmdk'), FIRST);
  await writeStreamOptimized(join(folder, 'second.vmdk'), SECOND);
  session = await SoapSession.open(target, ctx);
  disks = apiDisks(session, target, ctx);
});

afterEach(async () => {
  disks.close();
  await session.close();
  await host.close();
});

const record = (label: string, bytes: number): DiskRecord => ({
  label,
  controller: label.startsWith('scsi') ? 'pvscsi' : 'nvme',
  path: `[ds1] web/${label}.vmdk`,
  capacity_bytes: bytes,
  allocated_bytes: null,
  kind: 'flat',
  mode: 'persistent',
  shared: false,
  chain: [`[ds1] web/${label}.vmdk`],
});

/** `/folder` of this host refuses, so that a lease is the way. */
function plan(bytes = FIRST.length): Promise<SourceDisks> {
  const records = [record('scsi0:0', bytes), record('nvme0:0', SECOND.length)];
  return disks.plan({ id: '16', name: 'web' }, records, ctx, { outputDir: null });
}

async function disk(label: string, bytes?: number): Promise<SourceDisk> {
  const found = (await plan(bytes)).disks.find((one) => one.label === label);
  if (!found) throw new Error(`no ${label}`);
  return found;
}

async function pieces(of: SourceDisk, wanted?: RangeList): Promise<AsyncGenerator<DiskPiece>> {
  const open = await of.open(ctx, { trustMap: 'auto' });
  return open.pieces(wanted ?? (await open.dataRanges()), { mostStreams: 4 });
}

/** The disk from pieces that follow one another; fails where one crosses the end of a chunk. */
async function content(of: SourceDisk, wanted?: RangeList): Promise<Buffer> {
  const all = Buffer.alloc(of.capacityBytes, 0xee);
  let end = 0;
  for await (const { offset, bytes } of await pieces(of, wanted)) {
    expect(offset).toBeGreaterThanOrEqual(end);
    end = offset + bytes.length;
    expect(Math.floor((end - 1) / CHUNK_BYTES)).toBe(Math.floor(offset / CHUNK_BYTES));
    all.set(bytes, offset);
  }
  return all;
}

const states = () => host.leases.map(({ state }) => state);

describe('a disk under a lease', () => {
  it('is whole, and the lease is completed', async () => {
    expect((await content(await disk('scsi0:0'))).equals(FIRST)).toBe(true);
    expect(states()).toEqual(['complete']);
    expect(host.downloads).toEqual(['ParaVirtualSCSIController0:0']);
    expect(ctx.seen).toContainEqual(
      expect.objectContaining({ kind: 'notice', message: expect.stringContaining('as the host exports it') as string }),
    );
  });

  it('is hashed as any other disk', async () => {
    const hasher = new DiskHasher(FIRST.length);
    for await (const piece of hasher.through(await pieces(await disk('scsi0:0')))) expect(piece.bytes).toBeDefined();
    const path = join(folder, 'first.raw');
    await writeFile(path, FIRST);
    const { contentHash } = await hashRawFile(path, { signal: ctx.signal });
    expect(await hasher.digest()).toBe(contentHash);
  });

  it('gives only what is wanted, as a run that goes on wants it; of nothing there is no lease', async () => {
    const wanted = RangeList.from([
      { offset: 4 * MIB, length: 4 * MIB },
      { offset: 11 * MIB, length: MIB },
    ]);
    const expected = Buffer.alloc(FIRST.length, 0xee);
    for (const { offset, length } of wanted) FIRST.copy(expected, offset, offset, offset + length);
    const of = await disk('scsi0:0');
    expect((await content(of, wanted)).equals(expected)).toBe(true);
    expect(states()).toEqual(['complete']);
    for await (const piece of await pieces(of, RangeList.from([]))) expect(piece).toBeUndefined();
    expect(states()).toEqual(['complete']);
  });

  it('lives as long as it is taken, however slowly', async () => {
    host.timeoutSeconds = 0.4;
    const reading = await pieces(await disk('scsi0:0'));
    await reading.next();
    const [lease] = host.leases;
    // Many times the life of a lease that nobody renews.
    await vi.waitFor(() => expect(lease?.told.length).toBeGreaterThan(20), { timeout: 20_000 });
    let last = -1;
    for (const percent of lease?.told ?? []) {
      expect(percent).toBeGreaterThanOrEqual(last);
      last = percent;
    }
    const all = Buffer.alloc(FIRST.length);
    FIRST.copy(all, 0, 0, 65536); // the piece that was taken
    for await (const { offset, bytes } of reading) all.set(bytes, offset);
    expect(all.subarray(65536).equals(FIRST.subarray(65536))).toBe(true);
    expect(states()).toEqual(['complete']);
  });

  it('is held where a limit of the rate asks for it, and tells how the host answers', async () => {
    const of = await disk('nvme0:0');
    const open = await of.open(ctx, { trustMap: 'auto' });
    let [paced, told, answered] = [0, 0, 0];
    const options = {
      mostStreams: 1,
      onBytes: (bytes: number) => void (told += bytes),
      pace: async (bytes: number) => {
        await sleep(1);
        paced += bytes;
      },
      onAnswer: ({ bytes, reads }: { bytes: number; reads: number }) => {
        answered += bytes * reads;
        return undefined;
      },
    };
    for await (const piece of open.pieces(await open.dataRanges(), options)) expect(piece).toBeDefined();
    const { size } = await stat(join(folder, 'second.vmdk'));
    expect([paced, told]).toEqual([size, size]);
    expect(answered).toBeGreaterThan(4 * MIB - 1);
  });

  it('waits for the other disk of its VM', async () => {
    const both = (await plan()).disks;
    const [first, second] = await Promise.all(both.map((one) => content(one)));
    expect(first?.equals(FIRST)).toBe(true);
    expect(second?.equals(SECOND)).toBe(true);
    expect(states()).toEqual(['complete', 'complete']);
  });

  it('that broke off gives its lease back, and is read anew under another', async () => {
    const of = await disk('scsi0:0');
    host.cutAfter = MIB;
    await expect(content(of)).rejects.toMatchObject({ code: 'esxi.connection_lost' });
    expect(states()).toEqual(['aborted']);
    host.cutAfter = null;
    expect((await content(of)).equals(FIRST)).toBe(true);
    expect(states()).toEqual(['aborted', 'complete']);
  });

  it('that ends too early is not taken for whole', async () => {
    const path = join(folder, 'first.vmdk');
    const file = await readFile(path);
    // Footer and end-of-stream marker, and with them a part of the directory: a stream that ends well is cut short.
    await writeFile(path, file.subarray(0, file.length - 1024));
    await expect(content(await disk('scsi0:0'))).rejects.toMatchObject({ code: 'disk.short_file' });
    expect(states()).toEqual(['aborted']);
  });

  it('of another size than the inventory knows is refused', async () => {
    await expect(content(await disk('scsi0:0', FIRST.length + 512))).rejects.toMatchObject({
      code: 'esxi.read_failed',
    });
    expect(states()).toEqual(['aborted']);
  });

  it('that nobody takes to its end gives its lease back', async () => {
    const reading = await pieces(await disk('scsi0:0'));
    await reading.next();
    await reading.return(undefined);
    expect(states()).toEqual(['aborted']);
  });

  it('gives its lease back when it is interrupted', async () => {
    const reading = await pieces(await disk('scsi0:0'));
    await reading.next();
    ctx.stop();
    await expect(
      (async () => {
        while ((await reading.next()).done !== true);
      })(),
    ).rejects.toMatchObject({ code: 'interrupted' });
    expect(states()).toEqual(['aborted']);
  });

  it('gives its lease back when it is interrupted before it is ready', async () => {
    const of = await disk('scsi0:0');
    host.replies.set('RetrievePropertiesEx', () => {
      ctx.stop();
      return { status: 503 };
    });
    await expect(content(of)).rejects.toMatchObject({ code: 'interrupted' });
    expect(states()).toEqual(['aborted']);
  });
});

describe('a lease that cannot be had', () => {
  it.each([
    ['InvalidPowerState', 'vm.powered_on'],
    ['RestrictedVersion', 'host.free_license'],
    ['NoPermission', 'esxi.no_permission'],
    ['MethodNotFound', 'esxi.fault'],
  ])('%s is %s', async (fault, code) => {
    host.replies.set('ExportVm', () => ({ fault }));
    await expect(content(await disk('scsi0:0'))).rejects.toMatchObject({ code });
  });

  it('ends in its own fault', async () => {
    host.leaseError = 'FileFault';
    await expect(content(await disk('scsi0:0'))).rejects.toMatchObject({
      code: 'esxi.fault',
      details: { fault: 'FileFault' },
    });
    expect(states()).toEqual(['aborted']);
    // And the next disk of the VM may try.
    host.leaseError = null;
    expect((await content(await disk('nvme0:0'))).equals(SECOND)).toBe(true);
  });

  it.each([
    ['another host', 'https://evil.example/nfc/x/disk-0.vmdk'],
    ['no HTTPS', 'http://*/nfc/x/disk-0.vmdk'],
    ['no address', 'disk-0.vmdk'],
  ])('that sends us to %s is not followed', async (_, address) => {
    host.addressOf = () => address;
    await expect(content(await disk('scsi0:0'))).rejects.toMatchObject({ code: 'esxi.bad_answer' });
    expect(host.downloads).toEqual([]);
    expect(states()).toEqual(['aborted']);
  });

  it('of disks that cannot be told apart is not guessed from', async () => {
    host.disks = host.disks.map((one) => ({ ...one, key: 'VirtualLsiLogicController0:0' }));
    await expect(content(await disk('scsi0:0'))).rejects.toMatchObject({ code: 'disk.missing' });
    expect(host.downloads).toEqual([]);
  });

  it('gives nothing once it has run out', async () => {
    const of = await disk('scsi0:0');
    host.timeoutSeconds = 0.01;
    host.replies.set('HttpNfcLeaseProgress', () => ({ fault: 'Timedout' }));
    const get = host.get;
    host.get = (request, response) => void sleep(50).then(() => get(request, response));
    await expect(content(of)).rejects.toMatchObject({
      code: 'esxi.read_failed',
      message: expect.stringContaining('HTTP 404') as string,
    });
  });
});

describe('what is read under leases', () => {
  it('changed where the configuration of the VM has another version', async () => {
    const planned = await plan();
    expect(planned.disks[0]?.tokens).toEqual([['[ds1] web/scsi0:0.vmdk', host.changeVersion]]);
    await planned.recheck(ctx);
    host.changeVersion = '2026-01-01T00:00:01Z';
    await expect(planned.recheck(ctx)).rejects.toMatchObject({ code: 'vm.changed_during_copy' });
  });

  it('has no files to copy', async () => {
    await expect((await disk('scsi0:0')).copy(folder, ctx, {})).rejects.toMatchObject({
      code: 'esxi.no_files',
    });
  });
});
