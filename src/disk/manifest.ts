import { createHash } from 'node:crypto';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { StackferryError, messageOf, systemCode } from '../core/index.js';
import { ChunkMarks, GROUP_CHUNKS, MARK_BYTES, SUM_BYTES } from './chunk-marks.js';
import { CHUNK_BYTES, readFully } from './content-hash.js';
import { writeError } from './sparse-file.js';

const HEADER_BYTES = 4096;

/** Which disk a manifest is about: as soon as one of these differs, nothing of it counts. */
export interface ManifestOf {
  capacityBytes: number;
  /** What tells this state of the source from any other. */
  source: string;
  /** The file or volume that was written. */
  target: string;
}

/**
 * Which 4 MiB chunks of a disk are at their target, and by which digests they are known there: what lets a killed copy go
 * on, and a later look say where a disk differs. One file of fixed places: a header, and what {@link ChunkMarks} keeps,
 * the bits of the known chunks last; they are set last, so a torn write loses chunks and never invents one.
 *
 * Call {@link save} only once the chunks that were noted are on stable storage.
 */
export class ChunkManifest extends ChunkMarks {
  readonly #path: string;
  readonly #file: FileHandle;
  /** The bits as they are in the file. */
  readonly #saved: Buffer;
  /** First and last chunk that was noted and is not saved. */
  #changed: { first: number; last: number } | null = null;

  private constructor(path: string, file: FileHandle, capacityBytes: number) {
    super(capacityBytes);
    this.#path = path;
    this.#file = file;
    this.#saved = Buffer.alloc(this.known.length);
  }

  /** Goes on with the manifest at `path` where it is of the same source and target; begins it anew otherwise. */
  static async open(path: string, of: ManifestOf): Promise<ChunkManifest> {
    const header = headerOf(of);
    try {
      const old = await openOld(path, header);
      const file = old ?? (await begin(path, header));
      const manifest = new ChunkManifest(path, file, of.capacityBytes);
      if (old) await manifest.#load();
      return manifest;
    } catch (error) {
      throw await writeError(path, 0, error);
    }
  }

  /** Keeps what was noted of a disk that was read as a whole: the file is there entirely, or as it was before. */
  static async write(path: string, of: ManifestOf, marks: ChunkMarks): Promise<void> {
    const rest = [marks.marks, marks.sums, marks.known];
    try {
      await (await begin(path, Buffer.concat([headerOf(of), ...rest]))).close();
    } catch (error) {
      throw await writeError(path, 0, error);
    }
  }

  /**
   * What a manifest tells, whatever it was of; null where there is none, or one of a disk of another size.
   * @throws StackferryError `file.unreadable`
   */
  static async read(path: string, capacityBytes: number): Promise<ChunkMarks | null> {
    let file: FileHandle | null = null;
    try {
      file = await open(path, 'r');
      const header = Buffer.alloc(HEADER_BYTES);
      await readFully(file, header, 0);
      if (capacityIn(header) !== capacityBytes) return null;
      const manifest = new ChunkManifest(path, file, capacityBytes);
      await manifest.#load();
      return manifest;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw new StackferryError('file.unreadable', `Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
    } finally {
      await file?.close();
    }
  }

  override note(index: number, digest: Buffer): void {
    const first = this.#changed?.first ?? this.noted;
    super.note(index, digest);
    this.#changed = { first, last: index };
  }

  override noteRest(): void {
    const first = this.#changed?.first ?? this.noted;
    super.noteRest();
    if (first < this.chunks) this.#changed = { first, last: this.chunks - 1 };
  }

  /** A chunk whose bytes at the target are not those that were noted. */
  async forget(index: number): Promise<void> {
    const [byte, others] = [index >>> 3, ~(1 << (index & 7))];
    this.known[byte] = (this.known[byte] ?? 0) & others;
    // Of its neighbours some may be noted and not be on stable storage yet.
    this.#saved[byte] = (this.#saved[byte] ?? 0) & others;
    await this.#write(this.#saved, byte, 1, this.#knownAt);
    await this.#file.datasync();
  }

  /** Puts what was noted on disk: the digests first, then that they count. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    const { first, last } = this.#changed;
    try {
      await this.#write(this.marks, first * MARK_BYTES, (last - first + 1) * MARK_BYTES, HEADER_BYTES);
      const groups = [Math.floor(first / GROUP_CHUNKS), Math.floor(last / GROUP_CHUNKS)] as const;
      await this.#write(this.sums, groups[0] * SUM_BYTES, (groups[1] - groups[0] + 1) * SUM_BYTES, this.#sumsAt);
      await this.#file.datasync();
      const [from, to] = [first >>> 3, (last >>> 3) + 1];
      this.known.copy(this.#saved, from, from, to);
      await this.#write(this.#saved, from, to - from, this.#knownAt);
      await this.#file.datasync();
      this.#changed = null;
    } catch (error) {
      throw await writeError(this.#path, 0, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  get #sumsAt(): number {
    return HEADER_BYTES + this.marks.length;
  }

  get #knownAt(): number {
    return this.#sumsAt + this.sums.length;
  }

  async #load(): Promise<void> {
    // A part that is not there yet reads as nothing known.
    await readFully(this.#file, this.marks, HEADER_BYTES);
    await readFully(this.#file, this.sums, this.#sumsAt);
    await readFully(this.#file, this.known, this.#knownAt);
    this.known.copy(this.#saved);
  }

  async #write(buffer: Buffer, from: number, length: number, base: number): Promise<void> {
    await this.#file.write(buffer, from, Math.min(length, buffer.length - from), base + from);
  }
}

function headerOf(of: ManifestOf): Buffer {
  const text = JSON.stringify({
    version: 1,
    chunk_bytes: CHUNK_BYTES,
    capacity_bytes: of.capacityBytes,
    // Of any length: paths and times of many files.
    source: createHash('sha256').update(of.source).digest('hex'),
    target: createHash('sha256').update(of.target).digest('hex'),
  });
  const header = Buffer.alloc(HEADER_BYTES, ' ');
  header.write(`${text}\n`);
  return header;
}

const headerSchema = z.object({
  version: z.literal(1),
  chunk_bytes: z.literal(CHUNK_BYTES),
  capacity_bytes: z.number(),
});

/** The size of the disk that a header names; null where it is no header that this program knows. */
function capacityIn(header: Buffer): number | null {
  try {
    return headerSchema.parse(JSON.parse(header.toString('utf8'))).capacity_bytes;
  } catch {
    return null;
  }
}

async function openOld(path: string, header: Buffer): Promise<FileHandle | null> {
  let file: FileHandle;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw new StackferryError('file.unreadable', `Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
  }
  const there = Buffer.alloc(HEADER_BYTES);
  await readFully(file, there, 0);
  if (there.equals(header)) return file;
  await file.close();
  return null;
}

async function begin(path: string, content: Buffer): Promise<FileHandle> {
  const file = await open(`${path}.new`, 'w+', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
    await rename(`${path}.new`, path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
