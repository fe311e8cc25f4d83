import { StackferryError } from '../../core/index.js';
import { readXml, type XmlElement } from '../../core/xml.js';

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

/**
 * Reads an answer. A document type is refused, as SOAP 1.1 (section 3) has it: no entity of an answer's own is ever
 * expanded. Throws `esxi.bad_answer` for what is no XML.
 */
export function parseXml(text: string): Element {
  return elementOf(readXml(text, { maxDepth: MAX_DEPTH, bad: badAnswer, keepUnknown: true }));
}

export function badAnswer(why: string): StackferryError {
  return new StackferryError('esxi.bad_answer', `The API's answer cannot be read: ${why}.`, {
    hint: 'Is this the address of an ESXi host or vCenter (--esxi HOST:PORT)? --verbose shows the calls that led there.',
  });
}

function elementOf({ name, attributes, children, text }: XmlElement): Element {
  const type = attributes.get(`{${INSTANCE}}type`);
  const types = {
    type: type === undefined ? null : type.slice(type.indexOf(':') + 1),
    managedType: attributes.get('type') ?? null,
  };
  return new Element(name, types, children.map(elementOf), text);
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
