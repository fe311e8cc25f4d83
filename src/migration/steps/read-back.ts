import { StackferryError, throwIfAborted } from '../../core/index.js';
import { CHUNK_BYTES, DiskHasher, isZero, type OnChunk, type RangeList, type RangeTarget } from '../../disk/index.js';

/** So many places among what should be zeros are looked at. */
const SAMPLES = 64;
const SAMPLE_BYTES = 64 * 1024;

/**
 * The content hash of a disk as it is at its target: every chunk that holds data is read; of the rest, which was made
 * zeros or never written, samples are.
 * @throws StackferryError `disk.target_differs` where a sample is not zeros.
 */
export async function readBack(
  target: RangeTarget & { readonly bytes: number },
  disk: {
    capacityBytes: number;
    data: RangeList;
    signal: AbortSignal;
    onBytes: (bytes: number) => void;
    /** Told of each chunk that is not zeros. */
    onChunk?: OnChunk;
  },
): Promise<string> {
  const { capacityBytes, data, signal, onBytes } = disk;
  const hasher = new DiskHasher(capacityBytes, disk.onChunk);
  const chunks = data.aligned(CHUNK_BYTES, capacityBytes);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (const { offset, length } of chunks) {
    for (let at = offset; at < offset + length; at += CHUNK_BYTES) {
      throwIfAborted(signal);
      const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, capacityBytes - at));
      await target.read(at, chunk);
      await hasher.update({ offset: at, bytes: chunk });
      for (const range of data.within(at, chunk.length)) onBytes(range.length);
    }
  }
  for (const at of samplesOf(chunks, target.bytes)) {
    throwIfAborted(signal);
    const sample = buffer.subarray(0, Math.min(SAMPLE_BYTES, target.bytes - at));
    await target.read(at, sample);
    if (isZero(sample)) continue;
    throw new StackferryError('disk.target_differs', `${target.name} is not zeros at ${at}, where the disk is.`, {
      hint: 'Something else writes to the volume, or its storage does not keep what it is told. Undo the run: stackferry rollback',
    });
  }
  return hasher.digest();
}

/** Places in the gaps: their first and last bytes, spread over the volume. */
function samplesOf(chunks: RangeList, end: number): number[] {
  const places: number[] = [];
  for (const { offset, length } of chunks.gapsWithin(0, end)) {
    places.push(offset, Math.max(offset, offset + length - SAMPLE_BYTES));
  }
  const step = Math.max(1, places.length / SAMPLES);
  const chosen: number[] = [];
  for (let at = 0; at < places.length; at += step) chosen.push(places[Math.floor(at)] ?? 0);
  return chosen;
}
