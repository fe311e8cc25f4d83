import { redactValue } from '../core/index.js';
import type { PlannedCall } from '../migration/steps/step.js';
import { printable, render, type Column, type Format } from '../ui/index.js';

/** What `--dry-run` shows: the changes that would be made, in order, each with method, path and body. */

const columns: Column<PlannedCall>[] = [
  { name: 'step', value: (row) => row.step },
  { name: 'service', value: (row) => row.service },
  { name: 'method', value: (row) => row.method },
  { name: 'path', value: (row) => row.path },
  { name: 'body', value: (row) => bodyText(row.body) },
];

/** The calls as lines for a person: what is sent stands below where it goes. */
export function callsText(calls: readonly PlannedCall[]): string {
  if (calls.length === 0) return 'Nothing would be changed.\n';
  const lines = calls.flatMap(({ service, method, path, body }) => {
    const text = bodyText(body);
    const first = `${method.padEnd(6)} ${service.padEnd(13)} ${printable(path)}`;
    return text === '' ? [first] : [first, `       ${printable(text)}`];
  });
  return `Would be done, in order (${calls.length}):\n${lines.join('\n')}\n`;
}

/** Prints the calls of a command that has nothing else to show. */
export async function printCalls(
  out: (text: string) => void,
  format: Format,
  calls: readonly PlannedCall[],
): Promise<void> {
  if (format === 'table') out(`${callsText(calls)}Nothing was changed.\n`);
  else out(await render(format, { calls: redactValue(calls) }, columns, calls));
}

function bodyText(body: unknown): string {
  if (body === null || body === undefined) return '';
  return typeof body === 'string' ? body : JSON.stringify(redactValue(body));
}
