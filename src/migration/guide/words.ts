import { quote } from '../../esxi/ssh/index.js';

/**
 * Command lines as lists of words. This file is the only place where a value becomes shell text, for the guide's shell
 * as for the host's: POSIX (XCU 2.2), so that bash, dash and ESXi's busybox all read the same.
 */

/** A variable of the guide's shell; it stands for an id that is known only when its command has run. */
export interface Variable {
  variable: string;
}

/** One word: text as it is meant, a variable, or both in a row. */
export type Word = string | Variable | readonly (string | Variable)[];

export function variable(name: string): Variable {
  return { variable: name };
}

/**
 * Text as one word, in the form that reads best: bare where nothing in it has a meaning, in double quotes where it holds
 * single ones and nothing that double ones leave alive, in single quotes otherwise.
 * @throws StackferryError `esxi.unquotable` for a NUL or half a surrogate pair, which no argument can hold.
 */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/.test(text)) return text;
  if (text.includes("'") && !/[$`"\\!]/.test(text)) return quote(text) && `"${text}"`;
  return quote(text);
}

function rendered(word: Word): string {
  if (typeof word === 'string') return shellWord(word);
  const parts = 'variable' in word ? [word] : word;
  const inner = parts.map((part, index) => {
    if (typeof part === 'string') return part.replace(/[\\"$`]/g, '\\$&');
    const next = parts[index + 1];
    return typeof next === 'string' && /^\w/.test(next) ? `\${${part.variable}}` : `$${part.variable}`;
  });
  return `"${inner.join('')}"`;
}

/** Lines get no longer than this where there is a place to break them. */
const WIDTH = 110;

/** A command of these words; a long one is broken before its options. */
export function command(...words: readonly Word[]): string {
  const texts = words.map(rendered);
  const whole = texts.join(' ');
  if (whole.length <= WIDTH) return whole;
  const lines: string[] = [];
  let line = '';
  let held = ''; // an option with its value, which stay together
  const flush = () => {
    if (line !== '' && held !== '' && line.length + held.length > WIDTH) {
      lines.push(line);
      line = `    ${held}`;
    } else line = line === '' ? held : `${line}${held === '' ? '' : ` ${held}`}`;
    held = '';
  };
  for (const text of texts) {
    if (text.startsWith('-')) flush();
    held = held === '' ? text : `${held} ${text}`;
  }
  flush();
  return [...lines, line].join(' \\\n');
}

/** An option with its value, as two words; as one where the value itself looks like an option. */
export function option(name: string, value: Word): Word[] {
  if (typeof value === 'string' && value.startsWith('-')) return [`${name}=${value}`];
  return [name, value];
}

/** A command of the OpenStack client that takes a name: one that looks like an option comes last, behind `--`. */
export function openstack(verb: readonly string[], name: string, options: readonly Word[]): string {
  return name.startsWith('-')
    ? command('openstack', ...verb, ...options, '--', name)
    : command('openstack', ...verb, name, ...options);
}
