import type { DiskPiece } from '../../disk/index.js';
import { assertInside, closing, inOrder } from './pieces.js';
import type { EncodedImage, EncodeRequest, ImageRun } from './types.js';

/** A raw image: the disk as it is, what holds no data as runs of zeros. `wanted` is `data`. */
export function encodeRaw(request: EncodeRequest): EncodedImage {
  assertInside(request);
  const { capacityBytes, data } = request;
  async function* runs(pieces: AsyncIterable<DiskPiece>): AsyncGenerator<ImageRun, void, undefined> {
    let at = 0;
    for await (const { offset, bytes } of inOrder(data, pieces)) {
      if (offset > at) yield { kind: 'zeros', length: offset - at };
      yield { kind: 'data', bytes, diskOffset: offset };
      at = offset + bytes.length;
    }
    if (at < capacityBytes) yield { kind: 'zeros', length: capacityBytes - at };
  }
  return {
    format: 'raw',
    bytes: capacityBytes,
    wanted: data,
    tables: () => [],
    positionOf: (diskOffset) => diskOffset,
    stream: (pieces) => closing(pieces, runs),
  };
}
