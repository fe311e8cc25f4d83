export interface AllVmsRow {
  id: number | string;
  name: string;
  file: string;
  guestId: string;
  version: string;
  annotation: string;
}

/**
 * `vmsvc/getallvms` (recordings getallvms.{5.5,5.x,8.0}): columns as wide as their widest cell, three blanks between
 * them, headings centred, ids sorted as text. Nothing is escaped, so an annotation's line breaks break the row.
 */
export function allVmsText(rows: AllVmsRow[]): string {
  const heads = ['Vmid', 'Name', 'File', 'Guest OS', 'Version', 'Annotation'];
  const cells = rows
    .map((row) => [String(row.id), row.name, row.file, row.guestId, row.version, row.annotation])
    .sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1));
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => (row[column] ?? '').length)));
  const centre = (text: string, width: number) => {
    const left = Math.floor((width - text.length) / 2);
    return `${' '.repeat(left)}${text}`.padEnd(width);
  };
  const head = heads.map((text, column) => centre(text, widths[column] ?? 0)).join('   ');
  const body = cells.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('   '));
  return `${[head.trimEnd(), ...body].join('\n')}\n`;
}
