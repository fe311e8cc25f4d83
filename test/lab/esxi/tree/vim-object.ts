/**
 * vim-cmd's way to print an object, read off the recordings get.summary.6.x, get.guest.{6.x,8.0}, device.getdevices.6.x:
 * three blanks a level, `(type) {`, `(type) [`, `<unset>`, `(type) null`, references in single quotes, strings with their
 * quotes unescaped. Up to 6.x a blank follows each comma and `dynamicType = <unset>` comes first in some releases.
 */
export type VimValue =
  | { kind: 'object'; type: string; fields: [string, VimValue][] }
  | { kind: 'list'; type: string; items: VimValue[] }
  | { kind: 'null'; type: string }
  | { kind: 'ref'; ref: string }
  | { kind: 'unset' }
  | string
  | number
  | boolean;

export const unset: VimValue = { kind: 'unset' };
export const nil = (type: string): VimValue => ({ kind: 'null', type });
export const ref = (to: string): VimValue => ({ kind: 'ref', ref: to });
export const list = (type: string, items: VimValue[]): VimValue => ({ kind: 'list', type, items });
export const object = (type: string, fields: Record<string, VimValue>): VimValue => ({
  kind: 'object',
  type,
  fields: Object.entries(fields),
});

/** Prints a value as the given host version does. */
export function printVim(value: VimValue, version: string): string {
  return print(value, '', Number.parseInt(version, 10) < 7 ? ', ' : ',');
}

function print(value: VimValue, indent: string, comma: string): string {
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value !== 'object') return String(value);
  const inner = `${indent}   `;
  const lines = (parts: string[]) => (parts.length === 0 ? '' : `${parts.join(`${comma}\n`)}\n`);
  switch (value.kind) {
    case 'unset':
      return '<unset>';
    case 'null':
      return `(${value.type}) null`;
    case 'ref':
      return `'${value.ref}'`;
    case 'object': {
      const fields = value.fields.map(([name, field]) => `${inner}${name} = ${print(field, inner, comma)}`);
      return `(${value.type}) {\n${lines(fields)}${indent}}`;
    }
    case 'list': {
      const items = value.items.map((item) => `${inner}${print(item, inner, comma)}`);
      return `(${value.type}) [\n${lines(items)}${indent}]`;
    }
  }
}
