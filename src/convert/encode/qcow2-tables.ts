import type { RangeList } from '../../disk/index.js';
import { ENTRY_BYTES, REFCOUNT_BYTES, type Qcow2Geometry } from './qcow2-geometry.js';

const HEADER_BYTES = 112;
const REFCOUNT_ORDER = Math.log2(REFCOUNT_BYTES * 8);
/** Bit 63 of an entry of L1 and L2: the cluster has a refcount of exactly one. Here the upper half of the entry. */
const COPIED = 2 ** 31;

/**
 * All that comes before the data, in whole clusters: header, refcount table, refcount blocks, L1, L2 tables. One buffer
 * at a time, and no larger than a cluster, but for L1 and refcount table (see `chooseClusterBytes`). The format is
 * docs/interop/qcow2.txt of QEMU, version 3. A table of L2 is there only where it names data; without a backing file
 * everything else reads as zeros.
 */
export function* tables(geometry: Qcow2Geometry, wanted: RangeList): Generator<Buffer, void, undefined> {
  yield header(geometry);
  yield refcountTable(geometry);
  yield* refcountBlocks(geometry);
  yield l1Table(geometry, wanted);
  yield* l2Tables(geometry, wanted);
}

/** No feature bits, no header extensions (the zeros behind the header end their list), no snapshots. */
function header(geometry: Qcow2Geometry): Buffer {
  const { clusterBytes } = geometry;
  const bytes = Buffer.alloc(clusterBytes);
  bytes.write('QFI\xfb', 'latin1');
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(Math.log2(clusterBytes), 20);
  bytes.writeBigUInt64BE(BigInt(geometry.diskBytes), 24);
  bytes.writeUInt32BE(geometry.l1Entries, 36);
  bytes.writeBigUInt64BE(BigInt(geometry.l1At * clusterBytes), 40);
  bytes.writeBigUInt64BE(BigInt(geometry.refcountTableAt * clusterBytes), 48);
  bytes.writeUInt32BE(geometry.refcountTableClusters, 56);
  bytes.writeUInt32BE(REFCOUNT_ORDER, 96);
  bytes.writeUInt32BE(HEADER_BYTES, 100);
  return bytes;
}

function refcountTable(geometry: Qcow2Geometry): Buffer {
  const { clusterBytes, refcountBlocksAt } = geometry;
  const table = Buffer.alloc(geometry.refcountTableClusters * clusterBytes);
  const view = viewOf(table);
  for (let block = 0; block < geometry.refcountBlocks; block++) {
    writeEntry(view, block, (refcountBlocksAt + block) * clusterBytes, 0);
  }
  return table;
}

/** One for every cluster of the image, zero for those behind its end. */
function* refcountBlocks({ clusterBytes, clusters }: Qcow2Geometry): Generator<Buffer, void, undefined> {
  const one = Buffer.from([0, 1]);
  const full = clusterBytes / REFCOUNT_BYTES;
  for (let first = 0; first < clusters; first += full) {
    const block = Buffer.alloc(clusterBytes, one);
    if (clusters - first < full) block.fill(0, (clusters - first) * REFCOUNT_BYTES);
    yield block;
  }
}

function l1Table(geometry: Qcow2Geometry, wanted: RangeList): Buffer {
  const { clusterBytes, l1Clusters, l2At } = geometry;
  const table = Buffer.alloc(l1Clusters * clusterBytes);
  const view = viewOf(table);
  const span = clusterBytes * (clusterBytes / ENTRY_BYTES);
  let next = l2At;
  let last = -1;
  for (const { offset, length } of wanted) {
    const end = Math.ceil((offset + length) / span);
    for (let entry = Math.max(last + 1, Math.floor(offset / span)); entry < end; entry++) {
      writeEntry(view, entry, next++ * clusterBytes, COPIED);
      last = entry;
    }
  }
  return table;
}

function* l2Tables(geometry: Qcow2Geometry, wanted: RangeList): Generator<Buffer, void, undefined> {
  const { clusterBytes } = geometry;
  const span = clusterBytes * (clusterBytes / ENTRY_BYTES);
  let position = geometry.dataAt * clusterBytes;
  let table = Buffer.alloc(0);
  let view = viewOf(table);
  /** Where the table begins, on the disk. */
  let start = -span;
  for (const { offset, length } of wanted) {
    const end = offset + length;
    for (let at = offset; at < end; at = start + span) {
      if (at >= start + span) {
        if (table.length > 0) yield table;
        table = Buffer.alloc(clusterBytes);
        view = viewOf(table);
        start = Math.floor(at / span) * span;
      }
      const first = (at - start) / clusterBytes;
      const count = Math.ceil((Math.min(end, start + span) - at) / clusterBytes);
      for (let index = first; index < first + count; index++) {
        writeEntry(view, index, position, COPIED);
        position += clusterBytes;
      }
    }
  }
  if (table.length > 0) yield table;
}

/** A position in the image (bits 9 to 55 of an entry, a multiple of the cluster) and flags of the entry's upper half. */
function writeEntry(table: DataView, index: number, position: number, flags: number): void {
  table.setUint32(index * ENTRY_BYTES, Math.floor(position / 2 ** 32) + flags);
  // The lower 32 bits, as `%` gives them, at a small part of its price: there can be 2^27 entries.
  table.setUint32(index * ENTRY_BYTES + 4, position >>> 0);
}

/** What entries are written through: several times as fast as a buffer's own methods. */
function viewOf(table: Buffer): DataView {
  return new DataView(table.buffer, table.byteOffset, table.byteLength);
}
