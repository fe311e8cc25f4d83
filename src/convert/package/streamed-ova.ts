import { ByteReader, DigestThread, readStreamOptimized, type StreamedDisk } from '../../disk/index.js';
import { contentOf } from '../detect.js';
import { MAX_OVF_BYTES, readOvf, type OvfDisk, type OvfEnvelope } from '../ovf/index.js';
import { assertCapacity, needsFile, openPackedStream, rawStream, type Expected } from './disk.js';
import { packageError } from './faults.js';
import { assertDigest, assertNamed, parseManifest, type Manifest, type ManifestDigest } from './manifest.js';
import { hrefName, partNames } from './member-names.js';
import { TarEntries, padded, type TarEntry } from './tar.js';

const DIGESTS: readonly ManifestDigest[] = ['sha1', 'sha256', 'sha512'];

/** A disk of an OVA that comes as a stream, when it is its turn. */
export interface StreamedMember {
  disk: OvfDisk;
  /** Once, and to its end before the next disk is asked for; or not at all: then it is left out. */
  stream: StreamedDisk;
}

/** An OVA that comes as a stream: from a pipe, or a server that gives no parts. */
export interface StreamedOva {
  readonly kind: 'ova-stream';
  readonly name: string;
  readonly ovf: OvfEnvelope;
  /**
   * The disks in the order of the archive, once. It ends well only where all files came whole and are what the manifest
   * says; a reader that stops early ends the stream.
   */
  disks(): AsyncGenerator<StreamedMember>;
  /** Ends the stream where no disk is read. */
  close(): Promise<void>;
  /** For a person: what was not checked. Complete once all disks came. */
  readonly notes: readonly string[];
}

/**
 * Reads an OVA as it comes; its descriptor must come first (DSP0243, 5.3). Nothing is stored. Disks that qemu-img would
 * have to read, or that lie in parts, cannot be read so: `package.needs_file`.
 * @throws StackferryError as the reading of an OVA in place does
 */
export async function openStreamedOva(chunks: AsyncIterable<Uint8Array>, name: string): Promise<StreamedOva> {
  const reader = new ByteReader(chunks, name);
  try {
    const head = await reader.peek(512);
    if (contentOf(head, Buffer.alloc(0)) !== 'tar') {
      throw packageError(
        'package.needs_file',
        name,
        'is no OVA: nothing else can be read as it comes',
        'Put it into a file, or behind a server that answers to ranges.',
      );
    }
    const entries = new TarEntries(reader, name);
    const first = await entries.next();
    if (!first || !/\.ovf$/i.test(first.name)) {
      const why = first ? `begins with ${JSON.stringify(first.name)} instead of its .ovf descriptor` : 'is empty';
      throw packageError('package.bad_ova', name, why, 'Put it into a file and give that.');
    }
    const digests = new Digests();
    const text = await small(reader, first, name);
    const ovf = readOvf(text, `${name}:${first.name}`);
    await digests.add(first.name, text);
    return new OvaStream(reader, entries, ovf, first.name, digests, name);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function small(reader: ByteReader, entry: TarEntry, name: string): Promise<Buffer> {
  if (entry.bytes > MAX_OVF_BYTES) {
    throw packageError(
      'package.bad_ovf',
      `${name}:${entry.name}`,
      `has ${entry.bytes} bytes, more than a descriptor has`,
    );
  }
  const bytes = await reader.take(padded(entry.bytes), `its file ${entry.name}`);
  return bytes.subarray(0, entry.bytes);
}

/** The digests of the files that came, by all that a manifest may use: it may come last. */
class Digests {
  readonly found = new Map<string, Record<ManifestDigest, string>>();

  async add(name: string, bytes: Buffer): Promise<void> {
    const thread = new DigestThread(DIGESTS);
    await thread.update(bytes);
    this.found.set(name, await thread.digest());
  }
}

class OvaStream implements StreamedOva {
  readonly kind = 'ova-stream';
  readonly name: string;
  readonly ovf: OvfEnvelope;
  readonly notes: string[] = [];
  readonly #reader: ByteReader;
  readonly #entries: TarEntries;
  readonly #main: string;
  readonly #digests: Digests;
  #manifest: { name: string; entries: Manifest } | null = null;

  constructor(reader: ByteReader, entries: TarEntries, ovf: OvfEnvelope, main: string, digests: Digests, name: string) {
    this.#reader = reader;
    this.#entries = entries;
    this.ovf = ovf;
    this.#main = main;
    this.#digests = digests;
    this.name = name;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async *disks(): AsyncGenerator<StreamedMember> {
    const came = new Set<string>([this.#main]);
    try {
      for (let entry = await this.#entries.next(); entry !== null; entry = await this.#entries.next()) {
        came.add(entry.name);
        if (/\.mf$/i.test(entry.name)) {
          this.#manifest = {
            name: entry.name,
            entries: parseManifest(await small(this.#reader, entry, this.name), entry.name),
          };
          continue;
        }
        if (/\.cert$/i.test(entry.name)) this.notes.push(`The signature in ${entry.name} is not checked.`);
        const disk = this.#diskOf(entry.name);
        const told = this.#manifest?.entries.get(entry.name)?.digest;
        const body = new EntryBody(this.#reader, entry, told === undefined ? DIGESTS : [told]);
        try {
          if (disk) yield { disk, stream: await this.#open(entry, disk, body) };
          this.#digests.found.set(entry.name, await body.finish());
        } finally {
          await body.close();
        }
      }
      this.#check(came);
    } finally {
      await this.#reader.close();
    }
  }

  #diskOf(name: string): OvfDisk | null {
    const disk = this.ovf.disks.find(({ file }) => file && hrefName(file.href, this.#main, new Set([name])) === name);
    return disk ?? null;
  }

  async #open(entry: TarEntry, disk: OvfDisk, body: EntryBody): Promise<StreamedDisk> {
    const { capacityBytes, unitBytes, file } = disk;
    const name = `${this.name}:${entry.name}`;
    const expected: Expected = {
      capacityBytes,
      unitBytes,
      isGzip: file?.compression === 'gzip',
      isRaw: /\braw\b/i.test(disk.format ?? ''),
    };
    if (file && file.bytes !== null && file.bytes !== entry.bytes) {
      throw packageError('package.size_differs', name, `has ${entry.bytes} bytes, its descriptor says ${file.bytes}`);
    }
    const head = await body.peek(66 * 1024);
    const content = contentOf(head, Buffer.alloc(0));
    if (content === 'gzip') return openPackedStream(name, body.chunks(), expected);
    if (content === 'vmdk') {
      const stream = await readStreamOptimized(body.chunks(), name);
      assertCapacity(name, stream.capacityBytes, expected);
      return stream;
    }
    if (content === null && entry.bytes === capacityBytes) return rawStream(body.chunks(), name, capacityBytes);
    throw needsFile(name);
  }

  /** At the end of the archive: all files came, and are what the manifest says. */
  #check(came: ReadonlySet<string>): void {
    const files = this.ovf.files.flatMap((file) =>
      file.chunkBytes === null ? [hrefName(file.href, this.#main, came)] : partNames(file, this.#main),
    );
    const missing = files.find((file) => !came.has(file));
    if (missing !== undefined) {
      throw packageError(
        'package.missing_file',
        this.#main,
        `names the file ${JSON.stringify(missing)}, which did not come`,
      );
    }
    if (!this.#manifest) {
      this.notes.push('There is no manifest: the files are not compared with what was exported.');
      return;
    }
    const { name, entries } = this.#manifest;
    assertNamed(entries, name, [this.#main, ...files]);
    for (const [file, { digest }] of entries) {
      const found = this.#digests.found.get(file);
      if (!found)
        throw packageError('package.missing_file', name, `names the file ${JSON.stringify(file)}, which did not come`);
      assertDigest(entries, name, file, found[digest]);
    }
  }
}

/** The bytes of one entry as they come; each is digested. */
class EntryBody {
  readonly #reader: ByteReader;
  readonly #entry: TarEntry;
  readonly #thread: DigestThread<ManifestDigest>;
  #left: number;

  constructor(reader: ByteReader, entry: TarEntry, digests: readonly ManifestDigest[]) {
    this.#thread = new DigestThread(digests);
    this.#reader = reader;
    this.#entry = entry;
    this.#left = entry.bytes;
  }

  peek(length: number): Promise<Buffer> {
    return this.#reader.peek(Math.min(length, this.#left));
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for (let next = await this.#next(); next !== null; next = await this.#next()) yield next;
  }

  /** Leaves out what was not read, and gives the digests of all. */
  async finish(): Promise<Record<ManifestDigest, string>> {
    while ((await this.#next()) !== null);
    const { bytes, name } = this.#entry;
    await this.#reader.skip(padded(bytes) - bytes, `its file ${name}`);
    return this.#thread.digest();
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async #next(): Promise<Buffer | null> {
    if (this.#left === 0) return null;
    const bytes = await this.#reader.rest(this.#left);
    if (bytes === null) throw this.#reader.short(this.#left, `its file ${this.#entry.name}`);
    this.#left -= bytes.length;
    await this.#thread.update(bytes);
    return bytes;
  }
}
