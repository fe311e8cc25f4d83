import { XMLParser } from 'fast-xml-parser';
import { messageOf } from '../../core/index.js';
import { badOvf } from './faults.js';

/** A descriptor of a hundred VMs with licence texts in ten languages has less. */
export const MAX_OVF_BYTES = 8 * 1024 ** 2;
const MAX_DEPTH = 64;

/** An element with its namespace resolved. Attributes are kept as `{namespace}name`, those without a prefix as `name`. */
export interface XmlElement {
  ns: string;
  name: string;
  attributes: ReadonlyMap<string, string>;
  children: readonly XmlElement[];
  /** Its own text, without blanks at its ends. */
  text: string;
}

const XML_NS = 'http://www.w3.org/XML/1998/namespace';
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: '#cdata',
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_DEPTH,
});

type Raw = Record<string, unknown>;

/**
 * Reads XML without document types: no entity is ever expanded but XML's own five and characters by number. Throws
 * `package.bad_ovf` for what is not well-formed, too large, too deep, or not in UTF-8 or UTF-16.
 */
export function parseXml(bytes: Uint8Array, name: string): XmlElement {
  const bad = (why: string) => badOvf(name, 'as XML', why);
  if (bytes.byteLength > MAX_OVF_BYTES) throw bad(`it has ${bytes.byteLength} bytes; ${MAX_OVF_BYTES} are the limit`);
  const text = decode(bytes, bad);
  if (/<!\s*(DOCTYPE|ENTITY)/i.test(text)) throw bad('it has a document type or entities, which are not read');
  if (/[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text)) throw bad('it holds binary data');
  let roots: Raw[];
  try {
    // Deprecated in favour of a package of its own, which would be one dependency more for the same check.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    roots = (parser.parse(text, true) as Raw[]).filter((item) => elementName(item) !== null);
  } catch (error) {
    throw bad(messageOf(error));
  }
  const [root, ...others] = roots;
  if (!root || others.length > 0) throw bad('it has not exactly one root element');
  return element(root, new Map([['xml', XML_NS]]), bad);
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

function elementName(item: Raw): string | null {
  return Object.keys(item).find((key) => key !== ':@' && !key.startsWith('#')) ?? null;
}

function element(item: Raw, outer: ReadonlyMap<string, string>, bad: (why: string) => Error): XmlElement {
  const tag = elementName(item) ?? '';
  const raw = Object.entries((item[':@'] ?? {}) as Record<string, string>);
  const spaces = new Map(outer);
  for (const [key, value] of raw) {
    const match = /^xmlns(?::(.+))?$/.exec(key);
    if (match) spaces.set(match[1] ?? '', unescaped(value, bad));
  }
  const resolve = (key: string, plain: string): { ns: string; name: string } => {
    const at = key.indexOf(':');
    if (at < 0) return { ns: plain, name: key };
    const ns = spaces.get(key.slice(0, at));
    if (ns === undefined) throw bad(`the prefix of ${JSON.stringify(key.slice(0, 80))} is not declared`);
    return { ns, name: key.slice(at + 1) };
  };
  const attributes = new Map<string, string>();
  for (const [key, value] of raw) {
    if (/^xmlns(:|$)/.test(key)) continue;
    const { ns, name } = resolve(key, '');
    attributes.set(ns === '' ? name : `{${ns}}${name}`, unescaped(value, bad));
  }
  const children: XmlElement[] = [];
  let text = '';
  for (const child of item[tag] as Raw[]) {
    if ('#text' in child) text += unescaped(String(child['#text']), bad);
    else if ('#cdata' in child)
      text += ((child['#cdata'] ?? []) as Raw[]).map((part) => String(part['#text'])).join('');
    else if (elementName(child) !== null) children.push(element(child, spaces, bad));
  }
  return { ...resolve(tag, spaces.get('') ?? ''), attributes, children, text: text.trim() };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string, bad: (why: string) => Error): string {
  return text.replace(/&([^;&]{0,40});?/g, (whole, name: string) => {
    const known = ENTITIES[name];
    if (known !== undefined && whole.endsWith(';')) return known;
    const number = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name);
    const code = number ? parseInt(number[1] ?? number[2] ?? '', number[1] === undefined ? 10 : 16) : NaN;
    const allowed = code === 9 || code === 10 || code === 13 || (code >= 32 && code <= 0x10ffff);
    if (!allowed || !whole.endsWith(';')) throw bad(`it uses the entity ${JSON.stringify(whole.slice(0, 40))}`);
    return String.fromCodePoint(code);
  });
}
