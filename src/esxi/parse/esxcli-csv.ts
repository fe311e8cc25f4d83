/**
 * Reads `esxcli --formatter=csv` into rows by column name. Every line, the header too, ends with a comma; a field that
 * holds commas, quotes or line breaks is quoted. Rows that are short lack the last columns.
 */
export function parseEsxcliCsv(text: string): Record<string, string>[] {
  const [header, ...rows] = records(text);
  if (!header) return [];
  return rows
    .filter((row) => row.some((field) => field !== ''))
    .map((row) => Object.fromEntries(header.map((name, i) => [name.trim(), row[i] ?? ''])));
}

function records(text: string): string[][] {
  const all: string[][] = [];
  let row: string[] = [];
  let field = '';
  let quoted = false;
  const endField = () => {
    row.push(field);
    field = '';
  };
  const endRow = () => {
    // What follows the last comma is nothing; a line without that comma has its last field here.
    if (field !== '') endField();
    if (row.length > 0) all.push(row);
    row = [];
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') {
        field += '"';
        i++;
      } else quoted = false;
    } else if (char === '"' && field === '') quoted = true;
    else if (char === ',') endField();
    else if (char === '\n') endRow();
    else if (char !== '\r' || text[i + 1] !== '\n') field += char;
  }
  endRow();
  return all;
}
