import { basename, dirname, posix } from 'node:path';
import { isCode } from '../../core/index.js';
import type { ByteSource } from '../../disk/index.js';
import { HEAD_BYTES, contentOf } from '../detect.js';
import { MAX_OVF_BYTES, readOvf, type OvfDisk, type OvfEnvelope, type OvfFile } from '../ovf/index.js';
import { joined, type MemberBytes } from './byte-views.js';
import { memberName, openGiven } from './confined.js';
import { DigestedBytes } from './digested-bytes.js';
import { openDisk, type Expected, type PackageDisk } from './disk.js';
import { packageError } from './faults.js';
import { localFolder, ovaFolder, urlFolder, type Folder } from './folder.js';
import { openUrl, packageUrl, shownUrl, type UrlOptions } from './http-bytes.js';
import { assertDigest, assertNamed, parseManifest, type Manifest } from './manifest.js';
import { decodedHref, hrefName, partNames } from './member-names.js';
import { openStreamedOva, type StreamedOva } from './streamed-ova.js';
import type { DiskFile } from './vmdk-disk.js';

/** More than any .vmx has. */
const MAX_VMX_BYTES = 1024 ** 2;
const NOTHING_KNOWN: Expected = { capacityBytes: null, unitBytes: 1, isGzip: false, isRaw: false };

/** What a person gave, open: its files are read in place, at any place. Close it when no disk of it is read any more. */
export class Package {
  /** `disk`: a single disk, which nothing describes. */
  readonly kind: 'ova' | 'ovf' | 'vmx' | 'disk';
  /** For messages: a path, or a URL without its secrets. */
  readonly name: string;
  /** What describes it; null for vmx and disk. */
  readonly ovf: OvfEnvelope | null;
  /** The text of the .vmx, as it lies there; null for the other kinds. */
  readonly vmx: Buffer | null;
  /** For a person: what was not checked. */
  readonly notes: readonly string[];
  readonly #folder: Folder;
  readonly #main: string;
  readonly #manifest: { name: string; entries: Manifest } | null;
  readonly #opened = new Map<string, Promise<DiskFile & { file: MemberBytes; data: ByteSource }>>();
  readonly #given: MemberBytes;

  constructor(parts: {
    kind: Package['kind'];
    name: string;
    ovf: OvfEnvelope | null;
    vmx: Buffer | null;
    notes: readonly string[];
    folder: Folder;
    main: string;
    manifest: { name: string; entries: Manifest } | null;
    given: MemberBytes;
  }) {
    this.kind = parts.kind;
    this.name = parts.name;
    this.ovf = parts.ovf;
    this.vmx = parts.vmx;
    this.notes = parts.notes;
    this.#folder = parts.folder;
    this.#main = parts.main;
    this.#manifest = parts.manifest;
    this.#given = parts.given;
  }

  /** A disk of the OVF descriptor that has a file. Throws as {@link openDisk} does. */
  async ovfDisk(disk: OvfDisk): Promise<PackageDisk> {
    const { file } = disk;
    if (!file) throw new RangeError(`the disk ${disk.id} has no file`);
    const { capacityBytes, unitBytes } = disk;
    const name = await this.#fileName(file);
    return openDisk(name, this.#main, (wanted, where) => this.#file(wanted, where, file), {
      capacityBytes,
      unitBytes,
      isGzip: file.compression === 'gzip',
      isRaw: /\braw\b/i.test(disk.format ?? ''),
    });
  }

  /**
   * A disk by its name in the package's folder: of a .vmx, the name that it gives; without a name, the single disk that
   * was given.
   * @param isRaw take what nothing else is known of for a raw disk
   */
  disk(name: string = this.#main, isRaw = false): Promise<PackageDisk> {
    return openDisk(name, this.#main, (wanted, where) => this.#file(wanted, where, null), { ...NOTHING_KNOWN, isRaw });
  }

  /**
   * Compares all files that the manifest names with it: what was read of them is not read again. Before the disks are
   * read this costs a pass of its own; after them it ends the one they were read in. Without a manifest: nothing.
   * @param onBytes told of what is read for it
   * @throws StackferryError `package.manifest_differs`, `package.missing_file`
   */
  async verify(onBytes: (bytes: number) => void = () => undefined): Promise<void> {
    if (!this.#manifest) return;
    const { name, entries } = this.#manifest;
    for (const file of entries.keys()) {
      const { data } = await this.#open(file, name);
      if (data instanceof DigestedBytes) assertDigest(entries, name, file, await data.finish(onBytes));
    }
  }

  /** Bytes of all files that {@link verify} compares; 0 without a manifest. */
  async bytesToVerify(): Promise<number> {
    let bytes = 0;
    for (const file of this.#manifest?.entries.keys() ?? []) {
      bytes += (await this.#open(file, this.#manifest?.name ?? '')).file.bytes;
    }
    return bytes;
  }

  /** The files that were opened so far, each with a word that is another one once it was changed. */
  async states(): Promise<[name: string, state: string][]> {
    const files = [this.#given];
    for (const opening of this.#opened.values()) files.push((await opening).file);
    const states = new Map<string, string>();
    for (const file of files) {
      const state = await file.state?.();
      if (state !== undefined) states.set(file.name, state);
    }
    return [...states];
  }

  async close(): Promise<void> {
    for (const opening of this.#opened.values()) await (await opening.catch(() => null))?.file.close();
    this.#opened.clear();
    await this.#given.close();
  }

  async #fileName({ href, chunkBytes }: OvfFile): Promise<string> {
    const name = hrefName(href, this.#main, this.#manifest?.entries ?? new Set(this.#folder.entries));
    const other = memberName(decodedHref(href), this.#main);
    if (chunkBytes !== null || name === other) return name;
    // Where nothing lists the files, the one that is there is meant.
    const isThere = await this.#open(name, this.#main).then(
      () => true,
      (error: unknown) => !isCode(error, 'package.missing_file'),
    );
    return isThere ? name : other;
  }

  async #file(name: string, where: string, of: OvfFile | null): Promise<DiskFile> {
    if (of && of.chunkBytes !== null && name === memberName(of.href, where)) return this.#parts(of, where);
    const opened = await this.#open(name, where);
    if (of !== null && of.bytes !== null && hrefMatches(of.href, name) && opened.file.bytes !== of.bytes) {
      throw packageError(
        'package.size_differs',
        opened.file.name,
        `has ${opened.file.bytes} bytes, its descriptor says ${of.bytes}: it was cut short or changed`,
      );
    }
    return opened;
  }

  async #parts(file: OvfFile, where: string): Promise<DiskFile> {
    const parts: DiskFile[] = [];
    for (const name of partNames(file, where)) parts.push(await this.#open(name, where));
    const name = `${this.name}:${file.href}`;
    return {
      file: joined(name, parts.map((part) => part.file)),
      data: joined(name, parts.map((part) => part.data)),
    }; // prettier-ignore
  }

  #open(told: string, where: string): Promise<DiskFile & { file: MemberBytes; data: ByteSource }> {
    const name = memberName(told, where);
    let opening = this.#opened.get(name);
    if (!opening) {
      opening = this.#folder.open(name, where).then((file) => {
        const entry = this.#manifest?.entries.get(name);
        return { file, data: entry ? new DigestedBytes(file, entry.digest) : file };
      });
      opening.catch(() => this.#opened.delete(name));
      this.#opened.set(name, opening);
    }
    return opening;
  }
}

function hrefMatches(href: string, name: string): boolean {
  return posix.normalize(href) === name || posix.normalize(decodedHref(href)) === name;
}

/**
 * Opens what a person gave: the path or URL of an OVA, an OVF descriptor, a .vmx, or a disk of any kind; told by its
 * content. A URL whose server does not give parts comes as a stream: then only an OVA can be read.
 * @throws StackferryError `package.*`, `disk.*`, `file.unreadable`; UsageError for a URL that is none to be read
 */
export async function openPackage(given: string, options: UrlOptions): Promise<Package | StreamedOva> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) return openFromUrl(packageUrl(given), options);
  const { real, file } = await openGiven(given);
  return open(file, basename(real), () => localFolder(dirname(real)));
}

async function openFromUrl(url: URL, options: UrlOptions): Promise<Package | StreamedOva> {
  const opened = await openUrl(url, options);
  if (opened.bytes === null) return openStreamedOva(opened.stream, shownUrl(url));
  const name = decodedHref(posix.basename(url.pathname));
  return open(opened.bytes, name, () => Promise.resolve(urlFolder(url, options)));
}

/** @param main the name of the file in its folder */
async function open(given: MemberBytes, main: string, around: () => Promise<Folder>): Promise<Package> {
  try {
    const head = await given.read(0, Math.min(HEAD_BYTES, given.bytes));
    const base = { name: given.name, given, main };
    if (contentOf(head, Buffer.alloc(0)) === 'tar') return await openOva(given);
    const text = textOf(head);
    if (text !== null && /^\s*<(\?xml|!|[\w-]*:?\w*Envelope)/.test(text)) {
      return await openOvf({ ...base, kind: 'ovf', folder: await around() }, await whole(given, MAX_OVF_BYTES));
    }
    if (
      text !== null &&
      /^\s*(\.encoding|config\.version|virtualHW\.version|[\w.:]+)\s*=\s*"/m.test(text) &&
      !isDisk(head)
    ) {
      const vmx = await whole(given, MAX_VMX_BYTES);
      return new Package({ ...base, kind: 'vmx', folder: await around(), ovf: null, vmx, notes: [], manifest: null });
    }
    return new Package({
      ...base,
      kind: 'disk',
      folder: await around(),
      ovf: null,
      vmx: null,
      notes: [],
      manifest: null,
    });
  } catch (error) {
    await given.close();
    throw error;
  }
}

function isDisk(head: Buffer): boolean {
  return contentOf(head, Buffer.alloc(0)) !== null;
}

/** The first bytes as text, where they are such. */
function textOf(head: Buffer): string | null {
  const [a, b] = head;
  const wide = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : 'utf-8';
  const text = new TextDecoder(wide).decode(head.subarray(0, 4096)).replace(/^\ufeff/, '');
  return /[\0-\x08\x0e-\x1f]/.test(text) ? null : text;
}

async function whole(file: ByteSource, most: number): Promise<Buffer> {
  if (file.bytes > most) {
    throw packageError('package.bad_ovf', file.name, `has ${file.bytes} bytes; ${most} are the limit of a descriptor`);
  }
  return file.read(0, file.bytes);
}

async function openOva(given: MemberBytes): Promise<Package> {
  const folder = await ovaFolder(given);
  const descriptors = folder.entries?.filter((name) => /\.ovf$/i.test(name)) ?? [];
  const [main] = descriptors;
  if (main === undefined || descriptors.length > 1) {
    const why =
      main === undefined ? 'holds no .ovf descriptor: it is no OVA' : `holds ${descriptors.length} .ovf descriptors`;
    throw packageError('package.bad_ova', given.name, why);
  }
  const file = await folder.open(main, given.name);
  const base = { kind: 'ova' as const, name: given.name, given, main, folder };
  return openOvf(base, await whole(file, MAX_OVF_BYTES));
}

type Base = Pick<ConstructorParameters<typeof Package>[0], 'kind' | 'name' | 'given' | 'main' | 'folder'>;

/** Reads descriptor and manifest; the descriptor is compared with it at once. */
async function openOvf(base: Base, bytes: Buffer): Promise<Package> {
  const { folder, main } = base;
  const ovf = readOvf(bytes, base.kind === 'ova' ? `${base.name}:${main}` : base.name);
  const stem = main.replace(/\.[^./]*$/, '');
  const manifestName = `${stem}.mf`;
  const notes: string[] = [];
  const present = async (name: string): Promise<Buffer | null> => {
    if (folder.entries !== null && !folder.entries.includes(name)) return null;
    const file = await folder.open(name, main).catch((error: unknown) => {
      if (isCode(error, 'package.missing_file')) return null;
      throw error;
    });
    if (!file) return null;
    try {
      return await whole(file, MAX_OVF_BYTES);
    } finally {
      await file.close();
    }
  };
  const text = await present(manifestName);
  let manifest: { name: string; entries: Manifest } | null = null;
  if (text) {
    const entries = parseManifest(text, manifestName);
    manifest = { name: manifestName, entries };
    const files = ovf.files.flatMap((file) =>
      file.chunkBytes === null ? [hrefName(file.href, main, entries)] : partNames(file, main),
    );
    assertNamed(entries, manifestName, [memberName(main, main), ...files]);
    const digested = new DigestedBytes(bytesOf(base.name, bytes), entries.get(main)?.digest ?? 'sha256');
    assertDigest(entries, manifestName, main, await digested.finish(() => undefined));
  } else {
    notes.push(`There is no manifest (${manifestName}): the files are not compared with what was exported.`);
  }
  if (await present(`${stem}.cert`)) notes.push(`The signature in ${stem}.cert is not checked.`);
  return new Package({ ...base, ovf, vmx: null, notes, manifest });
}

function bytesOf(name: string, bytes: Buffer): ByteSource {
  return {
    name,
    bytes: bytes.length,
    read: (position, length) => Promise.resolve(bytes.subarray(position, position + length)),
  };
}
