import Table from 'cli-table3';
import { printable } from './terminal.js';

export interface Column<T> {
  name: string;
  value: (row: T) => string | number | boolean | null;
  align?: 'left' | 'right';
  /** May be cut (with …) where the table is wider than the terminal: names and prose, never ids and paths. */
  fit?: true;
}

export type Format = 'table' | 'json' | 'yaml' | 'csv';

/** A column that is cut keeps so many places, or its heading. */
const LEAST_WIDTH = 8;
const GAP = 2;

/**
 * Rows under headings, aligned, without lines: as `openstack … -f value` users and `column -t` know it. `width` is that
 * of the terminal in columns; null (a file, a pipe) cuts nothing.
 */
export function renderTable<T>(columns: readonly Column<T>[], rows: readonly T[], width: number | null = null): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' };
  const more = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' };
  const head = columns.map((column) => column.name.toUpperCase());
  const cells = rows.map((row) => columns.map((column) => cell(column.value(row))));
  const table = new Table({
    head,
    colAligns: columns.map((column) => column.align ?? 'left'),
    ...(width === null ? {} : { colWidths: fittedWidths(columns, [head, ...cells], width) }),
    chars: { ...none, ...more, right: '', 'right-mid': '', middle: ' '.repeat(GAP) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...cells);
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** The widths of the columns: those that may be cut give way, the widest first, as far as it is needed and helps. */
function fittedWidths<T>(columns: readonly Column<T>[], lines: readonly string[][], width: number): number[] {
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => places(line[at] ?? ''))));
  let over = widths.reduce((sum, one) => sum + one, GAP * (columns.length - 1)) - width;
  while (over > 0) {
    const soft = columns.flatMap(({ fit, name }, at) =>
      fit && (widths[at] ?? 0) > Math.max(LEAST_WIDTH, name.length) ? [at] : [],
    );
    const widest = soft.sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
  return widths;
}

/** Places that text takes on a terminal: East Asian and pictographic characters two, combining ones none. */
function places(text: string): number {
  return Array.from(text.replace(/[\p{M}\u200b-\u200d]/gu, '')).reduce(
    (sum, character) => sum + (WIDE.test(character) ? 2 : 1),
    0,
  );
}
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

/**
 * Comma-separated values (RFC 4180), one line a row, with a line of headings. Names and notes come from a host: text that
 * a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises, and what moves a cursor becomes
 * visible. Numbers, and line ends within text, stay as they are.
 */
export function renderCsv<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (cells: string[]) => `${cells.map(quote).join(',')}\n`;
  return (
    line(columns.map((column) => column.name)) +
    rows.map((row) => line(columns.map((column) => raw(column.value(row))))).join('')
  );
}

export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** YAML 1.2, in which readers of YAML 1.1 (Python's, Ansible's) find the same types: `off` and MACs are quoted. */
export async function renderYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { aliasDuplicateObjects: false, compat: 'yaml-1.1' });
}

/**
 * Renders one result: data as it is for programs, rows of it for a person and for spreadsheets. `width` (the terminal's
 * `tableWidth`) bounds the table only.
 */
export async function render<T>(
  format: Format,
  data: unknown,
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number | null = null,
): Promise<string> {
  switch (format) {
    case 'json':
      return renderJson(data);
    case 'yaml':
      return renderYaml(data);
    case 'csv':
      return renderCsv(columns, rows);
    case 'table':
      return rows.length === 0 ? '' : renderTable(columns, rows, width);
  }
}

const NUMBER = /^[+-]?\d+(\.\d+)?$/;

function raw(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const lines = value.replace(/\r\n/g, '\n').split('\n');
  const text = lines.map((line) => line.split('\t').map(printable).join('\t')).join('\n');
  return /^\s*[=+\-@\t\n]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

function cell(value: string | number | boolean | null): string {
  return value === null ? '-' : printable(String(value));
}
