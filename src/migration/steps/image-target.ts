import type { EncodedImage } from '../../convert/index.js';
import type { RangeTarget, SparseFile } from '../../disk/index.js';

/**
 * A disk that is written into an image file, in any order: each byte goes to the place that it has in the image. What
 * the image does not hold (`wanted` leaves it out) reads as zeros and cannot be written. The tables are there first.
 */
export async function imageTarget(file: SparseFile, image: EncodedImage): Promise<RangeTarget> {
  let at = 0;
  for (const table of image.tables()) {
    await file.write(at, table);
    at += table.length;
  }
  return {
    name: file.path,
    write: (offset, bytes) => file.write(image.positionOf(offset), bytes),
    async zero(offset, length) {
      for (const range of image.wanted.within(offset, length)) {
        throw new RangeError(`zeros at ${range.offset}, where data is wanted`);
      }
      // A raw file that was kept may hold something there; in a qcow2 there is no place for it.
      if (image.format === 'raw') await zeroFile(file, offset, length);
    },
    async read(offset, buffer) {
      if (image.format === 'raw') {
        await file.read(offset, buffer);
        return;
      }
      buffer.fill(0);
      for (const range of image.wanted.within(offset, buffer.length)) {
        const begin = range.offset - offset;
        await file.read(image.positionOf(range.offset), buffer.subarray(begin, begin + range.length));
      }
    },
    flush: () => file.sync(),
  };
}

const ZEROS = Buffer.alloc(1024 * 1024);

async function zeroFile(file: SparseFile, offset: number, length: number): Promise<void> {
  for (let at = offset; at < offset + length; at += ZEROS.length) {
    await file.write(at, ZEROS.subarray(0, Math.min(ZEROS.length, offset + length - at)), true);
  }
}
