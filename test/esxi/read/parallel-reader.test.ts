import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { MIB } from '../../../src/core/index.js';
import { RangeList, type DiskLayout, type Range, type Segment } from '../../../src/disk/index.js';
import { ParallelReader, fileRead, type ReadOptions, type RemoteFile } from '../../../src/esxi/read/index.js';
import { shellStreams } from '../../../src/esxi/read/read-stream.js';
import { localShell } from '../../support/local-shell.js';
import { recordingContext } from '../../support/recording-context.js';

const folders: string[] = [];

/** A file on a "host", and a layout that shows it as a disk. */
function host(bytes: Buffer, name = `it's a "disk"\n$(x) ü-flat.vmdk`) {
  const volumes = mkdtempSync(join(tmpdir(), 'stackferry-read-'));
  folders.push(volumes);
  mkdirSync(join(volumes, 'ds'), { recursive: true });
  writeFileSync(join(volumes, 'ds', name), bytes);
  const files: RemoteFile[] = [{ path: `/vmfs/volumes/ds/${name}`, bytes: bytes.length }];
  return { shell: localShell(volumes), files, layout: flat(bytes.length), local: join(volumes, 'ds', name) };
}

function flat(bytes: number): DiskLayout {
  return {
    capacityBytes: bytes,
    dataRanges: () => Promise.resolve(RangeList.from([{ offset: 0, length: bytes }])),
    locate: (offset, length) => Promise.resolve([{ offset, length, file: 0, position: offset }]),
  };
}

function reader(
  from: Pick<ReturnType<typeof host>, 'shell' | 'files' | 'layout'>,
  wanted: readonly Range[],
  options: Partial<ReadOptions> = {},
  ctx = recordingContext(),
) {
  const source = { layout: from.layout, files: from.files, wanted: RangeList.from(wanted) };
  return new ParallelReader(shellStreams(from.shell), source, ctx, { mostStreams: 4, ...options });
}

async function read(pieces: AsyncIterable<{ offset: number; bytes: Buffer }>): Promise<Map<number, Buffer>> {
  const all = new Map<number, Buffer>();
  let last = -1;
  for await (const { offset, bytes } of pieces) {
    expect(offset).toBeGreaterThan(last);
    expect(Math.floor(offset / (4 * MIB))).toBe(Math.floor((offset + bytes.length - 1) / (4 * MIB)));
    last = offset + bytes.length - 1;
    all.set(offset, Buffer.from(bytes));
  }
  return all;
}

function joined(pieces: Map<number, Buffer>): Buffer {
  return Buffer.concat([...pieces.values()]);
}

/** A taker that is slower than the host. */
const tick = () => sleep(1);
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('blocks of a range', () => {
  it.each([
    [0, MIB, { blockBytes: MIB, skip: 0, count: 1, head: 0, total: MIB }],
    [3 * MIB, 5 * MIB, { blockBytes: MIB, skip: 3, count: 5, head: 0, total: 5 * MIB }],
    [9 * MIB, 4097, { blockBytes: MIB, skip: 9, count: 1, head: 0, total: 4097 }],
    [8192, 4096, { blockBytes: 4096, skip: 2, count: 1, head: 0, total: 4096 }],
    [8200, 100, { blockBytes: 4096, skip: 2, count: 1, head: 8, total: 4096 }],
    [65536 + 1, MIB, { blockBytes: 65536, skip: 1, count: 17, head: 1, total: MIB + 65536 }],
  ])('%i +%i', (position, length, wanted) => {
    expect(fileRead(0, { path: 'x', bytes: 9 * MIB + 4097 }, position, length)).toMatchObject(wanted);
  });

  it('refuses what lies outside', () => {
    expect(() => fileRead(0, { path: 'x', bytes: 10 }, 5, 6)).toThrow(/outside the 10 bytes/);
  });
});

describe('reading a disk over several streams', () => {
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  it('gives every byte once and in order, whatever the name and the ends of the ranges', async () => {
    const bytes = randomBytes(37 * MIB + 12345);
    const from = host(bytes);
    const whole = joined(await read(reader(from, [{ offset: 0, length: bytes.length }]).pieces()));
    expect(sha(whole)).toBe(sha(bytes));

    const wanted = [
      { offset: 1, length: 3 },
      { offset: MIB, length: 9 * MIB },
      { offset: 12 * MIB + 512, length: 70_000 },
      { offset: 30 * MIB, length: 7 * MIB + 12345 },
    ];
    const pieces = await read(reader(from, wanted, { streams: 3 }).pieces());
    const expected = Buffer.concat(wanted.map(({ offset, length }) => bytes.subarray(offset, offset + length)));
    expect(sha(joined(pieces))).toBe(sha(expected));
  });

  it('fills with zeros what no segment covers, and joins segments of several files', async () => {
    const one = randomBytes(2 * MIB);
    const two = randomBytes(MIB);
    const from = host(one);
    writeFileSync(join(dirname(from.local), 'two'), two);
    const files = [...from.files, { path: '/vmfs/volumes/ds/two', bytes: two.length }];
    const segments: Segment[] = [
      { offset: 0, length: MIB, file: 0, position: MIB },
      { offset: 2 * MIB, length: 4096, file: 1, position: 512 },
      { offset: 2 * MIB + 4096, length: 4096, file: 1, position: 4608 },
    ];
    const layout: DiskLayout = {
      capacityBytes: 8 * MIB,
      dataRanges: () => Promise.reject(new Error('not asked')),
      locate: (offset, length) =>
        Promise.resolve(segments.filter((item) => item.offset >= offset && item.offset < offset + length)),
    };
    const pieces = await read(reader({ shell: from.shell, files, layout }, [{ offset: 0, length: 8 * MIB }]).pieces());
    const expected = Buffer.alloc(8 * MIB);
    one.copy(expected, 0, MIB);
    two.copy(expected, 2 * MIB, 512, 512 + 8192);
    expect(sha(joined(pieces))).toBe(sha(expected));
  });

  it('reads a range again when its connection breaks, and only that', async () => {
    const bytes = randomBytes(40 * MIB);
    const from = host(bytes);
    const ctx = recordingContext();
    let got = 0;
    from.shell.onStream = (_command, number) => (number === 1 ? { cutAfter: 5 * MIB + 77 } : null);
    const pieces = reader(from, [{ offset: 0, length: bytes.length }], { streams: 2, onBytes: (n) => (got += n) }, ctx);
    expect(sha(joined(await read(pieces.pieces())))).toBe(sha(bytes));
    expect(ctx.seen.filter((event) => event.kind === 'retry')).toHaveLength(1);
    expect(got).toBeGreaterThanOrEqual(bytes.length);
    expect(got).toBeLessThan(bytes.length + 16 * MIB);
  });

  it.each([1, 2])('gives out no byte of a dd that fails half way, and reads it again (%i streams)', async (streams) => {
    const bytes = randomBytes(40 * MIB);
    const from = host(bytes);
    const ctx = recordingContext();
    const once = join(dirname(dirname(from.local)), 'failed');
    // The next range is asked for already: its bytes follow at once upon those of the one that failed.
    from.shell.before = `dd() { case "$*" in *"skip=8 "*) if mkdir '${once}' 2>/dev/null; then command dd "$1" "$2" "$3" count=1; return 1; fi;; esac; command dd "$@"; }`;
    let takes = 0;
    const pace = () => (takes++ % 8 === 0 ? tick() : undefined);
    const pieces = reader(from, [{ offset: 0, length: bytes.length }], { streams, pace }, ctx);
    expect(sha(joined(await read(pieces.pieces())))).toBe(sha(bytes));
    expect(ctx.seen.filter((event) => event.kind === 'retry')).toHaveLength(1);
  });

  it('ends with an error when every stream breaks', async () => {
    const from = host(randomBytes(20 * MIB));
    from.shell.onStream = () => ({ cutAfter: 100 });
    await expect(read(reader(from, [{ offset: 0, length: 20 * MIB }]).pieces())).rejects.toMatchObject({
      code: 'esxi.connection_lost',
    });
  });

  it('sees a file that has become shorter, at any place', async () => {
    const bytes = randomBytes(24 * MIB);
    for (const left of [0, 1, MIB, 8 * MIB - 1, 8 * MIB, 20 * MIB + 3]) {
      const from = host(bytes);
      truncateSync(from.local, left);
      await expect(read(reader(from, [{ offset: 0, length: bytes.length }]).pieces())).rejects.toMatchObject({
        code: 'esxi.read_failed',
      });
    }
  });

  it('says why where dd is refused, at once', async () => {
    const from = host(randomBytes(20 * MIB));
    from.shell.before = `dd() { echo "dd: can't open 'x': Device or resource busy" >&2; return 1; }`;
    const ctx = recordingContext();
    await expect(read(reader(from, [{ offset: 0, length: 20 * MIB }], {}, ctx).pieces())).rejects.toMatchObject({
      code: 'disk.locked',
    });
    expect(ctx.seen).toEqual([]);

    const gone = host(randomBytes(MIB));
    gone.files[0] = { path: '/vmfs/volumes/ds/gone', bytes: MIB };
    await expect(read(reader(gone, [{ offset: 0, length: MIB }]).pieces())).rejects.toMatchObject({
      code: 'disk.missing',
    });
  });

  it('is not fooled by a disk that holds lines like its own', async () => {
    const lie = Buffer.from(`${'0'.repeat(32)} 0\n`.repeat(60_000)).subarray(0, 2 * MIB);
    const from = host(lie);
    expect(sha(joined(await read(reader(from, [{ offset: 0, length: 2 * MIB }]).pieces())))).toBe(sha(lie));
  });

  it('holds no more than a few requests a stream, and leaves nothing behind when its reader goes', async () => {
    const from = host(randomBytes(200 * MIB));
    let got = 0;
    const source = reader(from, [{ offset: 0, length: 200 * MIB }], { streams: 2, onBytes: (n) => (got += n) });
    for await (const piece of source.pieces()) {
      expect(piece.offset).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 700));
      break;
    }
    // Two streams and two requests more, of 8 MiB each.
    expect(got).toBeLessThanOrEqual(32 * MIB);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const left = readFileSync('/proc/self/task/' + String(process.pid) + '/children', 'utf8').trim();
    expect(left).toBe('');
  });

  it('stops when it is interrupted', async () => {
    const from = host(randomBytes(40 * MIB));
    const ctx = recordingContext();
    const source = reader(from, [{ offset: 0, length: 40 * MIB }], {}, ctx);
    const work = async () => {
      for await (const piece of source.pieces()) if (piece.offset >= 0) ctx.stop();
    };
    await expect(work()).rejects.toMatchObject({ exitCode: 130 });
  });

  it('has nothing to read of an empty list', async () => {
    const from = host(randomBytes(MIB));
    expect((await read(reader(from, []).pieces())).size).toBe(0);
  });
});
