// Writes guides/findings.md from the rules: npm run guides
import { writeFile } from 'node:fs/promises';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { findingRules } from '../../src/migration/findings/index.js';
import type { Explanation } from '../../src/migration/findings/finding.js';
import { otherCodes } from './other-codes.js';

const GUIDE = fileURLToPath(new URL('../../guides/findings.md', import.meta.url));

/** First words of codes, and their section. */
const AREAS: readonly [areas: string, heading: string][] = [
  ['vm', 'The VM'],
  ['disk', 'Disks'],
  ['nic', 'NICs'],
  ['device', 'Other devices'],
  ['host inventory', 'The host'],
  ['cloud', 'The cloud'],
  ['converter convert file', 'This machine'],
  ['plan', 'Plans'],
];

const INTRODUCTION = `# Findings

<!-- Written by \`npm run guides\` from the rules in src/migration/findings: change it there. -->

What stands in the way of a move, or is good to know before it. \`stackferry inventory\` shows those of the VM (its column READY names the first, \`-f json\` and \`--long\` all), \`stackferry check\` also those of the host, the cloud and this machine. Each has a code that never changes its meaning, a subject (\`vm\`, or the label of a disk, NIC or device: \`scsi0:1\`, \`ethernet0\`), a message and a remedy with the names of your VM.

- **blocker**: it cannot move as it is. \`migrate\` refuses it, \`check\` ends with exit code 3.
- **warning**: it moves, and something is lost or has to be done.
- **info**: good to know.

A healthy VM that is off has no blocker. What a person takes knowingly is said with \`--accept CODE[:SUBJECT]\`.
`;

/** The whole page. */
export function findingsGuide(): string {
  const all = new Map<string, Explanation>(
    [...findingRules.flatMap(({ explains }) => Object.entries(explains)), ...Object.entries(otherCodes)].filter(
      ([code], at, list) => list.findIndex(([other]) => other === code) === at,
    ),
  );
  const sections = AREAS.map(([areas, heading]) => {
    const rows = [...all]
      .filter(([code]) => areas.split(' ').includes(code.split('.')[0] ?? ''))
      .map(([code, { title, severity, explains, remedy }]) =>
        row([`\`${code}\``, severity, `**${capital(title)}.** ${explains}`, remedy]),
      );
    return [
      `## ${heading}`,
      '',
      row(['Code', 'Severity', 'What it means', 'What to do']),
      '|---|---|---|---|',
      ...rows,
    ];
  });
  return `${INTRODUCTION}\n${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function capital(text: string): string {
  return text.replace(/^./, (first) => first.toUpperCase());
}

if (argv[1] === fileURLToPath(import.meta.url)) await writeFile(GUIDE, findingsGuide());
