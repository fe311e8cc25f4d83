import { formatBytes } from '../core/index.js';
import type { Check, Verdict } from '../migration/verify/index.js';
import { printable, render, type Column, type Format, type Terminal } from '../ui/index.js';

const columns: Column<Check>[] = [
  { name: 'label', value: (row) => row.label },
  { name: 'side', value: (row) => row.side },
  { name: 'state', value: (row) => row.state.replace('_', ' ') },
  { name: 'capacity_bytes', value: (row) => row.capacity_bytes, align: 'right' },
  { name: 'content_hash', value: (row) => row.content_hash },
  { name: 'compared', value: (row) => row.compared },
  { name: 'object', value: (row) => row.object },
];

const WORDS: Record<Verdict['state'], string> = {
  equal: 'Equal: all that could be read of every disk is what was read of the source.',
  differs: 'DIFFERS: not all is what it should be.',
  failed: 'Not all could be read: see above.',
  not_verified: 'NOT VERIFIED: of some disk nothing could be compared.',
  read: 'Read; nothing was compared. Compare with: --against FILE|sha256-4m:HEX|RUN',
};

/** Prints the checks: data on stdout; what differs or was not verified, and what it all comes to, for a person. */
export async function printChecks(
  terminal: Terminal,
  format: Format,
  state: Verdict['state'],
  checks: readonly Check[],
): Promise<void> {
  terminal.out(await render(format, { state, checks }, columns, checks, terminal.tableWidth));
  for (const check of checks) {
    if (check.reason === null || check.state === 'equal' || check.state === 'read') continue;
    const what = check.state === 'not_verified' ? 'not verified' : check.state;
    const name = check.label === null ? check.object : `${check.label}, ${check.object}`;
    terminal.err(`${printable(`${what}: ${name}: ${check.reason.replace(/\.$/, '')}`)} (${check.code ?? ''})\n`);
    if (check.first_difference && check.state === 'differs') {
      const { offset_bytes: from, length_bytes: length } = check.first_difference;
      terminal.err(`       bytes ${from} to ${from + length - 1} (${formatBytes(length)})\n`);
    }
    if (check.hint !== null) terminal.err(`       ${printable(check.hint)}\n`);
  }
  if (terminal.quiet && (state === 'equal' || state === 'read')) return;
  const open = checks.filter((check) => check.state === 'not_verified').length;
  const also = state === 'equal' && open > 0 ? ` Not verified: ${open} (see above).` : '';
  terminal.err(`${WORDS[state]}${also}\n`);
}
