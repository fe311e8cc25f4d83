import type { DigestName, Image } from './images.js';

/** How an image's own hash compares with what was sent. */
export interface HashVerdict {
  result: 'equal' | 'different' | 'unknown';
  /** Which digest was compared: `sha512`; null where none could be. */
  algorithm: string | null;
}

/**
 * Compares what Glance says it stored with the digests of what was sent. `os_hash_value` counts before the old MD5
 * `checksum`; a digest that was not computed, or that Glance does not show, leaves it unknown.
 */
export function compareImageHash(image: Image, digests: Partial<Record<DigestName, string>>): HashVerdict {
  const { os_hash_algo: algorithm, os_hash_value: value } = image;
  if (algorithm && value) {
    const own = (digests as Record<string, string | undefined>)[algorithm.toLowerCase()];
    if (own !== undefined) {
      return { result: own.toLowerCase() === value.toLowerCase() ? 'equal' : 'different', algorithm };
    }
  }
  if (image.checksum && digests.md5 !== undefined) {
    return {
      result: digests.md5.toLowerCase() === image.checksum.toLowerCase() ? 'equal' : 'different',
      algorithm: 'md5',
    };
  }
  return { result: 'unknown', algorithm: null };
}
