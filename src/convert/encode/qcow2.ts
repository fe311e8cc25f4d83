import type { DiskPiece } from '../../disk/index.js';
import { assertInside, closing, inOrder } from './pieces.js';
import { assertClusterBytes, chooseClusterBytes, layOut } from './qcow2-geometry.js';
import { tables } from './qcow2-tables.js';
import type { EncodedImage, EncodeRequest, ImageRun } from './types.js';

export interface Qcow2Request extends EncodeRequest {
  /** A power of two from 512 to 2 MiB; where unset it is chosen by the capacity. */
  clusterBytes?: number;
}

/**
 * A qcow2 image (version 3) in one pass: the data ranges are known, so all tables come first, then the data in the
 * disk's order, every cluster with its final place and a refcount of one. `wanted` is `data` grown to whole clusters
 * and cut at the disk's end. The image is whole clusters, too: `qemu-img check` would not notice a last one cut short.
 * A capacity that is no multiple of 512 is rounded up to one, as qemu-img does with a raw file.
 */
export function encodeQcow2(request: Qcow2Request): EncodedImage {
  assertInside(request);
  const { capacityBytes, clusterBytes = chooseClusterBytes(capacityBytes) } = request;
  assertClusterBytes(clusterBytes);
  const wanted = request.data.aligned(clusterBytes, capacityBytes);
  const geometry = layOut(capacityBytes, wanted, clusterBytes);
  const bytes = geometry.clusters * clusterBytes;
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`a disk cannot have ${capacityBytes} bytes`);
  /** The rest of the disk's last cluster. */
  const padding = (geometry.clusters - geometry.dataAt) * clusterBytes - wanted.bytes;

  async function* runs(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<ImageRun, void, undefined> {
    for (const table of tables(geometry, wanted)) yield { kind: 'table', bytes: table };
    for await (const piece of inOrder(wanted, pieces)) {
      yield { kind: 'data', bytes: piece.bytes, diskOffset: piece.offset };
    }
    if (padding > 0) yield { kind: 'zeros', length: padding };
  }
  return {
    format: 'qcow2',
    bytes,
    wanted,
    tables: () => tables(geometry, wanted),
    positionOf: (diskOffset) => geometry.dataAt * clusterBytes + wanted.rank(diskOffset),
    stream: (pieces) => closing(pieces, runs),
  };
}
