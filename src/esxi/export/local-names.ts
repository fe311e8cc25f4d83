import { createHash } from 'node:crypto';
import { canQuote } from '../../disk/index.js';

/** Suffixes that this room itself gives to files. */
const OURS = /\.part$|\.proof$/i;

/** The folder of a disk in the output folder: `scsi0:0` becomes `scsi0-0`. */
export function diskFolder(label: string): string {
  return label.replace(/[^A-Za-z0-9_-]/g, '-') || 'disk';
}

/**
 * Names for files of one disk in one local folder: as on the host, made safe only where they could escape, could not
 * be named in a descriptor, are too long with our suffixes, or are already taken (a linked clone's files often have the
 * names of its base's).
 */
export class LocalNames {
  readonly #taken = new Set<string>();

  take(name: string): string {
    let safe = name;
    if (!canQuote(safe) || safe.includes('/') || safe.startsWith('.') || OURS.test(safe)) {
      safe = `_${safe.replace(/["/\p{Cc}]/gu, '_').replace(OURS, '_')}`;
    }
    if (Buffer.byteLength(safe) > 200) {
      const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
      safe = `${Array.from(safe).slice(0, 40).join('')}-${hash}.vmdk`;
    }
    let unique = safe;
    for (let number = 2; this.#taken.has(unique.toLowerCase()); number++) {
      unique = safe.replace(/(\.vmdk)?$/i, (suffix: string) => `~${number}${suffix}`);
    }
    this.#taken.add(unique.toLowerCase());
    return unique;
  }
}
