import { XMLParser, type X2jOptions } from 'fast-xml-parser';
import { messageOf } from './errors.js';

/** An element with its namespaces resolved. Attributes are kept as `{namespace}name`, those without a prefix as `name`. */
export interface XmlElement {
  ns: string;
  name: string;
  attributes: ReadonlyMap<string, string>;
  children: readonly XmlElement[];
  /** Its own text, as it stands. */
  text: string;
}

export interface XmlRules {
  maxDepth: number;
  /** Makes the error for what cannot be read. */
  bad: (why: string) => Error;
  /** References to what XML does not know stay as they stand: for peers that are known to write some. */
  keepUnknown?: boolean;
}

const OPTIONS: X2jOptions = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // Text is decoded below: the five names and numbers of XML, none that a document declares.
  processEntities: false,
  cdataPropName: '#cdata',
  ignoreDeclaration: true,
  ignorePiTags: true,
};
const XML_NS = 'http://www.w3.org/XML/1998/namespace';

/** `{ name: [children], ':@': { attribute: value } }`, and `{ '#text': value }` between. */
type Raw = Record<string, unknown>;

/**
 * Reads XML without document types: no entity is ever expanded but XML's own five and characters by number (XML 1.0,
 * sections 4.1 and 4.6). Throws by `bad` for what is not well-formed, declares a document type, or nests too deep.
 */
export function readXml(text: string, rules: XmlRules): XmlElement {
  const { bad, maxDepth } = rules;
  if (/<!\s*(DOCTYPE|ENTITY)/i.test(text)) throw bad('it has a document type or entities, which are not read');
  let roots: Raw[];
  try {
    // Its check of the form is deprecated in favour of a package of its own, one dependency more for the same check.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    const nodes = new XMLParser({ ...OPTIONS, maxNestedTags: maxDepth }).parse(text, true) as Raw[];
    roots = nodes.filter((node) => nameOf(node) !== null);
  } catch (error) {
    throw bad(messageOf(error).slice(0, 200));
  }
  const [root, ...others] = roots;
  if (!root || others.length > 0) throw bad('it has not exactly one root element');
  return elementOf(root, new Map([['xml', XML_NS]]), rules);
}

function nameOf(node: Raw): string | null {
  return Object.keys(node).find((key) => key !== ':@' && !key.startsWith('#')) ?? null;
}

function elementOf(node: Raw, outer: ReadonlyMap<string, string>, rules: XmlRules): XmlElement {
  const tag = nameOf(node) ?? '';
  const raw = Object.entries((node[':@'] ?? {}) as Record<string, string>);
  const spaces = new Map(outer);
  for (const [key, value] of raw) {
    const match = /^xmlns(?::(.+))?$/.exec(key);
    if (match) spaces.set(match[1] ?? '', decoded(value, rules));
  }
  const resolve = (key: string, plain: string): { ns: string; name: string } => {
    const at = key.indexOf(':');
    if (at < 0) return { ns: plain, name: key };
    const ns = spaces.get(key.slice(0, at));
    if (ns === undefined) throw rules.bad(`the prefix of ${JSON.stringify(key.slice(0, 80))} is not declared`);
    return { ns, name: key.slice(at + 1) };
  };
  const attributes = new Map<string, string>();
  for (const [key, value] of raw) {
    if (/^xmlns(:|$)/.test(key)) continue;
    const { ns, name } = resolve(key, '');
    attributes.set(ns === '' ? name : `{${ns}}${name}`, decoded(value, rules));
  }
  const children: XmlElement[] = [];
  let text = '';
  for (const child of node[tag] as Raw[]) {
    if ('#text' in child) text += decoded(String(child['#text']), rules);
    else if ('#cdata' in child) {
      text += ((child['#cdata'] ?? []) as Raw[]).map((part) => String(part['#text'])).join('');
    } else if (nameOf(child) !== null) children.push(elementOf(child, spaces, rules));
  }
  return { ...resolve(tag, spaces.get('') ?? ''), attributes, children, text };
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Line ends become one character (section 2.11), then references are what they stand for. */
function decoded(text: string, { bad, keepUnknown = false }: XmlRules): string {
  return text.replace(/\r\n?/g, '\n').replace(/&([^;&]{0,40});?/g, (whole, name: string) => {
    const isClosed = whole.endsWith(';');
    if (isClosed && Object.hasOwn(NAMED, name)) return NAMED[name] ?? whole;
    const number = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name);
    const code = number ? parseInt(number[1] ?? number[2] ?? '', number[1] === undefined ? 10 : 16) : NaN;
    const isCharacter = code === 9 || code === 10 || code === 13 || (code >= 32 && code <= 0x10ffff);
    if (isClosed && isCharacter) return String.fromCodePoint(code);
    if (!keepUnknown) throw bad(`it uses the entity ${JSON.stringify(whole.slice(0, 40))}`);
    return number && isClosed ? '\ufffd' : whole;
  });
}
