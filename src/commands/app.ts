import type { ByteOutput, Terminal } from '../ui/index.js';

/** What the program gets from its process: the only door through which commands see the outside. */
export interface App {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  version: string;
  /** Made once the global options are known. */
  terminal: (options: { quiet: boolean; verbose: boolean }) => Terminal;
  /** Stdout for a command whose data is no text; from then on nothing else may be written to it. */
  byteOutput: () => ByteOutput;
  /** What is piped into the program; for a command that reads it. */
  stdin: () => AsyncIterable<Uint8Array>;
  /** Fires on Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  /** Sets the exit code of a command that ended without an error but not with success. */
  exitCode: (code: number) => void;
}

/** The folder of runs, known hosts and answers: `${STACKFERRY_STATE_DIR:-$XDG_STATE_HOME/stackferry}`. */
export function stateDir(app: Pick<App, 'env' | 'home'>): string {
  const own = app.env['STACKFERRY_STATE_DIR'];
  if (own !== undefined && own !== '') return own;
  const base = app.env['XDG_STATE_HOME'];
  return `${base !== undefined && base !== '' ? base : `${app.home}/.local/state`}/stackferry`;
}
