import { z } from 'zod';
import { GIB, MIB } from '../../core/index.js';

/** How long an image and the volume made of it took in a cloud, as a run has seen it. */
export const measuredSample = z.object({
  /** ISO 8601. */
  at: z.string(),
  /** URL of Keystone and region: whose storage it was. Not the project, for all of a cloud share that. */
  auth_url: z.string(),
  region: z.string().nullable(),
  /** Null: the cloud's default. */
  volume_type: z.string().nullable(),
  format: z.enum(['raw', 'qcow2']),
  image_bytes: z.number().nonnegative(),
  volume_gib: z.number().positive(),
  /** From the first byte of the upload to an active image; null where the image was there already. */
  image_seconds: z.number().nonnegative().nullable(),
  /** From the order of the volume until it is available. */
  volume_seconds: z.number().nonnegative(),
});
export type MeasuredSample = z.infer<typeof measuredSample>;
export type MeasuredFormat = MeasuredSample['format'];

/** Whose storage it was: times of another cloud tell nothing of this one, nor do those of another volume type. */
export type MeasuredCloud = Pick<MeasuredSample, 'auth_url' | 'region'>;

/** A smaller image tells more of the overhead than of the rate. */
const LEAST_IMAGE_BYTES = 128 * MIB;
/** What is quicker is not told apart: Cinder and Glance are asked about once a second. */
const LEAST_SECONDS = 1;
/** So many of a cloud, volume type and format are kept and counted, the newest. */
const MOST_OF_ONE = 8;
/** Of all; the oldest go first. */
const MOST = 400;

/** Whether a sample is large enough to tell something. */
export function isTelling(sample: MeasuredSample): boolean {
  return sample.image_bytes >= LEAST_IMAGE_BYTES;
}

/** The samples with one more, within their bounds. */
export function withSample(samples: readonly MeasuredSample[], added: MeasuredSample): MeasuredSample[] {
  const like = ofVolumeType(ofCloud(samples, added), added.volume_type).filter(({ format }) => format === added.format);
  const surplus = new Set(like.slice(0, -(MOST_OF_ONE - 1)));
  return [...samples.filter((one) => !surplus.has(one)), added].slice(-MOST);
}

/** The samples of one cloud. */
export function ofCloud(samples: readonly MeasuredSample[], cloud: MeasuredCloud): MeasuredSample[] {
  const url = placeUrl(cloud.auth_url);
  return samples.filter((one) => placeUrl(one.auth_url) === url && one.region === cloud.region);
}

/** Of these the samples of one volume type; null: the cloud's default. */
export function ofVolumeType(samples: readonly MeasuredSample[], volumeType: string | null): MeasuredSample[] {
  return samples.filter((one) => one.volume_type === volumeType);
}

/** Keystone's URL as a key: without what may be written or left out, and without anything that may be secret. */
export function placeUrl(authUrl: string): string {
  try {
    const { origin, pathname } = new URL(authUrl);
    return `${origin}${pathname.replace(/\/+$/, '').replace(/\/v3$/, '')}`;
  } catch {
    return '';
  }
}

/** What an image of this size is expected to take until its volume is available. */
export interface Prediction {
  /** Until the image is active. */
  imageSeconds: number;
  /** From then on until the volume is available. */
  volumeSeconds: number;
  /** Volumes that it rests on. */
  volumes: number;
}

/**
 * The time that an image and its volume would take by what was measured; null where there is nothing to go by. An upload
 * goes by the image's bytes; a volume by what the cloud reads and writes for it, which are the image's bytes and the
 * volume's: how much of both a store really moves is its secret.
 * @param samples of one cloud and volume type
 */
export function predict(
  samples: readonly MeasuredSample[],
  of: { format: MeasuredFormat; imageBytes: number; volumeGib: number },
): Prediction | null {
  const image = predictImage(samples, of);
  const volume = predictVolume(samples, of);
  const volumes = telling(samples, of.format).length;
  return image === null || volume === null ? null : { imageSeconds: image, volumeSeconds: volume, volumes };
}

/** The part of {@link predict} until the image is active. */
export function predictImage(
  samples: readonly MeasuredSample[],
  { format, imageBytes }: { format: MeasuredFormat; imageBytes: number },
): number | null {
  const points = telling(samples, format).flatMap(({ image_bytes: size, image_seconds: seconds }) =>
    seconds === null ? [] : [{ size, seconds }],
  );
  return timeOf(points, imageBytes);
}

/** The part of {@link predict} from the order of the volume on. */
export function predictVolume(
  samples: readonly MeasuredSample[],
  { format, imageBytes, volumeGib }: { format: MeasuredFormat; imageBytes: number; volumeGib: number },
): number | null {
  const points = telling(samples, format).map((one) => ({
    size: one.image_bytes + one.volume_gib * GIB,
    seconds: one.volume_seconds,
  }));
  return timeOf(points, imageBytes + volumeGib * GIB);
}

/** The newest samples of a format that tell something. */
function telling(samples: readonly MeasuredSample[], format: MeasuredFormat): MeasuredSample[] {
  return samples.filter((one) => one.format === format && isTelling(one)).slice(-MOST_OF_ONE);
}

interface Point {
  size: number;
  seconds: number;
}

/**
 * The time for a size, by medians, so that one slow hour does not count: where sizes that differ by half were seen, a
 * line through them (a clone takes the same for every size; medians of the slopes and of the rests, after Theil and Sen);
 * else in proportion to the size.
 */
function timeOf(points: readonly Point[], size: number): number | null {
  const seen = points.map((point) => ({ ...point, seconds: Math.max(point.seconds, LEAST_SECONDS) }));
  if (seen.length === 0) return null;
  const slopes = seen.flatMap((one) =>
    seen
      .filter((other) => other.size >= 1.5 * one.size)
      .map((other) => (other.seconds - one.seconds) / (other.size - one.size)),
  );
  if (slopes.length > 0) {
    const slope = Math.max(0, median(slopes));
    const rest = median(seen.map((one) => one.seconds - slope * one.size));
    if (rest >= 0) return Math.max(LEAST_SECONDS, rest + slope * size);
  }
  return Math.max(LEAST_SECONDS, median(seen.map((one) => one.seconds / one.size)) * size);
}

/** The lower one of two in the middle. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}
