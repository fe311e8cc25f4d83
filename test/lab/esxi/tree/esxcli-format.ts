type FieldValue = string | number | boolean | string[];

/** One field: its name in csv, xml and keyvalue, its label on the screen. */
export interface Field {
  name: string;
  label: string;
  value: FieldValue;
}

/** What one esxcli command answers. */
export interface Answer {
  /** `system version get`. */
  command: string;
  typeName: string;
  /** On the screen: a table, one record, or records under headings. */
  screen: 'table' | 'record' | 'records' | 'word';
  /** The line above the record, where the command has one. */
  heading?: string;
  rows: Field[][];
}

/** Answers of one command that depend on a named object (`-p NAME`, `-v NAME`, `-o NAME`). */
export interface KeyedAnswers {
  command: string;
  answers: { key: string; answer: Answer }[];
}

export const FORMATTERS = ['text', 'csv', 'xml', 'keyvalue', 'json'] as const;
export type Formatter = (typeof FORMATTERS)[number];

/** The name is the label without blanks, unless given. */
export const field = (label: string, value: FieldValue, name = label.replaceAll(' ', '')): Field => ({
  name,
  label,
  value,
});
const shown = (value: FieldValue): string => (Array.isArray(value) ? value.join(', ') : String(value));

// ---- the screen, after the recordings esxcli-*.txt

function table(rows: Field[][], head: Field[]): string {
  const right = head.map((cell) => typeof cell.value !== 'string');
  const cells = [head.map((cell) => cell.label), ...rows.map((row) => row.map((cell) => shown(cell.value)))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: string[]) =>
    row
      .map((text, column) =>
        right[column] === true ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const [labels, ...body] = cells.map(line);
  return `${[labels ?? '', widths.map((width) => '-'.repeat(width)).join('  '), ...body].join('\n')}\n`;
}

/** `   Label: value` lines. */
export const record = (row: Field[]) => row.map((cell) => `   ${cell.label}: ${shown(cell.value)}\n`).join('');

function text(answer: Answer): string {
  const [first] = answer.rows;
  if (first === undefined) return '';
  switch (answer.screen) {
    case 'table':
      return table(answer.rows, first);
    case 'record':
      return `${answer.heading === undefined ? '' : `${answer.heading}\n`}${record(first)}`;
    case 'records':
      return answer.rows.map((row) => `${shown(row[0]?.value ?? '')}\n${record(row)}`).join('\n');
    case 'word':
      return `${shown(first[0]?.value ?? '')}\n`;
  }
}

// ---- the formatters for programs. Fields sorted by name, each csv line (the heading too) ends in a comma, lists inside
// a csv field are quoted and end in one as well: ESXI.md's notes and public session logs.

const byName = (row: Field[]) => [...row].sort((a, b) => (a.name < b.name ? -1 : 1));
const typeOf = (value: FieldValue) =>
  typeof value === 'boolean' ? 'boolean' : typeof value === 'number' ? 'integer' : 'string';
const isList = (answer: Answer) => answer.screen === 'table' || answer.screen === 'records';

function csvField(value: FieldValue): string {
  if (Array.isArray(value))
    return value.length === 0 ? '' : `"${value.map((item) => `${item.replaceAll('"', '""')},`).join('')}"`;
  const plain = String(value).replaceAll('\n', '\\n');
  return /[",]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export const csvRow = (row: Field[]) =>
  `${byName(row)
    .map((cell) => `${csvField(cell.value)},`)
    .join('')}\n`;
export const csvHead = (row: Field[]) =>
  `${byName(row)
    .map((cell) => `${cell.name},`)
    .join('')}\n`;

const xmlText = (value: string) => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function xmlRow(typeName: string, row: Field[], indent: string): string {
  const element = (value: string | number | boolean) =>
    `<${typeOf(value)}>${xmlText(String(value))}</${typeOf(value)}>`;
  const fields = byName(row).flatMap((cell) => [
    `${indent}   <field name="${cell.name}">`,
    ...(Array.isArray(cell.value)
      ? [
          `${indent}      <list type="string">`,
          ...cell.value.map((item) => `${indent}         ${element(item)}`),
          `${indent}      </list>`,
        ]
      : [`${indent}      ${element(cell.value)}`]),
    `${indent}   </field>`,
  ]);
  return `${[`${indent}<structure typeName="${typeName}">`, ...fields, `${indent}</structure>`].join('\n')}\n`;
}

export const XML_HEAD =
  '<?xml version="1.0" encoding="utf-8"?>\n<output xmlns="http://www.vmware.com/Products/ESX/5.0/esxcli">\n   <root>\n';
export const XML_TAIL = '   </root>\n</output>\n';
export const XML_LIST_HEAD = `${XML_HEAD}      <list type="structure">\n`;
export const XML_LIST_TAIL = `      </list>\n${XML_TAIL}`;

/** `TypeName.Field.type=value` lines; in a list each begins with `structure[N].`, which the caller puts there. */
export function keyValueRow(typeName: string, row: Field[]): string {
  return byName(row)
    .flatMap((cell) =>
      Array.isArray(cell.value)
        ? cell.value.length === 0
          ? [`${typeName}.${cell.name}.string[] = `]
          : cell.value.map((item, index) => `${typeName}.${cell.name}.string[${index}].string=${item}`)
        : [`${typeName}.${cell.name}.${typeOf(cell.value)}=${String(cell.value).replaceAll('\n', '\\n')}`],
    )
    .map((line) => `${line}\n`)
    .join('');
}

export const jsonRow = (row: Field[]) =>
  JSON.stringify(Object.fromEntries(byName(row).map((cell) => [cell.name, cell.value])));

/** An answer as one of the formatters prints it. */
export function render(answer: Answer, formatter: Formatter): string {
  const [first] = answer.rows;
  switch (formatter) {
    case 'text':
      return text(answer);
    case 'csv':
      return first === undefined ? '' : csvHead(first) + answer.rows.map(csvRow).join('');
    case 'xml':
      return isList(answer)
        ? XML_LIST_HEAD + answer.rows.map((row) => xmlRow(answer.typeName, row, ' '.repeat(9))).join('') + XML_LIST_TAIL
        : XML_HEAD + answer.rows.map((row) => xmlRow(answer.typeName, row, ' '.repeat(6))).join('') + XML_TAIL;
    case 'keyvalue':
      return isList(answer)
        ? answer.rows
            .map((row, index) =>
              keyValueRow(answer.typeName, row)
                .replace(/^/gm, `structure[${index}].`)
                .replace(/structure\[\d+\]\.$/, ''),
            )
            .join('')
        : answer.rows.map((row) => keyValueRow(answer.typeName, row)).join('');
    case 'json':
      return `${isList(answer) ? `[${answer.rows.map(jsonRow).join(', ')}]` : answer.rows.map(jsonRow).join('')}\n`;
  }
}
