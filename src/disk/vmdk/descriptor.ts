import { StackferryError, decodeText } from '../../core/index.js';

/** Bytes of a sector, the unit of every count in a descriptor. */
export const SECTOR_BYTES = 512;
/** A real descriptor has a few hundred bytes; one with thousands of split extents some tens of KiB. */
export const MAX_DESCRIPTOR_BYTES = 64 * 1024;
const MAX_EXTENTS = 4096;
/** 1 PiB: no disk of any VMware product comes near; what says more lies. (ESXi's own limit of 62 TiB is a finding.) */
const MAX_SECTORS = 2 ** 50 / SECTOR_BYTES;

const accessWords = ['RW', 'RDONLY', 'NOACCESS'] as const;
const extentTypes = ['FLAT', 'SPARSE', 'ZERO', 'VMFS', 'VMFSSPARSE', 'SESPARSE', 'VMFSRDM', 'VMFSRAW'] as const;
/** The parent CID of a disk without a parent. */
export const NO_PARENT_CID = 'ffffffff';

type ExtentAccess = (typeof accessWords)[number];
type ExtentType = (typeof extentTypes)[number];
export type VmdkKind =
  'flat' | 'vmfs_sparse' | 'se_sparse' | 'rdm_virtual' | 'rdm_physical' | 'stream_optimized' | 'sparse';

export interface VmdkExtent {
  access: ExtentAccess;
  /** Size as the guest sees it. */
  sectors: number;
  type: ExtentType;
  /** As written, not judged: it may hold separators, `..` or an absolute path. Null for ZERO only. */
  fileName: string | null;
  /** Where a flat extent begins in its file, in sectors. */
  offset: number;
}

export interface VmdkDescriptor {
  version: number;
  /** As written (`UTF-8`, `windows-1252` …); null where the descriptor does not say. */
  encoding: string | null;
  /** Content id, eight lower-case hex digits. */
  cid: string;
  /** {@link NO_PARENT_CID} for a base disk. */
  parentCid: string;
  /** As written: `vmfs`, `vmfsSparse`, `seSparse`, `monolithicFlat` … */
  createType: string;
  /** As written, not judged. */
  parentFileNameHint: string | null;
  extents: VmdkExtent[];
  /** The disk database: keys without `ddb.`, in the order of the file. */
  ddb: Map<string, string>;
}

function bad(message: string): StackferryError {
  return new StackferryError('disk.bad_descriptor', message, {
    hint: 'Look at the descriptor on the host; `vmkfstools -i OLD.vmdk NEW.vmdk` makes a clean copy of a readable disk.',
  });
}

function decode(bytes: Uint8Array): string {
  // The declaration itself is ASCII in every encoding that VMware writes.
  const ascii = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const declared = /^[ \t]*encoding[ \t]*=[ \t]*"?([A-Za-z0-9._-]+)"?[ \t]*\r?$/im.exec(ascii)?.[1];
  return decodeText(bytes, declared ?? null);
}

/** `ACCESS SECTORS TYPE "NAME" [OFFSET [DEVICE IDS]]`; the name runs to the last quote, for names may hold quotes. */
const EXTENT = /^(RW|RDONLY|NOACCESS)\s+(\d+)\s+([A-Z0-9_]+)(?:\s+"(.*)"(?:\s+(\d+)(?:\s.*)?)?)?$/i;

function parseExtent(line: string, number: number): VmdkExtent {
  const match = EXTENT.exec(line);
  if (!match) throw bad(`The descriptor's line ${number} is not an extent that can be read: ${preview(line)}`);
  const [, access, sectorsText, typeText, fileName, offsetText] = match;
  const type = extentTypes.find((known) => known === typeText?.toUpperCase());
  if (!type) throw bad(`The descriptor's line ${number} names the unknown extent type ${preview(typeText ?? '')}.`);
  const sectors = Number(sectorsText);
  const offset = Number(offsetText ?? 0);
  if (sectors === 0 || sectors > MAX_SECTORS || offset > MAX_SECTORS) {
    throw bad(`The descriptor's line ${number} gives an impossible size: ${preview(line)}`);
  }
  if (type !== 'ZERO' && !fileName) throw bad(`The descriptor's line ${number} names no file.`);
  return {
    access: accessWords.find((known) => known === access?.toUpperCase()) ?? 'NOACCESS',
    sectors,
    type,
    fileName: type === 'ZERO' ? null : (fileName ?? null),
    offset,
  };
}

function preview(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function contentId(text: string | undefined, key: string): string {
  if (text === undefined) throw bad(`The descriptor has no ${key}.`);
  if (!/^[0-9a-f]{1,8}$/i.test(text)) throw bad(`The descriptor's ${key} is no content id: ${preview(text)}`);
  return text.toLowerCase().padStart(8, '0');
}

/**
 * Reads a VMDK descriptor ("Virtual Disk Format 1.1"; what ESXi writes is that text with the extent types VMFS,
 * VMFSSPARSE, SESPARSE, VMFSRDM). Line ends, letter case of keys and words, a byte-order mark, blanks around `=` and
 * a missing final newline do not matter, nor does padding with NULs (qemu-img leaves it). Names are given as written: whoever opens them judges them.
 *
 * Throws `disk.bad_descriptor` for what is no descriptor (binary, NUL bytes in it, over 64 KiB), for what is missing, for a
 * value given twice with different contents and for impossible sizes.
 */
export function parseDescriptor(input: Uint8Array | string): VmdkDescriptor {
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > MAX_DESCRIPTOR_BYTES) {
    throw bad(`The file has ${size} bytes: a VMDK descriptor has at most ${MAX_DESCRIPTOR_BYTES}.`);
  }
  const text = (typeof input === 'string' ? input : decode(input)).replace(/^\uFEFF|\0+$/g, '');
  if (/[\0-\x08\x0b\x0e-\x1f]/.test(text)) throw bad('The file is no VMDK descriptor: it holds binary data.');

  const values = new Map<string, string>();
  const ddb = new Map<string, string>();
  const extents: VmdkExtent[] = [];
  const lines = text.split(/\r\n|\n|\r/);
  let signed = false;
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line.startsWith('#')) {
      signed ||= /^#\s*disk\s*descriptor\s*file/i.test(line);
      continue;
    }
    if (line === '') continue;
    const pair = /^([A-Za-z][\w.-]*)\s*=\s*(.*)$/.exec(line);
    if (!pair) {
      if (extents.length === MAX_EXTENTS) throw bad(`The descriptor has more than ${MAX_EXTENTS} extents.`);
      extents.push(parseExtent(line, index + 1));
      continue;
    }
    const key = pair[1] ?? '';
    const value = (pair[2] ?? '').replace(/^"(.*)"$/, '$1');
    if (/^ddb\./i.test(key)) {
      ddb.set(key.slice(4), value);
      continue;
    }
    const before = values.get(key.toLowerCase());
    if (before !== undefined && before !== value) {
      throw bad(`The descriptor gives ${key} twice: ${preview(before)} and ${preview(value)}.`);
    }
    values.set(key.toLowerCase(), value);
  }

  if (!signed && !values.has('version'))
    throw bad('The file is no VMDK descriptor: neither its first line nor a version says so.');
  const version = Number(values.get('version') ?? 1);
  if (!Number.isInteger(version) || version < 1 || version > 4) {
    throw bad(`The descriptor's version is ${preview(values.get('version') ?? '')}; 1 to 4 are known.`);
  }
  const createType = values.get('createtype');
  if (!createType) throw bad('The descriptor has no createType.');
  if (extents.length === 0) throw bad('The descriptor has no extent.');
  const descriptor: VmdkDescriptor = {
    version,
    encoding: values.get('encoding') ?? ddb.get('encoding') ?? null,
    cid: contentId(values.get('cid'), 'CID'),
    parentCid: contentId(values.get('parentcid') ?? NO_PARENT_CID, 'parentCID'),
    createType,
    parentFileNameHint: values.get('parentfilenamehint') ?? null,
    extents,
    ddb,
  };
  if (capacityBytes(descriptor) > MAX_SECTORS * SECTOR_BYTES) throw bad('The descriptor gives an impossible size.');
  return descriptor;
}

/** The disk's size as the guest sees it. */
export function capacityBytes(descriptor: Pick<VmdkDescriptor, 'extents'>): number {
  return descriptor.extents.reduce((sum, extent) => sum + extent.sectors, 0) * SECTOR_BYTES;
}

/** True where the disk is a delta over another one. */
export function hasParent(descriptor: Pick<VmdkDescriptor, 'parentCid' | 'parentFileNameHint'>): boolean {
  return descriptor.parentCid !== NO_PARENT_CID || (descriptor.parentFileNameHint ?? '') !== '';
}

/** The inventory's word for what holds the data, from the extents and, where they leave doubt, createType. Null: unknown. */
export function kindOf(descriptor: Pick<VmdkDescriptor, 'createType' | 'extents'>): VmdkKind | null {
  const createType = descriptor.createType.toLowerCase();
  const types = new Set(descriptor.extents.map((extent) => extent.type));
  if (types.has('VMFSRDM') || types.has('VMFSRAW')) {
    return createType.includes('passthrough') ? 'rdm_physical' : 'rdm_virtual';
  }
  if (createType.includes('passthroughrawdevicemap')) return 'rdm_physical';
  if (createType.includes('rawdevicemap')) return 'rdm_virtual';
  types.delete('ZERO');
  if (types.size !== 1) return null;
  switch ([...types][0]) {
    case 'VMFS':
    case 'FLAT':
      return 'flat';
    case 'VMFSSPARSE':
      return 'vmfs_sparse';
    case 'SESPARSE':
      return 'se_sparse';
    case 'SPARSE':
      return createType === 'streamoptimized' ? 'stream_optimized' : 'sparse';
    default:
      return null;
  }
}

/** True for text that can stand between a descriptor's quotes and that every reader takes as it is. */
export function canQuote(name: string): boolean {
  return !/["\0-\x1f\x7f]/.test(name) && Buffer.byteLength(name) <= 511;
}

/**
 * The descriptor as text, in the form that ESXi writes and qemu-img reads right: a comment line before the extents
 * (after a blank line qemu-img 7.2 counts the first extent twice), no blanks around `=`, UTF-8. Throws
 * `disk.bad_descriptor` for a name that the format cannot hold.
 */
export function serializeDescriptor(descriptor: VmdkDescriptor): string {
  const quoted = (name: string) => {
    if (!canQuote(name)) throw bad(`A VMDK descriptor cannot hold the name ${preview(name)}.`);
    return `"${name}"`;
  };
  const lines = [
    '# Disk DescriptorFile',
    `version=${descriptor.version}`,
    'encoding="UTF-8"',
    `CID=${descriptor.cid}`,
    `parentCID=${descriptor.parentCid}`,
    `createType=${quoted(descriptor.createType)}`,
  ];
  if (descriptor.parentFileNameHint) lines.push(`parentFileNameHint=${quoted(descriptor.parentFileNameHint)}`);
  lines.push('', '# Extent description');
  for (const { access, sectors, type, fileName, offset } of descriptor.extents) {
    const name = fileName === null ? '' : ` ${quoted(fileName)}`;
    lines.push(`${access} ${sectors} ${type}${name}${type === 'FLAT' || offset > 0 ? ` ${offset}` : ''}`);
  }
  lines.push('', '# The Disk Data Base', '#DDB', '');
  for (const [key, value] of descriptor.ddb) {
    if (key !== 'encoding') lines.push(`ddb.${key} = ${quoted(value)}`);
  }
  return `${lines.join('\n')}\n`;
}
