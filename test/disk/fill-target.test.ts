import { randomBytes } from 'node:crypto';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB, systemClock } from '../../src/core/index.js';
import {
  ChunkManifest,
  ChunkMarks,
  ContentHasher,
  chunkDigest,
  RangeList,
  fillTarget,
  type DiskPiece,
  type FillRequest,
  type Range,
  type RangeTarget,
} from '../../src/disk/index.js';
import { tempFolders } from '../support/temp-folder.js';

const newFolder = tempFolders();
const CHUNK = 4 * MIB;
const CAPACITY = 20 * CHUNK + 12_345;

class MemoryTarget implements RangeTarget {
  readonly name = 'the target';
  readonly bytes: Buffer;
  zeroed = 0;
  writes: number[] = [];
  /** Fails after so many writes. */
  failAfter = Infinity;

  constructor(size: number, fill = 0) {
    this.bytes = Buffer.alloc(size, fill);
  }
  write(offset: number, bytes: Buffer): Promise<void> {
    if (this.writes.length >= this.failAfter) return Promise.reject(new Error('killed'));
    this.writes.push(offset);
    bytes.copy(this.bytes, offset);
    return Promise.resolve();
  }
  zero(offset: number, length: number): Promise<void> {
    this.zeroed += length;
    this.bytes.fill(0, offset, offset + length);
    return Promise.resolve();
  }
  read(offset: number, buffer: Buffer): Promise<void> {
    this.bytes.copy(buffer, 0, offset);
    return Promise.resolve();
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
}

function sourceOf(disk: Buffer) {
  let read = 0;
  async function* pieces(wanted: RangeList): AsyncGenerator<DiskPiece> {
    for (const { offset, length } of wanted) {
      for (let at = offset; at < offset + length;) {
        const end = Math.min(offset + length, (Math.floor(at / CHUNK) + 1) * CHUNK);
        await Promise.resolve();
        read += end - at;
        yield { offset: at, bytes: Buffer.from(disk.subarray(at, end)) };
        at = end;
      }
    }
  }
  return {
    read: pieces,
    get bytes() {
      return read;
    },
  };
}

function contentOf(disk: Buffer): string {
  const hasher = new ContentHasher();
  hasher.update(disk);
  return hasher.digest();
}

/** A disk whose data lies in these ranges. */
function diskWith(ranges: readonly Range[], capacity = CAPACITY): Buffer {
  const disk = Buffer.alloc(capacity);
  for (const { offset, length } of ranges) randomBytes(length).copy(disk, offset);
  return disk;
}

const RANGES: Range[] = [
  { offset: 100, length: 70_000 },
  { offset: 2 * CHUNK, length: 5 * CHUNK + 9 },
  { offset: 12 * CHUNK + MIB, length: 2 * CHUNK },
  { offset: 20 * CHUNK, length: 12_345 },
];

async function request(
  disk: Buffer,
  target: RangeTarget,
  more: Partial<FillRequest> & { path?: string; source?: string } = {},
) {
  const { path = join(await newFolder(), 'chunks'), source = 'one', ...rest } = more;
  const manifest = await ChunkManifest.open(path, { capacityBytes: disk.length, source, target: 't' });
  const from = sourceOf(disk);
  return {
    from,
    manifest,
    path,
    all: {
      capacityBytes: disk.length,
      data: RangeList.from(RANGES),
      read: from.read,
      target,
      isBlank: true,
      manifest,
      ctx: { signal: new AbortController().signal, clock: systemClock },
      onBytes: () => undefined,
      ...rest,
    } satisfies FillRequest,
  };
}

describe('a disk is written to a target', () => {
  it.each([
    ['that is blank', 0, true],
    ['that holds rubbish', 0xaa, false],
  ])('%s', async (_what, fill, isBlank) => {
    const disk = diskWith(RANGES);
    const target = new MemoryTarget(CAPACITY, fill);
    const { all, from, manifest } = await request(disk, target, { isBlank });
    const { contentHash, readBytes, keptBytes } = await fillTarget(all);
    expect(target.bytes.equals(disk)).toBe(true);
    expect(contentHash).toBe(contentOf(disk));
    expect({ readBytes, keptBytes }).toEqual({ readBytes: from.bytes, keptBytes: 0 });
    expect(target.zeroed > 0).toBe(!isBlank);
    expect(contentOf(target.bytes)).toBe(contentHash);
    await manifest.close();
  });

  it('and goes on at the chunk after any kill, reading nothing twice that was saved', async () => {
    const disk = diskWith(RANGES);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 12 }), fc.boolean(), async (killedAfter, isBlank) => {
        const target = new MemoryTarget(CAPACITY, isBlank ? 0 : 0x55);
        const first = await request(disk, target, { isBlank });
        target.failAfter = killedAfter;
        // What was written by then is noted though nobody saves it here.
        await fillTarget(first.all).catch(() => undefined);
        await first.manifest.close();
        target.failAfter = Infinity;
        const second = await request(disk, target, { isBlank, path: first.path });
        const known = second.manifest.count;
        const { contentHash, readBytes } = await fillTarget(second.all);
        expect(target.bytes.equals(disk)).toBe(true);
        expect(contentHash).toBe(contentOf(disk));
        expect(second.manifest.count).toBe(21);
        expect(known).toBeGreaterThanOrEqual(Math.min(killedAfter, 12) > 3 ? 1 : 0);
        if (known > 3) expect(readBytes).toBeLessThan(second.all.data.bytes);
        await second.manifest.close();
      }),
      { numRuns: 15 },
    );
  });

  it('writes a chunk again that was changed at rest, by a single bit', async () => {
    const disk = diskWith(RANGES);
    const target = new MemoryTarget(CAPACITY);
    const first = await request(disk, target);
    await fillTarget(first.all);
    await first.manifest.close();
    const at = 3 * CHUNK + 77;
    target.bytes[at] = (target.bytes[at] ?? 0) ^ 4;
    const second = await request(disk, target, { path: first.path });
    const { contentHash, readBytes } = await fillTarget(second.all);
    expect(readBytes).toBe(CHUNK);
    expect(contentHash).toBe(contentOf(disk));
    expect(target.bytes.equals(disk)).toBe(true);
    await second.manifest.close();
  });

  it('notes what it wrote when it is stopped, and nothing where the storage does not take it in', async () => {
    const disk = diskWith(RANGES);
    for (const [flushes, knows] of [
      [true, true],
      [false, false],
    ]) {
      const target = new MemoryTarget(CAPACITY);
      if (!flushes) target.flush = () => Promise.reject(new Error('EIO'));
      const first = await request(disk, target);
      const stop = new AbortController();
      const onBytes = () => target.writes.length >= 6 && stop.abort();
      await expect(
        fillTarget({ ...first.all, ctx: { ...first.all.ctx, signal: stop.signal }, onBytes }),
      ).rejects.toThrow('Interrupted');
      await first.manifest.close();
      const marks = await ChunkManifest.read(first.path, CAPACITY);
      expect((marks?.count ?? 0) > 3).toBe(knows);
      for (let index = 0; index < 21; index++) {
        const chunk = target.bytes.subarray(index * CHUNK, (index + 1) * CHUNK);
        if (marks?.has(index)) expect(marks.matches(index, chunkDigest(chunk))).toBe(true);
      }
    }
  });

  it('saves what a slow source gave, every two seconds, and less often where the flush is slow', async () => {
    const disk = diskWith([{ offset: 0, length: 20 * CHUNK }]);
    const data = RangeList.from([{ offset: 0, length: 20 * CHUNK }]);
    for (const { flushMs, saves } of [
      { flushMs: 0, saves: [3, 6, 9, 12, 15, 18, 20] },
      { flushMs: 500, saves: [3, 10, 17, 20] },
    ]) {
      const target = new MemoryTarget(CAPACITY);
      let now = 0;
      const clock = { now: () => now, sleep: () => Promise.resolve() };
      const { all, manifest } = await request(disk, target, { data });
      const seen: number[] = [];
      target.flush = () => {
        seen.push(target.writes.length);
        now += flushMs;
        return Promise.resolve();
      };
      // As long as a chunk of 4 MiB takes at 5 MiB/s.
      const onBytes = () => void (now += 800);
      await fillTarget({ ...all, ctx: { ...all.ctx, clock }, onBytes });
      expect(seen).toEqual(saves);
      await manifest.close();
    }
  });

  it('after a flush that failed, does not take the word of the next one', async () => {
    const disk = diskWith([{ offset: 0, length: 300 * MIB }], 320 * MIB);
    const target = new MemoryTarget(disk.length);
    let flushes = 0;
    target.flush = () => (++flushes === 1 ? Promise.reject(new Error('EIO')) : Promise.resolve());
    const first = await request(disk, target, { data: RangeList.from([{ offset: 0, length: 300 * MIB }]) });
    await expect(fillTarget(first.all)).rejects.toThrow('EIO');
    await first.manifest.close();
    expect((await ChunkManifest.read(first.path, disk.length))?.count).toBe(0);
  });

  it('does not read again what it read as zeros', async () => {
    const disk = diskWith([{ offset: 2 * CHUNK, length: CHUNK }]);
    const target = new MemoryTarget(CAPACITY);
    const first = await request(disk, target);
    await fillTarget(first.all);
    await first.manifest.close();
    const second = await request(disk, target, { path: first.path });
    const { contentHash, readBytes } = await fillTarget(second.all);
    expect({ contentHash, readBytes }).toEqual({ contentHash: contentOf(disk), readBytes: 0 });
    await second.manifest.close();
  });

  it('begins anew for another state of the source', async () => {
    const disk = diskWith(RANGES);
    const target = new MemoryTarget(CAPACITY);
    const first = await request(disk, target);
    await fillTarget(first.all);
    await first.manifest.close();
    const other = diskWith(RANGES);
    const second = await request(other, target, { path: first.path, source: 'two', isBlank: false });
    expect(second.manifest.count).toBe(0);
    const { contentHash, keptBytes } = await fillTarget(second.all);
    expect({ contentHash, keptBytes }).toEqual({ contentHash: contentOf(other), keptBytes: 0 });
    await second.manifest.close();
  });
});

describe('a manifest of chunks', () => {
  const of = { capacityBytes: 200 * CHUNK, source: 's', target: 't' };
  const digest = (seed: number) => Buffer.alloc(32, seed + 1);

  it('keeps what was saved, and nothing that was only noted', async () => {
    const path = join(await newFolder(), 'chunks');
    const one = await ChunkManifest.open(path, of);
    for (const index of [0, 7, 8, 99]) one.note(index, digest(index));
    await one.save();
    one.note(101, digest(101));
    await one.forget(99); // in one byte with 101
    await one.close();
    const two = await ChunkManifest.open(path, of);
    expect([0, 7, 8, 98, 99, 100, 101].map((index) => two.has(index))).toEqual([
      ...[true, true, true, true],
      ...[false, false, false],
    ]);
    expect(two.matches(7, digest(7))).toBe(true);
    expect(two.matches(7, digest(8))).toBe(false);
    expect(two.matches(1, chunkDigest(Buffer.alloc(CHUNK)))).toBe(true);
    await two.forget(7);
    await two.close();
    const three = await ChunkManifest.open(path, of);
    expect(three.has(7)).toBe(false);
    expect(three.count).toBe(98);
    await three.close();
    expect(() => one.note(3, digest(3))).toThrow(RangeError);
  });

  it('tells by the sum of a group what three bytes cannot', async () => {
    const path = join(await newFolder(), 'chunks');
    const manifest = await ChunkManifest.open(path, of);
    const digests = Array.from({ length: 64 }, (_, index) => digest(index));
    digests.forEach((item, index) => {
      manifest.note(64 + index, item);
    });
    await manifest.save();
    expect(manifest.groupMatches(1, digests)).toBe(true);
    const other = Buffer.from(digest(5));
    other[31] = 0xff;
    expect(manifest.matches(64 + 5, other)).toBe(true);
    expect(manifest.groupMatches(1, digests.with(5, other))).toBe(false);
    await manifest.close();
  });

  it('is written as a whole, read again, and tells the first chunk that differs', async () => {
    const path = join(await newFolder(), 'chunks');
    const marksOf = (disk: Buffer) => {
      const marks = new ChunkMarks(disk.length);
      const hasher = new ContentHasher((index, told) => {
        marks.note(index, told);
      });
      hasher.update(disk);
      hasher.digest();
      return marks;
    };
    const disk = diskWith(RANGES);
    await ChunkManifest.write(path, { ...of, capacityBytes: CAPACITY }, marksOf(disk));
    const kept = await ChunkManifest.read(path, CAPACITY);
    expect(kept?.count).toBe(21);
    expect(kept?.firstDifference(marksOf(disk))).toBeNull();
    for (const at of [CAPACITY - 1, 13 * CHUNK, 12 * CHUNK - 1]) {
      disk[at] = (disk[at] ?? 0) ^ 0x10;
      const offset = Math.floor(at / CHUNK) * CHUNK;
      expect(kept?.firstDifference(marksOf(disk))).toEqual({ offset, length: Math.min(CHUNK, CAPACITY - offset) });
    }
    expect(await ChunkManifest.read(path, CAPACITY + 1)).toBeNull();
    expect(await ChunkManifest.read(`${path}.none`, CAPACITY)).toBeNull();
  });

  it('names the 64 chunks where three bytes agree and the whole digests do not', () => {
    const [one, two] = [new ChunkMarks(of.capacityBytes), new ChunkMarks(of.capacityBytes)];
    const other = Buffer.from(digest(70));
    other[31] = 0xff;
    one.note(70, digest(70));
    two.note(70, other);
    one.noteRest();
    two.noteRest();
    expect(one.firstDifference(two)).toEqual({ offset: 64 * CHUNK, length: 64 * CHUNK });
  });

  it('survives being cut anywhere: it then knows less', async () => {
    const path = join(await newFolder(), 'chunks');
    const one = await ChunkManifest.open(path, of);
    for (let index = 0; index < 200; index++) one.note(index, digest(index));
    await one.save();
    await one.close();
    const { size } = await stat(path);
    for (const left of [0, 100, 4096, 4100, size - 10, size - 1]) {
      const copy = `${path}-${left}`;
      await writeFile(copy, await readFile(path));
      await truncate(copy, left);
      const cut = await ChunkManifest.open(copy, of);
      expect(cut.count).toBeLessThan(200);
      for (let index = 0; index < 200; index++)
        if (cut.has(index)) expect(cut.matches(index, digest(index))).toBe(true);
      await cut.close();
    }
  });

  it('is small: under 1 MiB for each TiB', async () => {
    const path = join(await newFolder(), 'chunks');
    const terabyte = { ...of, capacityBytes: 1024 ** 4 };
    const manifest = await ChunkManifest.open(path, terabyte);
    manifest.note(262_143, digest(1));
    await manifest.save();
    await manifest.close();
    const file = await open(path);
    const { size } = await file.stat();
    await file.close();
    expect(size).toBeLessThan(1024 ** 2);
  });
});
