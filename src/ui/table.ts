import Table from 'cli-table3';
import { printable } from './terminal.js';

export interface Column<T> {
  name: string;
  value: (row: T) => string | number | boolean | null;
  align?: 'left' | 'right';
}

export type Format = 'table' | 'json' | 'yaml' | 'csv';

/** Rows under headings, aligned, without lines: as `openstack … -f value` users and `column -t` know it. */
export function renderTable<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' };
  const more = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' };
  const table = new Table({
    head: columns.map((column) => column.name.toUpperCase()),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: { ...none, ...more, right: '', 'right-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) {
    table.push(columns.map((column) => cell(column.value(row))));
  }
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Comma-separated values (RFC 4180), one line a row, with a line of headings. */
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

export async function renderYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { aliasDuplicateObjects: false });
}

/** Renders one result: data as it is for programs, rows of it for a person and for spreadsheets. */
export async function render<T>(
  format: Format,
  data: unknown,
  columns: readonly Column<T>[],
  rows: readonly T[],
): Promise<string> {
  switch (format) {
    case 'json':
      return renderJson(data);
    case 'yaml':
      return renderYaml(data);
    case 'csv':
      return renderCsv(columns, rows);
    case 'table':
      return rows.length === 0 ? '' : renderTable(columns, rows);
  }
}

function raw(value: string | number | boolean | null): string {
  return value === null ? '' : String(value);
}

function cell(value: string | number | boolean | null): string {
  return value === null ? '-' : printable(String(value));
}
