import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, ContentHasher, chunkDigest, hashParts, hashRawFile, isZero } from '../../src/disk/index.js';
import { recordingContext } from '../support/recording-context.js';
import { tempFolders } from '../support/temp-folder.js';
import { patterned } from '../support/vmdk-files.js';

/** The definition, word for word. */
function naive(disk: Buffer): string {
  const whole = createHash('sha256');
  for (let at = 0; at < disk.length; at += CHUNK_BYTES) {
    whole.update(
      createHash('sha256')
        .update(disk.subarray(at, at + CHUNK_BYTES))
        .digest(),
    );
  }
  return `sha256-4m:${whole.digest('hex')}`;
}

const temp = tempFolders();
const { signal } = recordingContext();

describe('ContentHasher', () => {
  it('knows the hash of an empty disk and of one byte', () => {
    // printf '' | sha256sum; printf x | sha256sum | xxd -r -p | sha256sum
    expect(new ContentHasher().digest()).toBe(
      'sha256-4m:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    const one = new ContentHasher();
    one.update(Buffer.from('x'));
    expect(one.digest()).toBe(naive(Buffer.from('x')));
  });

  it('is the definition, however bytes, zeros and chunk digests are fed', () => {
    const piece = fc.record({ zero: fc.boolean(), length: fc.integer({ min: 0, max: 3 * CHUNK_BYTES }) });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 255 }), (pieces, byte) => {
        const hasher = new ContentHasher();
        const disk: Buffer[] = [];
        for (const { zero, length } of pieces) {
          const bytes = Buffer.alloc(length, zero ? 0 : byte);
          if (zero && length % 2 === 0) hasher.zeros(length);
          else hasher.update(bytes);
          disk.push(bytes);
        }
        expect(hasher.digest()).toBe(naive(Buffer.concat(disk)));
      }),
      { numRuns: 25 },
    );
  });

  it('takes ready digests between chunks only', () => {
    const disk = patterned(2 * CHUNK_BYTES + 1000, 'ready');
    const hasher = new ContentHasher();
    for (let at = 0; at < disk.length; at += CHUNK_BYTES)
      hasher.chunk(chunkDigest(disk.subarray(at, at + CHUNK_BYTES)));
    expect(hasher.digest()).toBe(naive(disk));
    const other = new ContentHasher();
    other.zeros(1);
    expect(() => other.chunk(chunkDigest(Buffer.alloc(1)))).toThrow(RangeError);
  });

  it('gives its hash once', () => {
    const hasher = new ContentHasher();
    hasher.digest();
    expect(() => hasher.digest()).toThrow(RangeError);
  });

  it('does not take a last non-zero byte for zero', () => {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    expect(isZero(chunk)).toBe(true);
    chunk[CHUNK_BYTES - 1] = 1;
    expect(isZero(chunk)).toBe(false);
    expect(chunkDigest(chunk)).toEqual(createHash('sha256').update(chunk).digest());
  });
});

describe('hashing files', () => {
  it('hashes a raw file with holes, with its SHA-256 when asked', async () => {
    const path = join(await temp(), 'disk.raw');
    const disk = Buffer.concat([patterned(CHUNK_BYTES, 'a'), Buffer.alloc(5 * CHUNK_BYTES), Buffer.from('tail')]);
    await writeFile(path, disk);
    const progress: number[] = [];
    const result = await hashRawFile(path, { signal, sha256: true, onProgress: (done) => progress.push(done) });
    expect(result).toEqual({
      contentHash: naive(disk),
      sha256: createHash('sha256').update(disk).digest('hex'),
      bytes: disk.length,
    });
    expect(progress.at(-1)).toBe(disk.length);
    expect((await hashRawFile(path, { signal })).sha256).toBeNull();
  });

  it('hashes parts of files as one disk, chunks across their borders', async () => {
    const folder = await temp();
    const disk = patterned(3 * CHUNK_BYTES, 'parts');
    const cut = CHUNK_BYTES + 12345;
    await writeFile(join(folder, 'a'), disk.subarray(0, cut));
    await writeFile(join(folder, 'b'), Buffer.concat([Buffer.alloc(77, 9), disk.subarray(cut)]));
    const parts = [
      { path: join(folder, 'a'), offset: 0, bytes: cut },
      { path: join(folder, 'b'), offset: 77, bytes: disk.length - cut },
    ];
    expect((await hashParts(parts, { signal })).contentHash).toBe(naive(disk));
  });

  it('costs little for a large hole', async () => {
    const path = join(await temp(), 'hole.raw');
    const file = await open(path, 'w');
    await file.truncate(32 * CHUNK_BYTES);
    await file.close();
    const hasher = new ContentHasher();
    hasher.zeros(32 * CHUNK_BYTES);
    expect((await hashRawFile(path, { signal })).contentHash).toBe(hasher.digest());
  });

  it('names a file that is shorter than its part, and one that is not there', async () => {
    const path = join(await temp(), 'short.raw');
    await writeFile(path, Buffer.alloc(100));
    await expect(hashParts([{ path, offset: 0, bytes: 101 }], { signal })).rejects.toMatchObject({
      code: 'disk.short_file',
    });
    await expect(hashRawFile(`${path}.no`, { signal })).rejects.toMatchObject({ code: 'file.unreadable' });
  });

  it('stops when it is told to', async () => {
    const path = join(await temp(), 'disk.raw');
    await writeFile(path, Buffer.alloc(10));
    const ctx = recordingContext();
    ctx.stop();
    await expect(hashRawFile(path, { signal: ctx.signal })).rejects.toMatchObject({ code: 'interrupted' });
  });
});
