import { parseEsxcliCsv } from './esxcli-csv.js';
import { parseEsxcliTable } from './esxcli-table.js';

/**
 * The rows of an `esxcli … list`, printed as csv or (by hosts that know no `--formatter`) as a table. Column names are
 * lower case without blanks, for csv says `VLANID` where the table says `VLAN ID`.
 */
export function parseEsxcliList(text: string): Map<string, string>[] {
  const table = /^-+(?: {1,2}-+)+\s*$/m.test(text);
  const rows = table ? parseEsxcliTable(text) : parseEsxcliCsv(text);
  return rows.map(
    (row) =>
      new Map(Object.entries(row).map(([name, value]) => [name.replace(/[^a-z0-9]/gi, '').toLowerCase(), value])),
  );
}
