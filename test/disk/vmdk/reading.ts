import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  LocalBytes,
  parseDescriptor,
  vmdkLayout,
  type ByteSource,
  type DiskLayout,
  type VmdkLink,
} from '../../../src/disk/index.js';

/** A file in memory; reads past its end are the reader's fault. Counts them. */
export class MemoryBytes implements ByteSource {
  readonly name: string;
  readonly #content: Buffer;
  reads = 0;
  largest = 0;

  constructor(name: string, content: Buffer) {
    this.name = name;
    this.#content = content;
  }

  get bytes(): number {
    return this.#content.length;
  }

  read(position: number, length: number): Promise<Buffer> {
    this.reads += 1;
    this.largest = Math.max(this.largest, length);
    if (position < 0 || length < 0 || position + length > this.bytes) {
      throw new Error(`${this.name}: ${length} bytes at ${position} are outside of ${this.bytes}`);
    }
    return Promise.resolve(Buffer.from(this.#content.subarray(position, position + length)));
  }
}

/** Opens the chain of these descriptors, base first; the extents of a link follow those of the one below in `files`. */
export async function openChain(
  folder: string,
  descriptors: readonly string[],
  open: (path: string) => Promise<ByteSource>,
): Promise<{ links: VmdkLink[]; files: ByteSource[] }> {
  const links: VmdkLink[] = [];
  const files: ByteSource[] = [];
  for (const name of descriptors) {
    const descriptor = parseDescriptor(await readFile(join(folder, name)));
    const own: number[] = [];
    for (const { fileName } of descriptor.extents) {
      own.push(fileName === null ? -1 : files.length);
      if (fileName !== null) files.push(await open(join(folder, fileName)));
    }
    links.push({ descriptor, files: own });
  }
  return { links, files };
}

/** The disk's bytes as its layout says: data ranges only, looked up in steps of `step`. */
export async function readDisk(layout: DiskLayout, files: readonly ByteSource[], step = 3_000_000): Promise<Buffer> {
  const disk = Buffer.alloc(layout.capacityBytes);
  for (const { offset, length } of await layout.dataRanges()) {
    for (let at = offset; at < offset + length; at += step) {
      let last = at;
      for (const segment of await layout.locate(at, Math.min(step, offset + length - at))) {
        const inside =
          segment.offset >= last && segment.offset + segment.length <= Math.min(at + step, offset + length);
        if (!inside || segment.length <= 0) throw new Error('a segment out of order or place');
        last = segment.offset + segment.length;
        const bytes = await files[segment.file]?.read(segment.position, segment.length);
        bytes?.copy(disk, segment.offset);
      }
    }
  }
  return disk;
}

/** Opens a chain of local files for as long as `use` takes. */
export async function withChain<T>(
  folder: string,
  descriptors: readonly string[],
  use: (links: VmdkLink[], files: ByteSource[]) => Promise<T>,
): Promise<T> {
  const opened: LocalBytes[] = [];
  try {
    const { links, files } = await openChain(folder, descriptors, async (path) => {
      const file = await LocalBytes.open(path);
      opened.push(file);
      return file;
    });
    return await use(links, files);
  } finally {
    for (const file of opened) await file.close();
  }
}

/** Reads the disk of a chain of local files whole. */
export function readChain(folder: string, descriptors: readonly string[]): Promise<Buffer> {
  return withChain(folder, descriptors, async (links, files) => readDisk(await vmdkLayout(links, files), files));
}

/** The disk as qemu-img reads it. Throws where it does not. */
export function readByQemu(folder: string, descriptor: string): Buffer {
  const raw = join(folder, 'judged.raw');
  execFileSync('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', join(folder, descriptor), raw], { stdio: 'pipe' });
  return readFileSync(raw);
}
