import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StackferryError } from '../core/index.js';
import {
  MAX_DESCRIPTOR_BYTES,
  NO_PARENT_CID,
  SECTOR_BYTES,
  SPARSE_HEADER_BYTES,
  capacityBytes,
  hasParent,
  kindOf,
  leastFileBytes,
  parseDescriptor,
  readSparseHeader,
  serializeDescriptor,
  type SparseHeader,
  type VmdkDescriptor,
  type VmdkKind,
} from '../disk/index.js';
import { MAX_DISK_BYTES, bytesAt, fileBeside, regularFile, sourceError, tooLarge, withFile } from './source.js';
import type { CheckedSource, SourceFile } from './source.js';

const MAX_LINKS = 64;
/** qemu-img looks for a parent in so many bytes from the descriptor's start, whatever the header says of its length. */
const QEMU_DESCRIPTOR_BYTES = 20 * SECTOR_BYTES;

/** createType as qemu-img takes it, by kind: it refuses others (`vmfsThin`, `custom` …) though the extents are the same. */
const CREATE_TYPES: Partial<Record<VmdkKind, string>> = {
  flat: 'twoGbMaxExtentFlat',
  sparse: 'twoGbMaxExtentSparse',
  stream_optimized: 'twoGbMaxExtentSparse',
  vmfs_sparse: 'vmfsSparse',
  se_sparse: 'seSparse',
};

interface Link {
  file: SourceFile;
  descriptor: VmdkDescriptor;
  kind: VmdkKind;
  /** The header of the file itself, where the descriptor lies inside it. */
  header: SparseHeader | null;
  /** One for each extent of the descriptor. */
  extents: SourceFile[];
}

const TOGETHER = 'Copy all files of the disk into one folder (stackferry export does) and give the newest descriptor.';

/**
 * Checks a VMDK with all that it names: extents and parents lie in its own folder, sizes agree, content ids agree, no
 * loop. qemu-img then gets descriptors written by us in `workDir`, which name symbolic links in it, so that nothing in
 * the original text (an absolute path, a blank line before the extents, an unknown createType) reaches it.
 */
export async function checkVmdk(path: string, workDir: string): Promise<CheckedSource> {
  const top = await regularFile(path, null);
  const folder = dirname(top.path);
  const links: Link[] = [];
  const seen = new Set<string>();
  for (let next: SourceFile | null = top; next !== null;) {
    if (seen.has(next.path)) throw broken(next.path, 'stands in its own chain');
    if (links.length === MAX_LINKS) throw broken(top.path, `has a chain of more than ${MAX_LINKS} links`);
    seen.add(next.path);
    const link: Link = await readLink(next, folder);
    const above = links.at(-1);
    if (above) checkParent(above, link);
    links.push(link);
    next = await parentOf(link, folder);
  }
  links.reverse();
  const newest = links.at(-1);
  if (!newest) throw broken(path, 'has no link');
  const files = links.flatMap((link) => (link.header ? [link.file] : [link.file, ...new Set(link.extents)]));
  const capacity = capacityBytes(newest.descriptor);
  if (newest.header && links.length === 1) return { path: top.path, format: 'vmdk', capacityBytes: capacity, files };
  await mkdir(workDir, { recursive: true });
  for (const [index, link] of links.entries()) await writeLink(link, index, workDir);
  return { path: join(workDir, `${links.length - 1}.vmdk`), format: 'vmdk', capacityBytes: capacity, files };
}

function broken(path: string, why: string): StackferryError {
  return sourceError('disk.chain_broken', path, why, TOGETHER);
}

function bad(path: string, why: string): StackferryError {
  return sourceError(
    'disk.bad_descriptor',
    path,
    why,
    'Copy the disk again, or clone it on the host with vmkfstools -i.',
  );
}

async function readLink(file: SourceFile, folder: string): Promise<Link> {
  const head = await withFile(file.path, (handle) => bytesAt(handle, 0, MAX_DESCRIPTOR_BYTES + 1));
  const header = readSparseHeader(head, file.path);
  const descriptor = header ? await embedded(file, header) : parsed(head, file);
  const kind = kindOf(descriptor);
  if (kind === 'rdm_physical' || kind === 'rdm_virtual') {
    throw sourceError(
      `disk.${kind}`,
      file.path,
      'is a raw device mapping: its data lies on a LUN',
      'Copy it inside the guest.',
    );
  }
  const odd = descriptor.extents.find(({ access, type }) => access === 'NOACCESS' || type === 'ZERO');
  if (kind === null || odd) {
    const what = odd ? `${odd.access} ${odd.type}` : descriptor.createType;
    throw sourceError(
      'disk.unsupported',
      file.path,
      `is of a type that cannot be read (${what})`,
      'Clone it with vmkfstools -i.',
    );
  }
  if (capacityBytes(descriptor) > MAX_DISK_BYTES) throw tooLarge(file.path, capacityBytes(descriptor));
  const extents: SourceFile[] = [];
  if (header) {
    if (descriptor.extents.length !== 1) throw bad(file.path, 'holds a descriptor of several extents');
    await checkSparse(file, header, capacityBytes(descriptor));
    extents.push(file);
  } else {
    for (const extent of descriptor.extents) {
      const beside = await fileBeside(folder, extent.fileName ?? '', file.path);
      if (beside.path === file.path) throw bad(file.path, 'names itself as its extent');
      extents.push(extents.find((known) => known.path === beside.path) ?? beside);
    }
    await checkExtents(file, descriptor, kind, extents);
  }
  return { file, descriptor, kind, header, extents };
}

function parsed(bytes: Buffer, file: SourceFile): VmdkDescriptor {
  try {
    return parseDescriptor(bytes);
  } catch (error) {
    if (!(error instanceof StackferryError)) throw error;
    throw new StackferryError(error.code, `${file.path}: ${error.message}`, {
      hint: 'Give the small text file (NAME.vmdk), not the -flat, -delta or -sesparse file that it names.',
      cause: error,
    });
  }
}

async function embedded(file: SourceFile, header: SparseHeader): Promise<VmdkDescriptor> {
  if (header.format !== 'vmdk4' || !header.descriptor) {
    throw bad(file.path, 'is an extent without a descriptor of its own: give the descriptor that names it');
  }
  const { offset, sectors } = header.descriptor;
  const length = Math.min(sectors * SECTOR_BYTES, MAX_DESCRIPTOR_BYTES);
  const region = await withFile(file.path, (handle) =>
    bytesAt(handle, offset * SECTOR_BYTES, Math.max(length, QEMU_DESCRIPTOR_BYTES)),
  );
  const end = region.indexOf(0);
  const descriptor = parsed(region.subarray(0, end < 0 ? length : Math.min(end, length)), file);
  // qemu-img would follow this word wherever it stands in these bytes, in a comment too.
  if (!hasParent(descriptor) && region.includes('parentFileNameHint')) {
    throw bad(file.path, 'hides the name of a parent in its descriptor; it is not followed');
  }
  return descriptor;
}

async function checkExtents(
  file: SourceFile,
  descriptor: VmdkDescriptor,
  kind: VmdkKind,
  extents: readonly SourceFile[],
): Promise<void> {
  for (const [index, extent] of descriptor.extents.entries()) {
    const data = extents[index];
    if (!data) throw bad(file.path, 'has an extent without a file');
    if (kind !== 'flat') {
      const head = await withFile(data.path, (handle) => bytesAt(handle, 0, SPARSE_HEADER_BYTES));
      const header = readSparseHeader(head, data.path);
      const formats = {
        vmfs_sparse: 'cowd',
        se_sparse: 'sesparse',
        sparse: 'vmdk4',
        stream_optimized: 'vmdk4',
      } as const;
      if (header?.format !== formats[kind as keyof typeof formats]) {
        throw bad(data.path, `is no file of the kind that ${basename(file.path)} says (${kind})`);
      }
      await checkSparse(data, header, extent.sectors * SECTOR_BYTES);
      continue;
    }
    const ends = descriptor.extents.map(({ offset, sectors }, at) => (extents[at] === data ? offset + sectors : 0));
    const expected = Math.max(...ends) * SECTOR_BYTES;
    if (data.bytes !== expected) {
      throw bad(
        data.path,
        `has ${data.bytes} bytes, but ${basename(file.path)} says ${expected}: it was cut short or changed`,
      );
    }
  }
}

async function checkSparse(file: SourceFile, header: SparseHeader, capacity: number): Promise<void> {
  if (header.capacitySectors * SECTOR_BYTES !== capacity) {
    throw bad(file.path, `is for ${header.capacitySectors * SECTOR_BYTES} bytes, but its descriptor says ${capacity}`);
  }
  const least = await withFile(file.path, (handle) =>
    leastFileBytes(header, (position, length) => bytesAt(handle, position, length), file.bytes, file.path),
  );
  if (least > file.bytes) {
    throw bad(file.path, `was cut short: it has ${file.bytes} bytes, its tables name data up to ${least}`);
  }
}

/** The parent's file in the same folder, however the hint spells its folder; null for a base. */
async function parentOf(link: Link, folder: string): Promise<SourceFile | null> {
  const { descriptor, file } = link;
  if (!hasParent(descriptor)) return null;
  const hint = descriptor.parentFileNameHint ?? '';
  if (hint === '' || descriptor.parentCid === NO_PARENT_CID)
    throw broken(file.path, 'says only by half which parent it has');
  if (link.header?.compressed) throw broken(file.path, 'is a compressed delta, which cannot be read');
  const name = hint.split(/[/\\]/).at(-1) ?? '';
  try {
    return await fileBeside(folder, name, file.path);
  } catch (error) {
    if (!(error instanceof StackferryError) || error.code !== 'disk.missing') throw error;
    throw new StackferryError('disk.chain_broken', `${file.path} is a delta over ${name}, which is not in ${folder}.`, {
      hint: TOGETHER,
      cause: error,
    });
  }
}

function checkParent(child: Link, parent: Link): void {
  const { parentCid } = child.descriptor;
  if (parentCid !== parent.descriptor.cid) {
    const cids = `content ${parentCid}, but ${basename(parent.file.path)} holds ${parent.descriptor.cid}`;
    throw broken(child.file.path, `was made over ${cids}`);
  }
  if (capacityBytes(child.descriptor) !== capacityBytes(parent.descriptor)) {
    throw broken(child.file.path, `and its parent ${basename(parent.file.path)} have different sizes`);
  }
}

async function writeLink(link: Link, index: number, workDir: string): Promise<void> {
  const extents = link.descriptor.extents.map((extent, at) => ({
    ...extent,
    access: 'RW' as const, // qemu-img skips RDONLY extents, so that the disk gets shorter
    type: link.kind === 'flat' ? ('FLAT' as const) : extent.type,
    fileName: `${index}-${at}.extent`,
  }));
  for (const [at, { fileName }] of extents.entries())
    await symlink(link.extents[at]?.path ?? '', join(workDir, fileName));
  const text = serializeDescriptor({
    version: 1,
    encoding: 'UTF-8',
    cid: link.descriptor.cid,
    parentCid: link.descriptor.parentCid,
    createType: CREATE_TYPES[link.kind] ?? link.descriptor.createType,
    parentFileNameHint: index === 0 ? null : `${index - 1}.vmdk`,
    extents,
    ddb: new Map(),
  });
  await writeFile(join(workDir, `${index}.vmdk`), text);
}
