import { MIB, ceilGib, formatBytes, formatSeconds } from '../../core/index.js';
import { predict, predictImage, type MeasuredFormat, type MeasuredSample } from '../measured/samples.js';
import type { MappingOptions } from './options.js';

/** A disk that is at least so full is sent raw: qcow2 would save next to nothing and costs the cloud a conversion. */
const FULL_SHARE = 0.9;
/** Below this size the difference is not worth a thought, and raw is the simplest form there is. */
const SMALL = 64 * MIB;
/** The other format has to take at most so much of the time: what is nearer is the noise of a few samples. */
const FASTER = 0.8;
/** An unmeasured format is worth a try where sending it would take at most so much of the time that the other takes. */
const WORTH_A_TRY = 0.5;

export interface FormatChoice {
  format: MeasuredFormat;
  reason: string;
}

/**
 * The format of a disk's image. `auto` goes by the time until its volume is available, where runs have measured both
 * formats in this cloud and for this volume type; else it sends what is smaller: qcow2 where a good part of the disk holds
 * nothing, raw where it is full or small. What was measured of one format alone decides nothing, and is told.
 * @param capacity in bytes, and `allocated`, what the datastore holds of it; null where that is not known
 * @param measured samples of the cloud and the volume type
 */
export function chooseFormat(
  wanted: MappingOptions['imageFormat'],
  capacity: number,
  allocated: number | null,
  measured: readonly MeasuredSample[] = [],
): FormatChoice {
  if (wanted !== 'auto') return { format: wanted, reason: `--image-format ${wanted}` };
  if (capacity <= SMALL) return { format: 'raw', reason: `small: ${formatBytes(capacity)}` };
  const bySize = smaller(capacity, allocated);
  const volumeGib = ceilGib(capacity);
  const bytes = { raw: capacity, qcow2: Math.min(allocated ?? capacity, capacity) };
  const secondsOf = (format: MeasuredFormat) => {
    const time = predict(measured, { format, imageBytes: bytes[format], volumeGib });
    return time && { seconds: time.imageSeconds + time.volumeSeconds, told: told(format, time) };
  };
  const other: MeasuredFormat = bySize.format === 'raw' ? 'qcow2' : 'raw';
  const [own, others] = [secondsOf(bySize.format), secondsOf(other)];
  if (own && others) {
    const both = `${own.told}, ${others.told}`;
    return others.seconds <= FASTER * own.seconds
      ? { format: other, reason: `faster as measured in this cloud: ${both}; ${bySize.reason}` }
      : { format: bySize.format, reason: `${bySize.reason}; measured in this cloud: ${both}` };
  }
  const known = own ?? others;
  if (!known) return bySize;
  const unknown = own ? other : bySize.format;
  const sending = own && predictImage(measured, { format: bySize.format, imageBytes: bytes[other] });
  const isWorth = own && sending !== null && sending <= WORTH_A_TRY * own.seconds;
  const hint = isWorth ? `, and may be faster: try --image-format ${unknown} once` : '';
  return {
    format: bySize.format,
    reason: `${bySize.reason}; measured in this cloud: ${known.told}; ${unknown} is not measured yet${hint}`,
  };
}

/** What moves fewer bytes, as far as that makes a difference. */
function smaller(capacity: number, allocated: number | null): FormatChoice {
  if (allocated === null) return { format: 'qcow2', reason: 'what the disk holds is not known; holes are not sent' };
  const share = `its files hold ${formatBytes(Math.min(allocated, capacity))} of ${formatBytes(capacity)}`;
  return allocated >= capacity * FULL_SHARE ? { format: 'raw', reason: share } : { format: 'qcow2', reason: share };
}

/** `qcow2 about 1 min 12 s until the volume is available (3 volumes)` */
function told(format: MeasuredFormat, time: NonNullable<ReturnType<typeof predict>>): string {
  const seconds = formatSeconds(time.imageSeconds + time.volumeSeconds);
  return `${format} about ${seconds} until the volume is available (${time.volumes} volume${time.volumes === 1 ? '' : 's'})`;
}
