import { LineCounter, parseDocument, type Document, type Node } from 'yaml';
import type { z } from 'zod';
import type { UsageError } from '../../core/index.js';
import { issueText } from './issue-text.js';

/** What is read, and how a person is told what is wrong with it. */
export interface YamlForm<T> {
  schema: z.ZodType<T>;
  maxBytes: number;
  /** Said of a file that is larger. */
  tooLarge: string;
  /** The newest version of the form that this program knows. */
  version: number;
  /** The error for a file of a later version. */
  newer: (version: number) => UsageError;
  /** The error for anything else that is wrong; `why` is one line. */
  wrong: (why: string) => UsageError;
}

/** Aliases may multiply what they stand for: this many are more than a person writes. */
const MOST_ALIASES = 100;

/**
 * Reads a file that people write, YAML or JSON: plans and mapping rules.
 * @throws UsageError of the form's making, which names the line and what is wrong with it.
 */
export function readYaml<T>(text: string, form: YamlForm<T>): T {
  const wrong = (why: string) => form.wrong(why.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' '));
  if (Buffer.byteLength(text) > form.maxBytes) throw wrong(form.tooLarge);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken) throw wrong(`line ${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch {
    throw wrong('it has too many aliases');
  }
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version > form.version) throw form.newer(version);
  const parsed = form.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue, ...more] = parsed.error.issues;
  const at = (issue?.path ?? []).filter((key) => typeof key !== 'symbol');
  const also = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw wrong(`${lineOf(document, lines, at)}${at.join('.') || 'the file'}: ${issueText(issue)}${also}`);
}

/** Where the nearest thing on the way to a place stands in the text. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    const range = (node as Node | undefined)?.range;
    if (range) return `line ${lines.linePos(range[0]).line}: `;
  }
  return '';
}
