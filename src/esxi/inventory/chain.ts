import { isCode, messageOf } from '../../core/index.js';
import {
  NO_PARENT_CID,
  SECTOR_BYTES,
  type VmdkDescriptor,
  type VmdkExtent,
  hasParent,
  parseDescriptor,
  readSparseHeader,
} from '../../disk/index.js';
import { FILE_STATUS, type Frame, textOf } from './batch.js';
import { type DatastorePaths, folderOf } from './paths.js';
import type { DiskProblem } from './schema.js';

/** Links that ESXi allows are 32; twice that is no chain but a trap. */
export const MAX_LINKS = 64;

interface ReadDescriptor {
  descriptor: VmdkDescriptor;
  encrypted: boolean;
  /** The file is the extent itself and holds its descriptor (stream-optimized and hosted sparse disks). */
  embedded: boolean;
}

/** A descriptor file as it was found. */
export type DescriptorFile =
  ({ state: 'read' } & ReadDescriptor) | { state: 'missing' } | { state: 'bad'; problem: DiskProblem };

/** What a frame of a descriptor file says. `name` is the datastore form, for messages. */
export function descriptorOf(frame: Frame | undefined, name: string): DescriptorFile {
  const bad = (why: string): DescriptorFile => ({
    state: 'bad',
    problem: { code: 'disk.bad_descriptor', message: `${name}: ${why}` },
  });
  if (!frame) return bad('the host did not give the descriptor');
  switch (frame.status) {
    case 0:
      break;
    case FILE_STATUS.missing:
      return { state: 'missing' };
    case FILE_STATUS.notAFile:
      return bad('it is not a regular file');
    case FILE_STATUS.symlink:
      return bad('it is a symbolic link, which is not followed');
    default: {
      const busy = /device or resource busy/i.test(textOf(frame));
      if (!busy) return bad('the host cannot read it');
      return { state: 'bad', problem: { code: 'disk.locked', message: `${name}: the descriptor is locked.` } };
    }
  }
  if (frame.content.length === 0) return bad('the descriptor is empty');
  try {
    // The keys of an encrypted disk stand in its descriptor, sealed.
    const encrypted = /^\s*encryptionKeys\s*=\s*"?\w/im.test(textOf(frame));
    const inside = descriptorInside(frame.content);
    return {
      state: 'read',
      descriptor: parseDescriptor(inside ?? frame.content),
      encrypted,
      embedded: inside !== null,
    };
  } catch (error) {
    if (!isCode(error, 'disk.bad_descriptor')) throw error;
    return bad(messageOf(error));
  }
}

/** The descriptor that a sparse file holds (Virtual Disk Format 1.1), or null for a file that is one itself. */
function descriptorInside(file: Buffer): Buffer | null {
  const place = readSparseHeader(file, 'The file')?.descriptor;
  if (!place) return null;
  const text = file.subarray(place.offset * SECTOR_BYTES, (place.offset + place.sectors) * SECTOR_BYTES);
  const end = text.indexOf(0);
  return end < 0 ? text : text.subarray(0, end);
}

export interface Link extends ReadDescriptor {
  /** Absolute. */
  path: string;
}

export interface Chain {
  /** From the newest to the base, as far as it could be read. */
  links: Link[];
  problems: DiskProblem[];
  /** A descriptor that was not read yet; the walk goes on when it is. */
  wanted: string | null;
}

/**
 * Walks from a disk's newest descriptor to its base over what was read. Nothing that leads out of the datastores is
 * followed; loops and chains of more than {@link MAX_LINKS} links end the walk.
 */
export function walkChain(newest: string, files: ReadonlyMap<string, DescriptorFile>, paths: DatastorePaths): Chain {
  const chain: Chain = { links: [], problems: [], wanted: null };
  const stop = (code: DiskProblem['code'], message: string) => {
    chain.problems.push({ code, message });
    return chain;
  };
  const seen = new Set<string>();
  for (let path = newest; ;) {
    const name = paths.toDatastore(path);
    const child = chain.links.at(-1);
    if (seen.has(path)) return stop('disk.bad_descriptor', `${name} is its own parent: the chain is a loop.`);
    if (seen.size >= MAX_LINKS) return stop('disk.bad_descriptor', `The chain has more than ${MAX_LINKS} links.`);
    seen.add(path);
    const file = files.get(path);
    if (!file) {
      chain.wanted = path;
      return chain;
    }
    if (file.state === 'missing') {
      if (!child) return stop('disk.missing', `The descriptor ${name} is not there.`);
      return stop('disk.chain_broken', `${name}, the parent of ${paths.toDatastore(child.path)}, is not there.`);
    }
    if (file.state === 'bad') {
      chain.problems.push(file.problem);
      return chain;
    }
    const { descriptor, encrypted, embedded } = file;
    if (child && child.descriptor.parentCid !== descriptor.cid) {
      chain.problems.push({
        code: 'disk.chain_broken',
        message:
          `${paths.toDatastore(child.path)} was made over content ${child.descriptor.parentCid}, ` +
          `but its parent ${name} is now ${descriptor.cid}.`,
      });
    }
    chain.links.push({ path, descriptor, encrypted, embedded });
    if (!hasParent(descriptor)) return chain;
    const hint = descriptor.parentFileNameHint ?? '';
    if (hint === '') return stop('disk.chain_broken', `${name} is a delta but does not name its parent.`);
    if (descriptor.parentCid === NO_PARENT_CID) {
      return stop('disk.bad_descriptor', `${name} names a parent, but its parentCID says that it has none.`);
    }
    const parent = paths.resolve(hint, folderOf(path));
    if (parent === null) {
      return stop('disk.bad_descriptor', `${name} names a parent outside the datastores: ${JSON.stringify(hint)}.`);
    }
    path = parent;
  }
}

/**
 * The absolute path of an extent's file, or null where it must not be followed: ESXi writes bare names; a
 * subfolder or an absolute path into a datastore is taken, `..` never.
 */
export function extentPath(extent: VmdkExtent, link: Link, paths: DatastorePaths): string | null {
  if (link.embedded) return link.path;
  const name = extent.fileName ?? '';
  if (name.split('/').includes('..') || /[\0-\x1f]/.test(name)) return null;
  return paths.resolve(name.startsWith('/') ? name : `./${name}`, folderOf(link.path));
}

/**
 * Descriptors that are likely to be wanted with this one: the links below it by ESXi's naming (`x-000002.vmdk` over
 * `x-000001.vmdk` over `x.vmdk`), so that most chains cost no further round trip.
 */
export function likelyParents(path: string): string[] {
  const match = /^(.*)-0{0,5}(\d{1,6})\.vmdk$/.exec(path);
  const stem = match?.[1];
  const number = Number(match?.[2] ?? 0);
  if (stem === undefined || !/-\d{6}\.vmdk$/.test(path)) return [];
  const names = [`${stem}.vmdk`];
  for (let n = Math.max(1, number - 8); n < number; n++) names.push(`${stem}-${String(n).padStart(6, '0')}.vmdk`);
  return names;
}
