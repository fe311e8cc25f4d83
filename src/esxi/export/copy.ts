import { lstat, open, readFile, rename } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { InterruptedError, MIB, UsageError, makeFolders, throwIfAborted, type Context } from '../../core/index.js';
import {
  CHUNK_BYTES,
  ContentHasher,
  SECTOR_BYTES,
  hashParts,
  leastFileBytes,
  readFully,
  readSparseHeader,
  serializeDescriptor,
  writeError,
  SPARSE_HEADER_BYTES,
  type FilePart,
} from '../../disk/index.js';
import type { FileDoor, TrustMap } from '../read/index.js';
import { FileCopy } from './copy-file.js';
import { diskFolder } from './local-names.js';
import { extentPath } from './paths.js';
import { diskError, isFlat } from './plan-link.js';
import { readRange, type Range } from './range.js';
import type { CopiedDisk, CopyOptions, DiskPlan, LinkPlan } from './types.js';

const DEFAULT_RANGE = 64 * MIB;
const MAX_RANGE = 256 * MIB;

/**
 * Copies a disk's descriptors and extents, the whole chain, into `dir/<label with ':' as '-'>/`, under their own names
 * and with holes as holes. Goes on where an earlier call stopped: what was noted as on disk is hashed again here, and
 * only the rest is read from the host. The descriptors come last, so their being there means that all is.
 *
 * Call {@link recheckSource} (and look at the power state) before the result is used.
 */
export async function copyDisk(
  door: FileDoor,
  disk: DiskPlan,
  dir: string,
  ctx: Context,
  options: CopyOptions = {},
): Promise<CopiedDisk> {
  const { rangeBytes = DEFAULT_RANGE, sha256 = false, trustMap = 'never' } = options;
  if (rangeBytes % CHUNK_BYTES !== 0 || rangeBytes < CHUNK_BYTES || rangeBytes > MAX_RANGE) {
    throw new UsageError(`A range of ${rangeBytes} bytes cannot be read: it takes multiples of 4 MiB up to 256 MiB.`);
  }
  const folder = resolve(dir, diskFolder(disk.label));
  try {
    await makeFolders(folder);
  } catch (error) {
    throw await writeError(folder, 0, error);
  }
  const files: FileCopy[] = [];
  const progress = new Progress(disk, ctx);
  try {
    for (const extent of disk.links.flatMap((link) => link.extents)) {
      files.push(await FileCopy.open(extent, folder, ctx, (bytes) => progress.add(bytes)));
    }
    const had = progress.done;
    if (trustMap !== 'never') await leaveOutEmpty(door, disk, files, trustMap, ctx);
    progress.expect(files.reduce((sum, file) => sum + file.missingBytes, 0));
    await copyMissing(door, files, { ...options, rangeBytes }, ctx, progress);
    for (const file of files) await file.finish();
    await checkSparse(disk, folder);
    for (const [index, link] of disk.links.entries()) await writeDescriptor(disk, link, index, folder);
    const hashes = await hashDisk(disk, files, folder, sha256, ctx);
    progress.finish(true);
    return {
      label: disk.label,
      descriptorPath: join(folder, disk.links.at(-1)?.localName ?? ''),
      kind: disk.kind,
      capacityBytes: disk.capacityBytes,
      bytes: await sizeHere(disk, folder),
      ...hashes,
      files: files.map(({ path, extent, digests }) => ({
        path,
        bytes: extent.bytes,
        contentHash: digests.contentHash(),
      })),
      copiedBytes: progress.done - had,
    };
  } finally {
    progress.finish(false);
    for (const file of files) await file.close();
  }
}

/** Tells how far a disk is, once started, once finished. */
class Progress {
  done = 0;
  readonly #ctx: Context;
  readonly #task: string;
  #total: number;
  readonly #start: number;
  #open = true;

  constructor(disk: DiskPlan, ctx: Context) {
    this.#ctx = ctx;
    this.#task = `copy ${disk.path} ${disk.label}`;
    this.#total = disk.bytes;
    this.#start = ctx.clock.now();
    const label = `copy ${disk.label} ${basename(disk.path)}`;
    ctx.events.emit({ kind: 'bytes.started', task: this.#task, label, total: disk.bytes, done: 0 });
  }

  /** So much is still to come: less than the files' bytes where some of them need not be read. */
  expect(bytes: number): void {
    const total = this.done + bytes;
    if (total === this.#total) return;
    this.#total = total;
    this.add(0);
  }

  add(bytes: number): void {
    this.done += bytes;
    this.#ctx.events.emit({ kind: 'bytes.progress', task: this.#task, done: this.done, total: this.#total });
  }

  finish(ok: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    const seconds = (this.#ctx.clock.now() - this.#start) / 1000;
    this.#ctx.events.emit({ kind: 'bytes.finished', task: this.#task, done: this.done, seconds, ok });
  }
}

/** Asks the host which parts of the flat files hold data; chunks without any are not read. */
async function leaveOutEmpty(
  door: FileDoor,
  disk: DiskPlan,
  files: readonly FileCopy[],
  trustMap: TrustMap,
  ctx: Context,
): Promise<void> {
  for (const link of disk.links) {
    const [only, ...more] = link.extents;
    const file = files.find(({ extent }) => extent === only);
    // A block map is one of the descriptor; only of a single extent it is known what its offsets count in.
    if (!only || !file || more.length > 0 || !link.descriptor.extents.every(isFlat)) continue;
    const remote = { path: only.remotePath, bytes: only.bytes, allocatedBytes: only.allocatedBytes };
    const { data, why } = await door.allocation(link.remotePath, remote, trustMap, ctx);
    ctx.log.debug(`disk ${disk.label}: ${link.path}: ${data ? 'holes are left out' : 'read whole'}; ${why}`);
    if (data) await file.leaveOut(data);
  }
}

/** Reads what is missing, several ranges at once. The first error stops the others; what they had proved stays proved. */
async function copyMissing(
  door: FileDoor,
  files: readonly FileCopy[],
  { streams = 4, mostStreams, rangeBytes, pace, onAnswer }: CopyOptions & { rangeBytes: number },
  ctx: Context,
  progress: Progress,
): Promise<void> {
  const stood = door.mostStreams ?? Infinity;
  // Where a stream gives a file only from its start, one range takes all of it.
  const most = stood === 1 ? Infinity : rangeBytes;
  const work: { file: FileCopy; range: Range }[] = files.flatMap((file) =>
    file.missing(most).map((range) => ({ file, range })),
  );
  const stop = new AbortController();
  const own: Context = { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) };
  const worker = async (number: number) => {
    for (;;) {
      // One too many at the moment; the first always goes on.
      while (work.length > 0 && number > 0 && number >= (mostStreams?.() ?? streams)) {
        await ctx.clock.sleep(1000, own.signal);
      }
      const next = work.shift();
      if (!next) return;
      const { file, range } = next;
      const start = ctx.clock.now();
      let counted = 0;
      const sink = async (index: number, bytes: Buffer, again: boolean) => {
        await file.write(index, bytes, again);
        // A range that is read again has been counted up to where it broke off.
        const reached = index * CHUNK_BYTES + bytes.length - range.from;
        if (reached > counted) progress.add(reached - counted);
        counted = Math.max(counted, reached);
      };
      const chunks = await readRange(door.streams, range, own, sink, pace);
      await file.proved(chunks);
      await onAnswer?.({ bytes: range.bytes, reads: 1, ms: ctx.clock.now() - start });
    }
  };
  let failure: Error | undefined;
  const workers = Array.from({ length: Math.max(1, Math.min(streams, stood)) }, (_, number) =>
    worker(number).catch((error: unknown) => {
      if (failure === undefined || failure instanceof InterruptedError) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
      stop.abort();
    }),
  );
  await Promise.all(workers);
  throwIfAborted(ctx.signal);
  if (failure !== undefined) throw failure;
}

/** qemu-img reads what a short delta lacks as zeros; so a delta that was cut short on the host is an error here. */
async function checkSparse(disk: DiskPlan, folder: string): Promise<void> {
  for (const link of disk.links) {
    if (link.descriptor.extents.every(isFlat)) continue;
    for (const extent of link.extents) {
      const path = join(folder, extent.localName);
      const file = await open(path, 'r');
      try {
        const readAt = async (position: number, length: number) => {
          const buffer = Buffer.alloc(length);
          return buffer.subarray(0, await readFully(file, buffer, position));
        };
        const header = readSparseHeader(await readAt(0, SPARSE_HEADER_BYTES), path);
        const least = header ? await leastFileBytes(header, readAt, extent.bytes, path) : Infinity;
        if (least > extent.bytes) {
          throw diskError(
            'disk.bad_descriptor',
            disk.label,
            `${extent.remotePath} was cut short: it has ${extent.bytes} bytes, its tables name data up to ${least}.`,
            'Clone the disk on the host (vmkfstools -i OLD.vmdk NEW.vmdk), or go back to a backup.',
          );
        }
      } finally {
        await file.close();
      }
    }
  }
}

/** As on the host, byte for byte, where its names are the local ones; otherwise written anew with these. */
async function writeDescriptor(disk: DiskPlan, link: LinkPlan, index: number, folder: string): Promise<void> {
  if (link.content === null) return;
  const path = join(folder, link.localName);
  const parent = disk.links[index - 1]?.localName ?? null;
  const names = new Map(link.extents.map((extent) => [extent.remotePath, extent.localName]));
  const extents = link.descriptor.extents.map((extent) => ({
    ...extent,
    fileName: extent.fileName === null ? null : (names.get(extentPath(link.remotePath, extent.fileName)) ?? null),
  }));
  const asIs =
    (parent === null || link.descriptor.parentFileNameHint === parent) &&
    extents.every((extent, at) => extent.fileName === link.descriptor.extents[at]?.fileName);
  const content = asIs
    ? link.content
    : Buffer.from(serializeDescriptor({ ...link.descriptor, extents, parentFileNameHint: parent }));
  try {
    const old = await readFile(path).catch(() => null);
    if (old?.equals(content)) return;
    const file = await open(`${path}.part`, 'w');
    await file
      .writeFile(content)
      .then(() => file.sync())
      .finally(() => file.close());
    await rename(`${path}.part`, path);
  } catch (error) {
    throw await writeError(path, content.length, error);
  }
}

async function sizeHere(disk: DiskPlan, folder: string): Promise<number> {
  const names = disk.links.flatMap((link) => [link.localName, ...link.extents.map((extent) => extent.localName)]);
  let bytes = 0;
  for (const name of new Set(names)) bytes += (await lstat(join(folder, name))).size;
  return bytes;
}

/** The guest's view of a disk of flat extents. Chunks are the disk's, so extents of odd sizes are read once more here. */
async function hashDisk(
  disk: DiskPlan,
  files: readonly FileCopy[],
  folder: string,
  sha256: boolean,
  ctx: Context,
): Promise<Pick<CopiedDisk, 'contentHash' | 'sha256'>> {
  const [link, ...more] = disk.links;
  if (!link || more.length > 0 || !link.descriptor.extents.every(isFlat)) return { contentHash: null, sha256: null };
  const parts = link.descriptor.extents.map(
    ({ fileName, offset, sectors }): FilePart & { file: FileCopy | undefined } => {
      const file = files.find(({ extent }) => extent.remotePath === extentPath(link.remotePath, fileName ?? ''));
      const path = join(folder, file?.extent.localName ?? '');
      return { path, offset: offset * SECTOR_BYTES, bytes: sectors * SECTOR_BYTES, file };
    },
  );
  const aligned = parts.every(
    ({ offset, bytes, file }, at) =>
      offset === 0 && bytes === file?.extent.bytes && (at === parts.length - 1 || bytes % CHUNK_BYTES === 0),
  );
  if (!aligned || sha256) {
    const result = await hashParts(parts, { signal: ctx.signal, sha256 });
    return { contentHash: result.contentHash, sha256: result.sha256 };
  }
  const hasher = new ContentHasher();
  for (const { file } of parts) file?.digests.feed(hasher);
  return { contentHash: hasher.digest(), sha256: null };
}
