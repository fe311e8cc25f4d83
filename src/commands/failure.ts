import { renderError, renderJson, type Terminal } from '../ui/index.js';

/**
 * Prints a failure: a line for a person on stderr; for programs, what the run has come to as JSON on stdout. Returns
 * the error that decides the exit code.
 */
export async function reportFailure(terminal: Terminal, error: unknown, argv: readonly string[]): Promise<unknown> {
  const { RunFailure } = await import('../migration/session.js');
  if (!(error instanceof RunFailure)) {
    terminal.err(renderError(terminal, error));
    return error;
  }
  terminal.err(renderError(terminal, error.cause));
  if (wantsJson(argv)) terminal.out(renderJson(error.result));
  const { run } = error.result;
  terminal.err(
    `       See: stackferry status ${run}   Go on: the same command again   Undo: stackferry rollback ${run}\n`,
  );
  return error.cause;
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, index) =>
      /^(-fjson|--format=json)$/.test(word) || (word === 'json' && /^(-f|--format)$/.test(argv[index - 1] ?? '')),
  );
}
