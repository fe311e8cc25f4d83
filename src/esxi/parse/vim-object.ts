import { StackferryError } from '../../core/index.js';

/** A printed data object: its type name and its fields. References are strings (`vim.Datastore:UUID`). */
export interface VimObject {
  type: string;
  fields: ReadonlyMap<string, VimValue>;
}

export type VimValue = string | number | boolean | null | VimObject | VimValue[];

const MAX_DEPTH = 64;

function bad(line: number, why: string): StackferryError {
  return new StackferryError(
    'esxi.bad_output',
    `The host printed a data object that breaks off: line ${line}: ${why}.`,
    {
      hint: 'Try again; if it stays so, run the command on the host and report what it prints.',
    },
  );
}

/** Where a printed object begins: a line that is `(type.Name) {` or `(type.Name) [`, or `(type.Name) null`. */
const START = /^\s*\((?:[A-Za-z_][\w.]*)\)\s*(?:[{[]|null\s*,?\s*$)/;

/**
 * Reads the first data object that `vim-cmd` printed (`(vim.vm.Summary) {` …), skipping heading lines. Known forms:
 * `key = value`, `<unset>`, `(type) null`, `(type) [ … ]`, references `'vim.Datastore:UUID'`, trailing commas with or
 * without a blank. Strings hold unescaped quotes and line breaks: a string ends with a quote at the end of a line
 * (before an optional comma) after which the next line is structure again. Of two fields of one name in an object the
 * first counts, so that text which imitates fields cannot overwrite what stands before it.
 *
 * Throws `esxi.bad_output` when nothing is there or when it breaks off.
 */
export function parseVimObject(text: string): VimValue {
  const lines = text.split('\n').map((line) => line.replace(/\r+$/, ''));
  const start = lines.findIndex((line) => START.test(line));
  if (start < 0) throw bad(1, 'there is no object');
  const reader = new Reader(lines, start);
  const first = (lines[start] ?? '').trim();
  return reader.value(first, 0, 'item');
}

/** True for a printed fault (`vim.fault.NotFound`, `vmodl.fault.…`). */
export function isFault(value: VimValue): value is VimObject {
  return isObject(value) && /^(?:vim|vmodl)\.fault\./.test(value.type);
}

export function isObject(value: VimValue | undefined): value is VimObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Follows field names; undefined where one is missing or a step is no object. */
export function pick(value: VimValue | undefined, ...path: string[]): VimValue | undefined {
  let here = value;
  for (const name of path) {
    if (!isObject(here)) return undefined;
    here = here.fields.get(name);
  }
  return here;
}

export function pickString(value: VimValue | undefined, ...path: string[]): string | null {
  const found = pick(value, ...path);
  return typeof found === 'string' ? found : null;
}

export function pickNumber(value: VimValue | undefined, ...path: string[]): number | null {
  const found = pick(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

export function pickBoolean(value: VimValue | undefined, ...path: string[]): boolean | null {
  const found = pick(value, ...path);
  return typeof found === 'boolean' ? found : null;
}

export function pickArray(value: VimValue | undefined, ...path: string[]): VimValue[] {
  const found = pick(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** Whether a value stands behind `name =` or is an item of a list: it tells what may follow a string. */
type Place = 'field' | 'item';

class Reader {
  readonly #lines: readonly string[];
  #at: number;

  constructor(lines: readonly string[], at: number) {
    this.#lines = lines;
    this.#at = at;
  }

  /** Reads the value that begins with `text` on the current line; leaves the position behind its last line. */
  value(text: string, depth: number, place: Place): VimValue {
    if (depth > MAX_DEPTH) throw bad(this.#at + 1, 'it is nested too deeply');
    if (text.startsWith('"')) return this.#string(text, place);
    const typed = /^\(([^()]*)\)\s*([\s\S]*)$/.exec(text);
    if (typed) {
      const rest = (typed[2] ?? '').replace(/\s*,?\s*$/, '');
      const type = typed[1] ?? '';
      this.#at++;
      if (rest === 'null' || rest === '<unset>') return null;
      if (/^\{\s*\}$/.test(rest)) return { type, fields: new Map() };
      if (/^\[\s*\]$/.test(rest)) return [];
      if (rest === '{') return { type, fields: this.#fields(depth) };
      if (rest === '[') return this.#array(depth);
      return this.#scalar(rest);
    }
    this.#at++;
    return this.#scalar(text.replace(/\s*,?\s*$/, ''));
  }

  #fields(depth: number): Map<string, VimValue> {
    const fields = new Map<string, VimValue>();
    for (;;) {
      const line = this.#lines[this.#at];
      if (line === undefined) throw bad(this.#at, 'an object has no end');
      const text = line.trim();
      if (/^\}\s*,?$/.test(text)) {
        this.#at++;
        return fields;
      }
      // Only the beginning is trimmed: a string's first line may end in blanks of its own.
      const field = /^([A-Za-z_]\w*)\s*=\s*([\s\S]*)$/.exec(line.trimStart());
      if (!field) {
        if (text !== '') throw bad(this.#at + 1, 'a field is expected');
        this.#at++;
        continue;
      }
      const value = this.value(field[2] ?? '', depth + 1, 'field');
      const name = field[1] ?? '';
      if (!fields.has(name)) fields.set(name, value);
    }
  }

  #array(depth: number): VimValue[] {
    const items: VimValue[] = [];
    for (;;) {
      const line = this.#lines[this.#at];
      if (line === undefined) throw bad(this.#at, 'a list has no end');
      const text = line.trim();
      if (/^\]\s*,?$/.test(text)) {
        this.#at++;
        return items;
      }
      if (text === '') this.#at++;
      else items.push(this.value(line.trimStart(), depth + 1, 'item'));
    }
  }

  #scalar(text: string): VimValue {
    if (text === '<unset>' || text === 'null' || text === '') return null;
    if (text === 'true') return true;
    if (text === 'false') return false;
    if (/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) return Number(text);
    const reference = /^'(.*)'$/.exec(text);
    return reference ? (reference[1] ?? '') : text;
  }

  /** `text` begins with the opening quote; it may go on over further lines. */
  #string(text: string, place: Place): string {
    const from = this.#at;
    const indent = indentOf(this.#lines[from] ?? '');
    const parts: string[] = [];
    let firstEnd: { at: number; text: string } | null = null;
    let current: string | undefined = text.slice(1);
    while (current !== undefined) {
      const end = /"\s*,?\s*$/.exec(current);
      if (end) {
        const value = [...parts, current.slice(0, end.index)].join('\n');
        if (this.#structureAfter(this.#at, indent, place)) {
          this.#at++;
          return value;
        }
        firstEnd ??= { at: this.#at, text: value };
      }
      parts.push(current);
      this.#at++;
      current = this.#lines[this.#at];
    }
    if (!firstEnd) throw bad(from + 1, 'a string has no end');
    this.#at = firstEnd.at + 1;
    return firstEnd.text;
  }

  /** Whether the line after `at` is a field or item with the same indent, or closes what holds them. */
  #structureAfter(at: number, indent: number, place: Place): boolean {
    let next = at + 1;
    while (this.#lines[next]?.trim() === '' && next - at < 3) next++;
    const line = this.#lines[next];
    if (line === undefined) return true;
    const text = line.trim();
    if (/^[}\]]\s*,?$/.test(text)) return indentOf(line) < indent;
    const shape = place === 'field' ? /^[A-Za-z_]\w* = / : /^(?:"|\(|'|-?\d+,?$|true|false|<unset>)/;
    return indentOf(line) === indent && shape.test(text);
  }
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
