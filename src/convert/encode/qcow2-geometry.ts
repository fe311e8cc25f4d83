import { KIB, MIB } from '../../core/index.js';
import { SECTOR_BYTES, type RangeList } from '../../disk/index.js';

/** Bytes of an entry of the L1, L2 and refcount tables. */
export const ENTRY_BYTES = 8;
/** Bytes of a refcount: 16 bits, as qemu-img makes them. */
export const REFCOUNT_BYTES = 2;

const LEAST_CLUSTER = 512;
const USUAL_CLUSTER = 64 * KIB;
const MOST_CLUSTER = 2 * MIB;
const MOST_CLUSTERS = 2 ** 27;
/** QEMU opens no larger ones: block/qcow2.h, QCOW_MAX_L1_SIZE and QCOW_MAX_REFTABLE_SIZE. */
const MOST_L1 = 32 * MIB;
const MOST_REFCOUNT_TABLE = 8 * MIB;

/** Where everything lies in an image whose tables come first. `…At` are numbers of clusters, from the image's start. */
export interface Qcow2Geometry {
  clusterBytes: number;
  /** The disk's size as the image tells it: whole sectors, since QEMU takes no others into account. */
  diskBytes: number;
  refcountTableAt: number;
  refcountTableClusters: number;
  refcountBlocksAt: number;
  refcountBlocks: number;
  l1At: number;
  l1Clusters: number;
  l1Entries: number;
  l2At: number;
  dataAt: number;
  /** Of the image: all of them in use. */
  clusters: number;
}

/**
 * The size of clusters for a disk: 64 KiB, which is qemu-img's own choice, unless the disk has more than 2^27 of them
 * (8 TiB); then as many times larger as brings it below. So, up to 256 TiB, all L2 tables together stay within 1 GiB,
 * the refcounts within 256 MiB (`qemu-img check` holds them all in memory), and L1 and refcount table within 128 KiB;
 * the tables of larger disks grow, QEMU's limits come long after. A disk on VMFS loses nothing by larger clusters up to
 * 1 MiB: its files grow by whole MiB.
 */
export function chooseClusterBytes(capacityBytes: number): number {
  let bytes = USUAL_CLUSTER;
  while (bytes < MOST_CLUSTER && capacityBytes > bytes * MOST_CLUSTERS) bytes *= 2;
  return bytes;
}

/** Throws a `RangeError` for a size that the format does not have: docs/interop/qcow2.txt, `cluster_bits`. */
export function assertClusterBytes(bytes: number): void {
  if (!Number.isInteger(Math.log2(bytes)) || bytes < LEAST_CLUSTER || bytes > MOST_CLUSTER) {
    throw new RangeError(`a qcow2 image cannot have clusters of ${bytes} bytes`);
  }
}

/** Lays out an image. `wanted` names whole clusters, but for the last one of the disk. */
export function layOut(capacityBytes: number, wanted: RangeList, clusterBytes: number): Qcow2Geometry {
  const entries = clusterBytes / ENTRY_BYTES;
  const { dataClusters, l2Tables } = count(wanted, clusterBytes);
  const l1Entries = Math.max(1, Math.ceil(capacityBytes / (clusterBytes * entries)));
  const l1Clusters = Math.ceil(l1Entries / entries);
  const others = 1 + l1Clusters + l2Tables + dataClusters;
  const { blocks, tableClusters } = countRefcounts(others, clusterBytes);
  if (l1Clusters * clusterBytes > MOST_L1 || tableClusters * clusterBytes > MOST_REFCOUNT_TABLE) {
    throw new RangeError(`a disk of ${capacityBytes} bytes is too large for clusters of ${clusterBytes} bytes`);
  }
  const refcountBlocksAt = 1 + tableClusters;
  const l1At = refcountBlocksAt + blocks;
  const l2At = l1At + l1Clusters;
  return {
    clusterBytes,
    diskBytes: Math.ceil(capacityBytes / SECTOR_BYTES) * SECTOR_BYTES,
    refcountTableAt: 1,
    refcountTableClusters: tableClusters,
    refcountBlocksAt,
    refcountBlocks: blocks,
    l1At,
    l1Clusters,
    l1Entries,
    l2At,
    dataAt: l2At + l2Tables,
    clusters: others + blocks + tableClusters,
  };
}

function count(wanted: RangeList, clusterBytes: number): { dataClusters: number; l2Tables: number } {
  const entries = clusterBytes / ENTRY_BYTES;
  let dataClusters = 0;
  let l2Tables = 0;
  let lastTable = -1;
  for (const { offset, length } of wanted) {
    const first = offset / clusterBytes;
    const end = Math.ceil((offset + length) / clusterBytes);
    dataClusters += end - first;
    const table = Math.floor((end - 1) / entries);
    l2Tables += table - Math.max(lastTable, Math.floor(first / entries) - 1);
    lastTable = table;
  }
  return { dataClusters, l2Tables };
}

/** Refcount blocks and their table count themselves, too: the fewest that suffice. */
function countRefcounts(others: number, clusterBytes: number): { blocks: number; tableClusters: number } {
  let blocks = 0;
  let tableClusters = 0;
  for (;;) {
    const needed = Math.ceil(((others + blocks + tableClusters) * REFCOUNT_BYTES) / clusterBytes);
    const table = Math.ceil((needed * ENTRY_BYTES) / clusterBytes);
    if (needed === blocks && table === tableClusters) return { blocks, tableClusters };
    blocks = needed;
    tableClusters = table;
  }
}
