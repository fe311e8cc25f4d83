import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { StackferryError, messageOf } from '../../core/index.js';

const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';
/** A configuration is some ten levels deep; snapshots and the links of a disk nest in one another, one level each. */
const MAX_DEPTH = 256;

/** An element of an answer. Names are local: hosts and VMware's own simulator choose prefixes of their own. */
export class Element {
  readonly name: string;
  /** `xsi:type` without its prefix; null where the element's place alone says what it is. */
  readonly type: string | null;
  /** The plain `type` of a reference to a managed object: `VirtualMachine`. */
  readonly managedType: string | null;
  readonly children: readonly Element[];
  readonly text: string;

  constructor(
    name: string,
    types: { type: string | null; managedType: string | null },
    children: readonly Element[],
    text: string,
  ) {
    this.name = name;
    this.type = types.type;
    this.managedType = types.managedType;
    this.children = children;
    this.text = text;
  }

  /** The first child of this name. */
  child(name: string): Element | undefined {
    return this.children.find((child) => child.name === name);
  }
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  cdataPropName: '#cdata',
  // Text is decoded below: the five names and numbers of XML, none that an answer declares.
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: MAX_DEPTH,
});

/** `[{ name: [children], ':@': { attribute: value } }]`, and `{ '#text': value }` between. */
const nodesSchema = z.array(z.record(z.string(), z.unknown()));
const attributesSchema = z.record(z.string(), z.coerce.string()).default({});

/**
 * Reads an answer. A document type is refused, as SOAP 1.1 (section 3) has it: no entity of an answer's own is ever
 * expanded. Throws `esxi.bad_answer` for what is no XML.
 */
export function parseXml(text: string): Element {
  if (/<!DOCTYPE/i.test(text)) throw badAnswer('it declares a document type');
  let nodes: unknown;
  try {
    nodes = parser.parse(text);
  } catch (error) {
    throw badAnswer(messageOf(error).slice(0, 200));
  }
  const [root] = elementsOf(nodes, new Map());
  if (!root) throw badAnswer('it holds no element');
  // The parser closes by itself what an answer that was cut off leaves open.
  if (!/<\/(?:[\w.-]+:)?([\w.-]+)\s*>\s*$/.exec(text.slice(-200))?.[1]?.endsWith(root.name)) {
    throw badAnswer('it breaks off');
  }
  return root;
}

export function badAnswer(why: string): StackferryError {
  return new StackferryError('esxi.bad_answer', `The API's answer cannot be read: ${why}.`, {
    hint: 'Is this the address of an ESXi host or vCenter (--esxi HOST:PORT)? --verbose shows the calls that led there.',
  });
}

function elementsOf(nodes: unknown, spaces: ReadonlyMap<string, string>): Element[] {
  const found: Element[] = [];
  for (const node of nodesSchema.parse(nodes)) {
    const name = Object.keys(node).find((key) => key !== ':@' && !key.startsWith('#') && !key.startsWith('?'));
    if (name === undefined) continue;
    const attributes = attributesSchema.parse(node[':@']);
    const own = declared(attributes, spaces);
    const content = nodesSchema.parse(node[name]);
    found.push(new Element(localName(name), typesOf(attributes, own), elementsOf(content, own), textOf(content)));
  }
  return found;
}

/** The prefixes that hold inside an element. */
function declared(
  attributes: Readonly<Record<string, string>>,
  spaces: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const added = Object.entries(attributes).filter(([key]) => key.startsWith('xmlns:'));
  return added.length === 0
    ? spaces
    : new Map([...spaces, ...added.map(([key, uri]): [string, string] => [key.slice('xmlns:'.length), uri])]);
}

function typesOf(
  attributes: Readonly<Record<string, string>>,
  spaces: ReadonlyMap<string, string>,
): { type: string | null; managedType: string | null } {
  let type: string | null = null;
  for (const [key, value] of Object.entries(attributes)) {
    const [prefix, name] = key.split(':');
    if (name === 'type' && spaces.get(prefix ?? '') === INSTANCE) type = localName(value);
  }
  return { type, managedType: attributes['type'] ?? null };
}

function textOf(content: readonly Record<string, unknown>[]): string {
  let text = '';
  for (const node of content) {
    if (typeof node['#text'] === 'string') text += decoded(node['#text']);
    else if (node['#cdata'] !== undefined) {
      for (const part of nodesSchema.parse(node['#cdata']))
        if (typeof part['#text'] === 'string') text += part['#text'];
    }
  }
  return text;
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** XML 1.0, sections 2.11 and 4.1: line ends become one character, then references are what they stand for. */
function decoded(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, dec, hex, name) => {
    if (name !== undefined) return NAMED[String(name)] ?? whole;
    const code = dec === undefined ? parseInt(String(hex), 16) : Number(dec);
    return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
  });
}

/** What is sent: an element by its name, with attributes and either text or elements inside. */
export interface Outgoing {
  name: string;
  attributes?: Readonly<Record<string, string>>;
  content?: string | readonly Outgoing[];
}

/** Shorthand for {@link Outgoing}. */
export function xml(
  name: string,
  content: Outgoing['content'] = '',
  attributes: Outgoing['attributes'] = {},
): Outgoing {
  return { name, content, attributes };
}

/** Writes elements; the one place where text becomes XML. Characters that XML 1.0 cannot hold are refused. */
export function writeXml({ name, attributes = {}, content = '' }: Outgoing): string {
  const head = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const inside = typeof content === 'string' ? escaped(content) : content.map(writeXml).join('');
  return `<${name}${head.join('')}>${inside}</${name}>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

function escaped(text: string): string {
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text) || /\p{Surrogate}/u.test(text)) {
    throw new StackferryError(
      'esxi.bad_text',
      'A name or value holds a control character, which the API cannot take.',
      {
        hint: 'Name the object by its id instead: --vm id:N.',
        exitCode: 2,
      },
    );
  }
  return text.replace(/[&<>"\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}
