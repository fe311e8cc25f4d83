import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ChunkManifest, RangeList, fillTarget, type DiskPiece, type RangeTarget } from '../../../src/disk/index.js';
import { readBack } from '../../../src/migration/steps/read-back.js';
import { recordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';

const newFolder = tempFolders();
const CHUNK = 4 * 1024 ** 2;
const CAPACITY = 3 * CHUNK;
const DATA = RangeList.from([{ offset: CHUNK, length: CHUNK }]);

/** A target in memory whose storage changes one bit of what it is told to keep, if any. */
class Storage implements RangeTarget {
  readonly name = 'the volume';
  readonly bytes = CAPACITY + CHUNK;
  readonly content = Buffer.alloc(this.bytes);
  readonly spoiled: number | null;

  constructor(spoiled: number | null) {
    this.spoiled = spoiled;
  }

  write(offset: number, bytes: Buffer): Promise<void> {
    bytes.copy(this.content, offset);
    if (this.spoiled !== null) this.flip(this.spoiled);
    return Promise.resolve();
  }
  zero(offset: number, length: number): Promise<void> {
    this.content.fill(0, offset, offset + length);
    return Promise.resolve();
  }
  read(offset: number, buffer: Buffer): Promise<void> {
    this.content.copy(buffer, 0, offset);
    return Promise.resolve();
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
  flip(at: number): void {
    this.content[at] = (this.content[at] ?? 0) ^ 1;
  }
}

async function fill(target: Storage): Promise<string> {
  const disk = Buffer.alloc(CAPACITY);
  randomBytes(CHUNK).copy(disk, CHUNK);
  const path = join(await newFolder(), 'chunks');
  const manifest = await ChunkManifest.open(path, { capacityBytes: CAPACITY, source: 's', target: 't' });
  async function* read(wanted: RangeList): AsyncGenerator<DiskPiece> {
    await Promise.resolve();
    for (const { offset, length } of wanted) yield { offset, bytes: disk.subarray(offset, offset + length) };
  }
  const filled = await fillTarget({
    ...{ capacityBytes: CAPACITY, data: DATA, read, target, isBlank: true, manifest, ctx: recordingContext() },
    onBytes: () => undefined,
  });
  await manifest.close();
  return filled.contentHash;
}

const back = (target: Storage) =>
  readBack(target, {
    capacityBytes: CAPACITY,
    data: DATA,
    signal: new AbortController().signal,
    onBytes: () => undefined,
  });

describe('what is read back of a target', () => {
  it('has the hash of the disk, and another one where the storage kept one bit wrong', async () => {
    const good = new Storage(null);
    const hash = await fill(good);
    expect(await back(good)).toBe(hash);
    const bad = new Storage(CHUNK + 1234);
    expect(await fill(bad)).not.toBe(await back(bad));
  });

  it.each([0, 2 * CHUNK, CAPACITY + CHUNK - 1])('is refused where there should be zeros: bit at %i', async (at) => {
    const target = new Storage(null);
    await fill(target);
    target.flip(at);
    await expect(back(target)).rejects.toMatchObject({ code: 'disk.target_differs' });
  });
});
