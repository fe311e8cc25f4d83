import { posix } from 'node:path';
import { StackferryError } from '../../core/index.js';
import {
  MAX_DESCRIPTOR_BYTES,
  NO_PARENT_CID,
  SECTOR_BYTES,
  capacityBytes,
  hasParent,
  kindOf,
  layoutSource,
  openStreamOptimized,
  parseDescriptor,
  readSparseHeader,
  vmdkLayout,
  type ByteSource,
  type DiskSource,
  type SparseHeader,
  type VmdkDescriptor,
  type VmdkKind,
  type VmdkLink,
} from '../../disk/index.js';
import { MAX_DISK_BYTES, sourceError, tooLarge } from '../source.js';
import { unsafePath } from './faults.js';

const MAX_LINKS = 64;
const TOGETHER = 'Put all files of the disk into one folder and give the newest descriptor.';

/** A file of a package: as it is, for looking at it, and as it is read for its content (digested on the way). */
export interface DiskFile {
  file: ByteSource;
  data: ByteSource;
}

/** Opens a file of the package by its name, once. */
export type OpenFile = (name: string, where: string) => Promise<DiskFile>;

/** A VMDK, or a chain of them, that can be read at any place. */
export interface OpenVmdk {
  kind: VmdkKind;
  /** Names in the package from the base to the newest. */
  chain: string[];
  source: DiskSource;
}

interface Link {
  descriptor: VmdkDescriptor;
  name: string;
  files: DiskFile[];
}

/**
 * Opens a VMDK of any kind with all that it names: extents and parents lie in its own folder, whatever folder a
 * descriptor names. Throws `disk.bad_descriptor`, `disk.short_file`, `disk.chain_broken`, `disk.unsupported`,
 * `disk.too_large`, `package.unsafe_path`, `package.missing_file`.
 */
export async function openVmdk(name: string, where: string, open: OpenFile): Promise<OpenVmdk> {
  const links: Link[] = [];
  const seen = new Set<string>();
  for (let next: string | null = name; next !== null;) {
    const key = posix.normalize(next);
    if (seen.has(key)) throw sourceError('disk.chain_broken', next, 'stands in its own chain', TOGETHER);
    if (links.length === MAX_LINKS) {
      throw sourceError('disk.chain_broken', name, `has a chain of more than ${MAX_LINKS} links`, TOGETHER);
    }
    seen.add(key);
    const own = await open(next, links.at(-1)?.name ?? where);
    const head = await own.file.read(0, Math.min(own.file.bytes, MAX_DESCRIPTOR_BYTES + 1));
    const header = readSparseHeader(head, own.file.name);
    if (header?.compressed === true && links.length === 0) return openCompressed(own, next);
    const descriptor = header ? await embedded(own.file, header) : parsed(head, own.file.name);
    refuseOdd(descriptor, own.file.name);
    links.push({ descriptor, name: next, files: await extentsOf(descriptor, header ? own : null, next, open) });
    next = parentOf(descriptor, next);
  }
  return {
    kind: kindOf(links[0]?.descriptor ?? { createType: '', extents: [] }) ?? 'flat',
    chain: links.map((link) => link.name).reverse(),
    source: await read(links),
  };
}

async function openCompressed({ file, data }: DiskFile, name: string): Promise<OpenVmdk> {
  const source = await openStreamOptimized(file, data);
  if (source.capacityBytes > MAX_DISK_BYTES) throw tooLarge(file.name, source.capacityBytes);
  return { kind: 'stream_optimized', chain: [name], source };
}

async function read(newestFirst: readonly Link[]): Promise<DiskSource> {
  const all: DiskFile[] = [];
  const links = newestFirst.toReversed().map(({ descriptor, files }): VmdkLink => {
    const indexes = files.map((file) => {
      const known = all.indexOf(file);
      return known >= 0 ? known : all.push(file) - 1;
    });
    let at = 0;
    return {
      descriptor,
      files: descriptor.extents.map(({ fileName }) => (fileName === null ? -1 : (indexes[at++] ?? -1))),
    };
  });
  const layout = await vmdkLayout(links, all.map(({ file }) => file)); // prettier-ignore
  return layoutSource(
    layout,
    all.map(({ data }) => data),
  );
}

function parsed(bytes: Buffer, name: string): VmdkDescriptor {
  try {
    return parseDescriptor(bytes);
  } catch (error) {
    if (!(error instanceof StackferryError)) throw error;
    throw new StackferryError(error.code, `${name}: ${error.message}`, {
      hint: 'Give the small text file (NAME.vmdk), not the -flat, -delta or -sesparse file that it names.',
      cause: error,
    });
  }
}

async function embedded(file: ByteSource, header: SparseHeader): Promise<VmdkDescriptor> {
  if (header.format !== 'vmdk4' || !header.descriptor) {
    throw sourceError('disk.bad_descriptor', file.name, 'is an extent without a descriptor of its own', TOGETHER);
  }
  const { offset, sectors } = header.descriptor;
  const length = Math.min(sectors * SECTOR_BYTES, MAX_DESCRIPTOR_BYTES);
  if ((offset + sectors) * SECTOR_BYTES > file.bytes) {
    throw sourceError('disk.short_file', file.name, 'ends within its descriptor: it was cut short', 'Copy it again.');
  }
  const region = await file.read(offset * SECTOR_BYTES, length);
  const end = region.indexOf(0);
  const descriptor = parsed(end < 0 ? region : region.subarray(0, end), file.name);
  if (descriptor.extents.length !== 1) {
    throw sourceError('disk.bad_descriptor', file.name, 'holds a descriptor of several extents', TOGETHER);
  }
  return descriptor;
}

function refuseOdd(descriptor: VmdkDescriptor, name: string): void {
  const kind = kindOf(descriptor);
  if (kind === 'rdm_physical' || kind === 'rdm_virtual') {
    throw sourceError(`disk.${kind}`, name, 'is a raw device mapping: its data lies on a LUN', 'Copy it in the guest.');
  }
  if (capacityBytes(descriptor) > MAX_DISK_BYTES) throw tooLarge(name, capacityBytes(descriptor));
}

/** @param self the file itself, where the descriptor lies inside its only extent */
async function extentsOf(
  descriptor: VmdkDescriptor,
  self: DiskFile | null,
  name: string,
  open: OpenFile,
): Promise<DiskFile[]> {
  if (self) return [self];
  const files: DiskFile[] = [];
  for (const { fileName } of descriptor.extents) {
    if (fileName !== null) files.push(await open(beside(name, fileName), name));
  }
  const named = descriptor.extents.filter(({ fileName }) => fileName !== null);
  for (const file of new Set(files)) {
    const ends = named.map(({ type, offset, sectors }, at) =>
      files[at] === file && (type === 'FLAT' || type === 'VMFS') ? offset + sectors : 0,
    );
    const expected = Math.max(...ends) * SECTOR_BYTES;
    if (expected > 0 && file.file.bytes !== expected) {
      const why = `has ${file.file.bytes} bytes, but ${name} says ${expected}: it was cut short or changed`;
      throw sourceError('disk.bad_descriptor', file.file.name, why, 'Copy the disk again.');
    }
  }
  return files;
}

/** The name of a file in the folder of the descriptor that names it. */
function beside(descriptor: string, fileName: string): string {
  if (/[/\\]/.test(fileName) || fileName === '..' || fileName === '.') {
    throw unsafePath(descriptor, fileName, 'outside its own folder');
  }
  const folder = posix.dirname(descriptor);
  return folder === '.' ? fileName : `${folder}/${fileName}`;
}

/** The parent in the same folder, however the hint spells its own; null for a base. */
function parentOf(descriptor: VmdkDescriptor, name: string): string | null {
  if (!hasParent(descriptor)) return null;
  const hint = descriptor.parentFileNameHint?.split(/[/\\]/).at(-1) ?? '';
  if (hint === '' || descriptor.parentCid === NO_PARENT_CID) {
    throw sourceError('disk.chain_broken', name, 'says only by half which parent it has', TOGETHER);
  }
  return beside(name, hint);
}
