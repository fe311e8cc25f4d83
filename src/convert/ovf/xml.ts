import { readXml, type XmlElement } from '../../core/xml.js';
import { badOvf } from './faults.js';

/** A descriptor of a hundred VMs with licence texts in ten languages has less. */
export const MAX_OVF_BYTES = 8 * 1024 ** 2;
const MAX_DEPTH = 64;

export type { XmlElement } from '../../core/xml.js';

/** Reads a descriptor. Throws `package.bad_ovf` for what is no XML, too large, too deep, or not in UTF-8 or UTF-16. */
export function parseXml(bytes: Uint8Array, name: string): XmlElement {
  const bad = (why: string) => badOvf(name, 'as XML', why);
  if (bytes.byteLength > MAX_OVF_BYTES) throw bad(`it has ${bytes.byteLength} bytes; ${MAX_OVF_BYTES} are the limit`);
  const text = decode(bytes, bad);
  if (/[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text)) throw bad('it holds binary data');
  return trimmed(readXml(text, { maxDepth: MAX_DEPTH, bad }));
}

/** The same with texts without blanks at their ends, which mean nothing in a descriptor. */
function trimmed(element: XmlElement): XmlElement {
  return { ...element, text: element.text.trim(), children: element.children.map(trimmed) };
}

function decode(bytes: Uint8Array, bad: (why: string) => Error): string {
  const [a, b] = bytes;
  const wide = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : null;
  try {
    return new TextDecoder(wide ?? 'utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw bad('it is not in UTF-8');
  }
}
