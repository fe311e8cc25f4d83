import type { ByteSource } from '../disk-layout.js';
import type { RangeList } from '../ranges.js';
import { cowdShape } from './cowd.js';
import { SECTOR_BYTES, type VmdkDescriptor, type VmdkExtent } from './descriptor.js';
import type { ExtentMap, Walk } from './extent-map.js';
import { badFile, shortFile, unsupported } from './faults.js';
import { flatExtent, zeroExtent } from './flat.js';
import { hostedShape } from './hosted.js';
import type { Run } from './runs.js';
import { seSparseShape } from './se-sparse.js';
import { SparseExtent } from './sparse-extent.js';
import { SPARSE_HEADER_BYTES, readSparseHeader } from './sparse-header.js';
import type { TableCache } from './table-cache.js';

const FORMATS = { VMFSSPARSE: 'cowd', SESPARSE: 'sesparse', SPARSE: 'vmdk4' } as const;

/** One descriptor with the files that its extents name. */
export interface VmdkLink {
  descriptor: VmdkDescriptor;
  /** For each extent of the descriptor the index of its file; whatever for a ZERO extent, which has none. */
  files: readonly number[];
}

export interface LinkOptions {
  /** For a file of flat extents: the ranges of the file that may hold data; null: all of it. */
  allocated: (file: number) => RangeList | null;
  cache: TableCache;
  /** Bytes of tables that a walk over the whole disk may read ahead. */
  aheadBytes: number;
}

/** One link of a chain: its extents one behind another. */
export class LinkMap {
  readonly bytes: number;
  readonly #extents: readonly { begin: number; map: ExtentMap }[];

  private constructor(maps: readonly ExtentMap[]) {
    let bytes = 0;
    this.#extents = maps.map((map) => {
      const begin = bytes;
      bytes += map.bytes;
      return { begin, map };
    });
    this.bytes = bytes;
  }

  /**
   * Reads the headers of the link's sparse extents. Throws `disk.unsupported` for a kind that is not read here,
   * `disk.bad_descriptor` and `disk.short_file` where a file is not what the descriptor says.
   */
  static async open(link: VmdkLink, files: readonly ByteSource[], options: LinkOptions): Promise<LinkMap> {
    const maps: ExtentMap[] = [];
    for (const [at, extent] of link.descriptor.extents.entries()) {
      if (extent.access === 'NOACCESS') {
        throw unsupported(extent.fileName ?? 'An extent', 'may not be read, says its descriptor (NOACCESS)');
      }
      if (extent.type === 'ZERO') {
        maps.push(zeroExtent(extent.sectors * SECTOR_BYTES));
        continue;
      }
      const index = link.files[at] ?? -1;
      const file = files[index];
      if (!file) throw new RangeError(`no file is given for the extent ${extent.fileName ?? at}`);
      maps.push(await openExtent(extent, file, index, options));
    }
    return new LinkMap(maps);
  }

  /** What the link says of `[offset, offset + length)`: runs in order that cover it whole. */
  async runs(offset: number, length: number, walk: Walk): Promise<Run[]> {
    const out: Run[] = [];
    const end = offset + length;
    for (let at = this.#find(offset); ; at++) {
      const extent = this.#extents[at];
      if (!extent || extent.begin >= end) return out;
      const from = Math.max(0, offset - extent.begin);
      const to = Math.min(extent.map.bytes, end - extent.begin);
      await extent.map.runs(from, to - from, walk, extent.begin, out);
    }
  }

  /** A length from `offset` on whose runs are few enough to be held at once; `offset` lies inside the disk. */
  async window(offset: number): Promise<number> {
    const extent = this.#extents[this.#find(offset)];
    return extent ? extent.map.window(offset - extent.begin) : 1;
  }

  /** The extent that holds an offset. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#extents.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#extents[middle]?.begin ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

async function openExtent(
  extent: VmdkExtent,
  file: ByteSource,
  index: number,
  options: LinkOptions,
): Promise<ExtentMap> {
  const bytes = extent.sectors * SECTOR_BYTES;
  switch (extent.type) {
    case 'FLAT':
    case 'VMFS':
      return flatExtent(file, index, extent.offset * SECTOR_BYTES, bytes, options.allocated(index));
    case 'VMFSSPARSE':
    case 'SESPARSE':
    case 'SPARSE':
      return openSparse(extent, file, index, options);
    default:
      throw unsupported(file.name, `is an extent of the kind ${extent.type}, which is not read in place`);
  }
}

async function openSparse(
  extent: VmdkExtent,
  file: ByteSource,
  index: number,
  options: LinkOptions,
): Promise<ExtentMap> {
  const { name, bytes } = file;
  const head = await file.read(0, Math.min(SPARSE_HEADER_BYTES, bytes));
  if (head.byteLength < SECTOR_BYTES) throw shortFile(name, bytes, SECTOR_BYTES, 'its header');
  const header = readSparseHeader(head, name);
  const format = FORMATS[extent.type as keyof typeof FORMATS];
  if (header?.format !== format) throw badFile(name, `it is not of the kind that its descriptor says (${extent.type})`);
  if (header.capacitySectors !== extent.sectors) {
    const sizes = `${header.capacitySectors} sectors, but its descriptor says ${extent.sectors}`;
    throw badFile(name, `it is for ${sizes}`);
  }
  if (header.leastSectors * SECTOR_BYTES > bytes) {
    throw shortFile(name, bytes, header.leastSectors * SECTOR_BYTES, 'its directory');
  }
  if (header.compressed || (header.format === 'vmdk4' && header.directoryOffset === null)) {
    throw unsupported(name, 'holds compressed grains, which are no extent to be read in place');
  }
  const shape =
    format === 'cowd'
      ? cowdShape(header, bytes)
      : format === 'vmdk4'
        ? hostedShape(header, head.readUInt32LE(8), header.directoryOffset ?? 0, bytes)
        : await seSparseShape(header, head, file);
  return new SparseExtent(file, index, shape, options.cache, options.aheadBytes);
}
