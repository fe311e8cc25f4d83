/**
 * Reads the table that `esxcli … list` prints: a header, a line of dashes, rows. The dashes say where a column is;
 * widths vary, values hold blanks and may be empty. The width is counted in characters; where a row does not fit it
 * so, in bytes of UTF-8; where neither fits, the row is split at two or more blanks.
 */
export function parseEsxcliTable(text: string): Record<string, string>[] {
  const lines = text.split('\n').map((line) => line.replace(/\s+$/, ''));
  const at = lines.findIndex((line) => /^-+(?: {1,2}-+)*$/.test(line) && line.length > 1);
  if (at < 1) return [];
  const columns = [...(lines[at] ?? '').matchAll(/-+/g)].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
  }));
  const header = cut(lines[at - 1] ?? '', columns) ?? [];
  const names = header.map((name) => name.trim());
  const rows: Record<string, string>[] = [];
  for (const line of lines.slice(at + 1)) {
    if (line.trim() === '') continue;
    const fields = cut(line, columns) ?? cutBytes(line, columns) ?? line.trim().split(/ {2,}/);
    rows.push(Object.fromEntries(names.map((name, i) => [name, (fields[i] ?? '').trim()])));
  }
  return rows;
}

interface Column {
  from: number;
  to: number;
}

function cut(line: string, columns: readonly Column[]): string[] | null {
  const chars = Array.from(line);
  return cutAt(columns, chars.length, (from, to) => chars.slice(from, to).join(''));
}

function cutBytes(line: string, columns: readonly Column[]): string[] | null {
  const bytes = Buffer.from(line);
  return cutAt(columns, bytes.length, (from, to) => bytes.subarray(from, to).toString());
}

/** Null if what lies between two columns is not blank: then the line is not measured in these units. */
function cutAt(
  columns: readonly Column[],
  length: number,
  slice: (from: number, to: number) => string,
): string[] | null {
  let end = 0;
  for (const column of columns) {
    if (slice(end, column.from).trim() !== '') return null;
    end = column.to;
  }
  const last = columns.at(-1);
  if (last && length > last.to && slice(last.to, length).trim() !== '') return null;
  return columns.map((column) => slice(column.from, column.to));
}
