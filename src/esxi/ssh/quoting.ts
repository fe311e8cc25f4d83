import { StackferryError } from '../../core/index.js';

/**
 * One word for a POSIX shell, in single quotes, in which nothing has a meaning; a single quote itself is written
 * `'\''` (POSIX.1-2017, XCU 2.2.2). This is the only way a value gets into a command text.
 *
 * Throws `esxi.unquotable` for a NUL (no argument can hold one) and for a lone surrogate (it has no UTF-8 form and
 * would name another file). A file name that is not valid UTF-8 cannot be represented here at all: decoded into a
 * string its bytes are already lost, and the quoted word names a file that does not exist.
 */
export function quote(word: string): string {
  if (word.includes('\0')) {
    throw unquotable(word, 'it holds a NUL character, which no argument can');
  }
  if (/\p{Surrogate}/u.test(word)) {
    throw unquotable(word, 'it holds half of a surrogate pair, which has no UTF-8 form');
  }
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A path that no tool takes for an option: `-x` becomes `./-x`. Not quoted yet. */
export function path(name: string): string {
  return name.startsWith('-') ? `./${name}` : name;
}

/** A command of these words, each quoted: `command('cat', path(name))`. */
export function command(...words: readonly (string | number)[]): string {
  return words.map((word) => quoteValue(word)).join(' ');
}

/** Shell text that is inserted as it is; only ever made from the results of `sh`, `command` and literals. */
export class ShellText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Marks finished shell text (the result of `sh` or `command`) for insertion into another `sh` template. */
export function raw(text: string): ShellText {
  return new ShellText(text);
}

export type ShellValue = string | number | ShellText | readonly (string | number)[];

/**
 * A command text with values: `` sh`dd if=${file} bs=${size} 2>/dev/null` ``. Each value becomes one quoted word, an
 * array one word an element, `raw(…)` goes in as it is. Values must stand outside quotes: inside them the quotes
 * added here would end the literal's, so that is refused (`esxi.unquotable`).
 */
export function sh(parts: TemplateStringsArray, ...values: readonly ShellValue[]): string {
  let out = '';
  let open: Quoting = '';
  parts.forEach((literal, index) => {
    out += literal;
    if (index === parts.length - 1) return;
    open = quotingAfter(literal, open);
    if (open !== '') {
      throw new StackferryError(
        'esxi.unquotable',
        `Value ${index + 1} of a command text stands inside ${open === '\\' ? 'an escape' : `quotes (${open})`}: ${out}`,
      );
    }
    const value = values[index];
    if (value === undefined) return;
    if (value instanceof ShellText) out += value.text;
    else if (typeof value === 'object') out += command(...value);
    else out += quoteValue(value);
  });
  return out;
}

type Quoting = '' | "'" | '"' | '`' | '\\';

/** Which quotes are open behind this piece of shell text, when `open` was before it. */
function quotingAfter(text: string, open: Quoting): Quoting {
  let state = open;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\\' && state !== "'") {
      i++;
      if (i >= text.length) return '\\';
    } else if (state === '') {
      if (char === "'" || char === '"' || char === '`') state = char;
    } else if (char === state) {
      state = '';
    }
  }
  return state;
}

function quoteValue(value: string | number): string {
  if (typeof value === 'string') return quote(value);
  if (!Number.isSafeInteger(value)) {
    throw new StackferryError('esxi.unquotable', `A command cannot take the number ${value}: it is not a whole one.`);
  }
  return quote(String(value));
}

function unquotable(word: string, why: string): StackferryError {
  return new StackferryError('esxi.unquotable', `${JSON.stringify(word)} cannot be used in a command: ${why}.`, {
    hint: 'Rename the file or VM on the host, or leave it out.',
  });
}
