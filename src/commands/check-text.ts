import type { CheckFinding, CheckResult } from '../migration/check.js';
import { printable, render, type Column, type Format, type Terminal } from '../ui/index.js';

interface Row {
  /** The VM, or `cloud`, `host`, `converter` for what all VMs share. */
  vm: string;
  id: string | null;
  finding: CheckFinding;
}

const columns: Column<Row>[] = [
  { name: 'vm', value: ({ vm }) => vm, fit: true },
  { name: 'severity', value: ({ finding }) => (finding.accepted ? 'accepted' : finding.severity) },
  { name: 'code', value: ({ finding }) => finding.code },
  { name: 'subject', value: ({ finding }) => finding.subject },
  { name: 'message', value: ({ finding }) => finding.message, fit: true },
];

const csvColumns: Column<Row>[] = [
  { name: 'vm', value: ({ vm }) => vm },
  { name: 'id', value: ({ id }) => id },
  { name: 'severity', value: ({ finding }) => finding.severity },
  { name: 'accepted', value: ({ finding }) => finding.accepted },
  { name: 'code', value: ({ finding }) => finding.code },
  { name: 'subject', value: ({ finding }) => finding.subject },
  { name: 'message', value: ({ finding }) => finding.message },
  { name: 'remedy', value: ({ finding }) => finding.remedy },
];

/** Prints what was found, one row a finding; for a person also what to do about what stands, and a summary. */
export async function printCheck(
  terminal: Pick<Terminal, 'out' | 'err' | 'quiet' | 'tableWidth'>,
  format: Format,
  result: CheckResult,
): Promise<void> {
  const rows = rowsOf(result);
  terminal.out(await render(format, result, format === 'csv' ? csvColumns : columns, rows, terminal.tableWidth));
  if (terminal.quiet) return;
  if (format === 'table') for (const line of remedies(rows)) terminal.err(line);
  terminal.err(`${printable(result.summary.text)}\n`);
}

function rowsOf({ vms, cloud, host, converter }: CheckResult): Row[] {
  const shared = { cloud, host, converter };
  return [
    ...vms.flatMap(({ vm, id, findings }) => findings.map((finding) => ({ vm, id, finding }))),
    ...Object.entries(shared).flatMap(([vm, { findings }]) => findings.map((finding) => ({ vm, id: null, finding }))),
  ];
}

/** What to do about each blocker and warning that stands, once where several VMs have the same. */
function remedies(rows: readonly Row[]): string[] {
  const lines = new Map<string, { code: string; remedy: string; on: string[] }>();
  for (const { vm, finding } of rows) {
    if (finding.accepted || finding.severity === 'info') continue;
    const { code, remedy, subject } = finding;
    const key = `${code} ${remedy}`;
    const line = lines.get(key) ?? { code, remedy, on: [] };
    lines.set(key, line);
    line.on.push(/\d/.test(subject) && vm !== subject ? `${subject} of ${vm}` : vm);
  }
  return [...lines.values()].map(({ code, remedy, on }) => {
    const who = on.length > 3 ? `${on.slice(0, 3).join(', ')} and ${on.length - 3} more` : on.join(', ');
    return `${printable(`${who} (${code}): ${remedy}`)}\n`;
  });
}
