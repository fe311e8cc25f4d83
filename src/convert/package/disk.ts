import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MIB, formatBytes, throwIfAborted } from '../../core/index.js';
import {
  ByteReader,
  LocalBytes,
  flatLayout,
  layoutSource,
  readStreamOptimized,
  writeError,
  type DiskPiece,
  type DiskSource,
  type StreamedDisk,
  type VmdkKind,
} from '../../disk/index.js';
import { HEAD_BYTES, TAIL_BYTES, contentOf } from '../detect.js';
import { MAX_DISK_BYTES, sourceError, tooLarge } from '../source.js';
import type { SourceFormat } from '../types.js';
import { chunksOf } from './byte-views.js';
import { packageError } from './faults.js';
import { gunzip } from './gunzip.js';
import { openVmdk, type OpenFile } from './vmdk-disk.js';

/** What is known of a disk by its descriptor or the person. */
export interface Expected {
  /** Null: nothing is told. */
  capacityBytes: number | null;
  /** How exactly it is told. */
  unitBytes: number;
  /** The file is packed, says the descriptor. */
  isGzip: boolean;
  /** A file that nothing else is known of is a raw disk. */
  isRaw: boolean;
}

/** A disk of a package, by how it can be read. */
export type PackageDisk =
  /** At any place: where its data is, is known before it is read (qcow2 in one pass). */
  | { access: 'any'; name: string; kind: VmdkKind; chain: string[]; capacityBytes: number; source: DiskSource }
  /** Front to back; each call of `open` reads it again. */
  | { access: 'stream'; name: string; capacityBytes: number; open(): Promise<StreamedDisk> }
  /**
   * By qemu-img, which wants a file: `path`, where it lies here unpacked; otherwise `copyTo` writes it to a path that is
   * new. {@link openGuestDisk} checks it; its capacity is compared by {@link assertCapacity}.
   */
  | {
      access: 'file';
      name: string;
      format: Exclude<SourceFormat, 'vmdk' | 'raw'>;
      path: string | null;
      /** Of the file; null where it is packed. */
      bytes: number | null;
      copyTo(path: string, signal: AbortSignal): Promise<void>;
    };

/** Opens a disk by its content. Throws as {@link openVmdk} and {@link gunzip} do, `package.unknown_format`, `package.capacity_differs`. */
export async function openDisk(name: string, where: string, open: OpenFile, expected: Expected): Promise<PackageDisk> {
  const { file, data } = await open(name, where);
  const path = file instanceof LocalBytes ? file.name : null;
  const head = await file.read(0, Math.min(HEAD_BYTES, file.bytes));
  const tail = await file.read(Math.max(0, file.bytes - TAIL_BYTES), Math.min(TAIL_BYTES, file.bytes));
  const content = contentOf(head, tail);
  if (content === 'gzip') return openPacked(file.name, () => chunksOf(data), expected);
  if (expected.isGzip)
    throw packageError('package.bad_gzip', file.name, 'is not packed, though its descriptor says so');
  if (content === 'vmdk') {
    const { kind, chain, source } = await openVmdk(name, where, open);
    assertCapacity(file.name, source.capacityBytes, expected);
    return { access: 'any', name, kind, chain, capacityBytes: source.capacityBytes, source };
  }
  if (content !== null && content !== 'tar' && content !== 'archive') {
    return {
      ...{ access: 'file', name, format: content, path, bytes: file.bytes },
      copyTo: (to, signal) => copyTo(to, chunksOf(data), signal),
    };
  }
  if (content !== null || !isRaw(name, file.bytes, expected)) throw unknown(file.name, content);
  assertCapacity(file.name, file.bytes, { ...expected, unitBytes: 1 });
  if (file.bytes > MAX_DISK_BYTES) throw tooLarge(file.name, file.bytes);
  const source = layoutSource(flatLayout(file), [data]);
  return { access: 'any', name, kind: 'flat', chain: [name], capacityBytes: file.bytes, source };
}

function isRaw(name: string, bytes: number, expected: Expected): boolean {
  return bytes > 0 && (expected.isRaw || /\.(raw|img)$/i.test(name) || bytes === expected.capacityBytes);
}

function unknown(name: string, content: string | null): Error {
  return packageError(
    'package.unknown_format',
    name,
    content === null ? 'is no disk image of a known format' : 'is an archive, not a disk image',
    'Known are VMDK, qcow2, VHD, VHDX, VDI and raw (named .raw or .img, or called so).',
  );
}

/** Throws `package.capacity_differs` unless the disk has what its descriptor says, as exactly as that is told. */
export function assertCapacity(name: string, bytes: number, { capacityBytes, unitBytes }: Expected): void {
  if (capacityBytes === null) return;
  const slack = Math.max(unitBytes, MIB) - 1;
  const least = unitBytes === 1 ? capacityBytes : capacityBytes - slack;
  if (bytes <= capacityBytes && bytes >= least) return;
  throw packageError(
    'package.capacity_differs',
    name,
    `holds a disk of ${formatBytes(bytes)} (${bytes} bytes), its descriptor says ${formatBytes(capacityBytes)} (${capacityBytes})`,
    'Export the VM again; descriptor and disk do not belong together.',
  );
}

/** A packed disk: unpacked as it comes, never more than its disk can have. */
async function openPacked(
  name: string,
  chunks: () => AsyncIterable<Uint8Array>,
  expected: Expected,
): Promise<PackageDisk> {
  const unpacked = () => gunzip(chunks(), name, limitOf(expected.capacityBytes));
  const head = await headOf(unpacked(), name);
  const content = contentOf(head, Buffer.alloc(0));
  if (content !== null && content !== 'tar' && content !== 'archive' && content !== 'gzip' && !isStreamed(head)) {
    if (expected.capacityBytes === null) throw needsSize(name);
    if (content === 'vmdk') throw needsFile(name);
    return {
      access: 'file',
      name,
      format: content,
      path: null,
      bytes: null,
      copyTo: (to, signal) => copyTo(to, unpacked(), signal),
    };
  }
  const first = await openPackedStream(name, chunks(), expected);
  await first.pieces.return(undefined);
  const { capacityBytes } = first;
  // By now the size is known, so nothing larger can come out.
  const sized = { ...expected, capacityBytes };
  return { access: 'stream', name, capacityBytes, open: () => openPackedStream(name, chunks(), sized) };
}

/**
 * A packed disk as it comes, once: stream-optimized, or raw where its size is known.
 * @throws StackferryError `package.bomb`, `package.bad_gzip`, `package.unknown_format`, `package.capacity_differs`,
 * `package.needs_file` and those of {@link readStreamOptimized}, from here or from the pieces
 */
export async function openPackedStream(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  expected: Expected,
): Promise<StreamedDisk> {
  const reader = new ByteReader(gunzip(chunks, name, limitOf(expected.capacityBytes)), name);
  try {
    const head = await reader.peek(HEAD_BYTES);
    const content = contentOf(head, Buffer.alloc(0));
    if (isStreamed(head)) {
      const disk = await readStreamOptimized(restOf(reader), name);
      assertCapacity(name, disk.capacityBytes, expected);
      if (disk.capacityBytes > MAX_DISK_BYTES) throw tooLarge(name, disk.capacityBytes);
      return disk;
    }
    if (content === 'tar' || content === 'archive' || content === 'gzip') throw unknown(name, content);
    if (content !== null) throw needsFile(name);
    if (expected.capacityBytes === null) throw needsSize(name);
    return rawStream(restOf(reader), name, expected.capacityBytes);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** Sparse forms have tables of their own, incompressible grains grow: less than a tenth in all. */
function limitOf(capacityBytes: number | null): number {
  return capacityBytes === null ? MAX_DISK_BYTES : Math.ceil(capacityBytes * 1.1) + 64 * MIB;
}

function isStreamed(head: Buffer): boolean {
  return head.length >= 512 && head.toString('latin1', 0, 4) === 'KDMV' && (head.readUInt32LE(8) & 0x20000) !== 0;
}

async function* restOf(reader: ByteReader): AsyncGenerator<Buffer> {
  try {
    for (let bytes = await reader.rest(); bytes !== null; bytes = await reader.rest()) yield bytes;
  } finally {
    await reader.close();
  }
}

/** `package.needs_file`: a disk that is read by its tables, or by qemu-img. */
export function needsFile(name: string): Error {
  return packageError(
    'package.needs_file',
    name,
    'is a disk that cannot be read as it comes',
    'Put the package into a file and give that.',
  );
}

function needsSize(name: string): Error {
  return packageError(
    'package.unknown_format',
    name,
    'is a packed disk whose size nothing tells before it is unpacked',
    'Unpack it first: gunzip NAME.gz',
  );
}

async function headOf(chunks: AsyncGenerator<Buffer>, name: string): Promise<Buffer> {
  const reader = new ByteReader(chunks, name);
  try {
    return await reader.peek(HEAD_BYTES);
  } finally {
    await reader.close();
  }
}

/** A raw disk as it comes: exactly `capacityBytes`. */
export function rawStream(chunks: AsyncGenerator<Buffer>, name: string, capacityBytes: number): StreamedDisk {
  async function* pieces(): AsyncGenerator<DiskPiece> {
    let offset = 0;
    for await (const bytes of chunks) {
      if (offset + bytes.length > capacityBytes) throw differs(name, capacityBytes, 'more');
      yield { offset, bytes };
      offset += bytes.length;
    }
    if (offset < capacityBytes) throw differs(name, capacityBytes, `only ${offset}`);
  }
  return { capacityBytes, descriptor: null, pieces: pieces() };
}

function differs(name: string, capacityBytes: number, found: string): Error {
  const why = `holds ${found} bytes, its descriptor says ${capacityBytes}`;
  return sourceError('package.capacity_differs', name, why, 'Export the VM again, or copy it again.');
}

async function copyTo(path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const target = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  let failed: unknown = null;
  target.once('error', (error) => (failed = error));
  try {
    await pipeline(Readable.from(chunks, { objectMode: false }), target, { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw failed === error ? await writeError(path, 0, error) : error;
  }
}
