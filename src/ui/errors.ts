import { StackferryError, messageOf, redactText } from '../core/index.js';
import { paint, printable, type Terminal } from './terminal.js';

/** An error for a person: what failed and why in one line, its code, what to do next; the causes with `--verbose`. */
export function renderError(terminal: Terminal, error: unknown): string {
  const message = printable(redactText(messageOf(error)));
  if (!(error instanceof StackferryError)) {
    const stack = error instanceof Error && terminal.verbose ? `\n${redactText(error.stack ?? '')}` : '';
    return `${paint(terminal, 'red', 'error')}  ${message} (internal)\n       This is a bug in stackferry. Run again with --verbose and report it.${stack}\n`;
  }
  const lines = [`${paint(terminal, 'red', 'error')}  ${message} (${error.code})`];
  if (error.hint !== undefined) lines.push(`       ${printable(redactText(error.hint))}`);
  if (terminal.verbose) {
    for (let cause = error.cause, depth = 0; cause !== undefined && depth < 8; depth++) {
      lines.push(`       caused by: ${printable(redactText(messageOf(cause)))}`);
      cause = cause instanceof Error ? cause.cause : undefined;
    }
  }
  return `${lines.join('\n')}\n`;
}
