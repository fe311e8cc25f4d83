import { MIB } from '../../core/index.js';
import type { ByteSource } from '../disk-layout.js';
import type { RangeList } from '../ranges.js';
import { SECTOR_BYTES, capacityBytes, hasParent } from './descriptor.js';
import { brokenChain, unsupported } from './faults.js';
import { LinkMap, type VmdkLink } from './link-map.js';
import { TableCache } from './table-cache.js';

const MAX_LINKS = 256;

export interface LayoutOptions {
  /** A hint for a file of flat extents: only these ranges of the file may hold data. Null: all of it. */
  allocated?: (file: number) => RangeList | null;
}

/** Opens all links; they share the memory for tables. */
export async function openLinks(
  links: readonly VmdkLink[],
  files: readonly ByteSource[],
  options: LayoutOptions,
): Promise<LinkMap[]> {
  checkFilesOnce(links, files);
  const sparse = links.flatMap(({ descriptor }) => descriptor.extents).filter(({ type }) => /SPARSE$/.test(type));
  const { cacheBytes, aheadBytes } = tableMemory(sparse.length);
  const cache = new TableCache(cacheBytes);
  const maps: LinkMap[] = [];
  for (const link of links) {
    maps.push(await LinkMap.open(link, files, { allocated: options.allocated ?? (() => null), cache, aheadBytes }));
  }
  return maps;
}

/** Throws unless the first link is a base, and each other one a sparse delta over the one before it. */
export function checkLinks(links: readonly VmdkLink[]): void {
  if (links.length > MAX_LINKS) throw brokenChain(`The chain has more than ${MAX_LINKS} links.`);
  let below: VmdkLink | null = null;
  for (const link of links) {
    const { descriptor } = link;
    const name = descriptor.extents.find(({ fileName }) => fileName !== null)?.fileName ?? 'a disk';
    if (!below) {
      if (hasParent(descriptor)) throw brokenChain(`The disk of ${name} is a delta, but its base was not given.`);
    } else {
      const { cid } = below.descriptor;
      if (!hasParent(descriptor)) throw brokenChain(`The disk of ${name} has no parent, but stands over one.`);
      if (descriptor.parentCid !== cid) {
        throw brokenChain(
          `The disk of ${name} was made over content ${descriptor.parentCid}, its parent holds ${cid}.`,
        );
      }
      const sizes = [capacityBytes(descriptor), capacityBytes(below.descriptor)];
      if (sizes[0] !== sizes[1]) {
        const sectors = sizes.map((size) => size / SECTOR_BYTES).join(' and ');
        throw brokenChain(`The disk of ${name} and its parent have different sizes (${sectors} sectors).`);
      }
      const other = descriptor.extents.find(({ type }) => !/SPARSE$/.test(type));
      if (other)
        throw unsupported(name, `is a delta with an extent of the kind ${other.type}, which is not read in place`);
    }
    below = link;
  }
  if (!below) throw new RangeError('a disk has one link at least');
}

/** So much memory holds the tables of a disk whose links have so many sparse extents; and of it, for one of them. */
function tableMemory(sparseExtents: number): { cacheBytes: number; aheadBytes: number } {
  const share = Math.floor((24 * MIB) / Math.max(1, sparseExtents));
  return {
    cacheBytes: Math.max(32 * MIB, 2 * MIB * Math.min(sparseExtents, 64)),
    aheadBytes: Math.min(16 * MIB, Math.max(MIB, share)),
  };
}

/** A sparse file holds one extent of one link. */
function checkFilesOnce(links: readonly VmdkLink[], files: readonly ByteSource[]): void {
  const seen = new Set<number>();
  for (const { descriptor, files: own } of links) {
    for (const [at, { type }] of descriptor.extents.entries()) {
      if (!/SPARSE$/.test(type)) continue;
      const index = own[at] ?? -1;
      if (seen.has(index)) throw brokenChain(`${files[index]?.name ?? 'A file'} stands twice in one disk.`);
      seen.add(index);
    }
  }
}
