import type { OvfFile } from '../ovf/index.js';
import { memberName } from './confined.js';
import { badOvf } from '../ovf/faults.js';

const MAX_PARTS = 4096;

/**
 * The name of a file by its href, which is a URI: `a%20b.vmdk` is what it says, or `a b.vmdk`; of these the one that
 * `known` has. Either form must stay inside the package.
 */
export function hrefName(href: string, where: string, known: Pick<ReadonlyMap<string, unknown>, 'has'>): string {
  const plain = memberName(href, where);
  const decoded = memberName(decodedHref(href), where);
  return known.has(plain) || !known.has(decoded) ? plain : decoded;
}

/** The href without percent signs; where they are none of a URI, as it is. */
export function decodedHref(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}

/** The names of the parts of a file that lies in such: `HREF.000000000`, `HREF.000000001` … (DSP0243, 7.1). */
export function partNames({ href, bytes, chunkBytes }: OvfFile, where: string): string[] {
  const place = `the file ${JSON.stringify(href)}`;
  if (bytes === null || chunkBytes === null) throw badOvf(where, place, 'it lies in parts, but its size is not told');
  const count = Math.max(1, Math.ceil(bytes / chunkBytes));
  if (count > MAX_PARTS) throw badOvf(where, place, `it lies in ${count} parts; ${MAX_PARTS} are the limit`);
  return Array.from({ length: count }, (_, part) => memberName(`${href}.${String(part).padStart(9, '0')}`, where));
}
