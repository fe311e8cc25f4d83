import { homedir } from 'node:os';
import { readFileSync } from 'node:fs';
import { CommanderError, type Command } from 'commander';
import { buildProgram, usageErrorOf } from './commands/program.js';
import { calledCommand } from './commands/called.js';
import type { App } from './commands/app.js';
import { InterruptedError, StackferryError } from './core/errors.js';
import { byteOutput } from './ui/byte-output.js';
import type { Terminal } from './ui/terminal.js';

/** The program: its process on one side, the commands on the other. Nothing else touches the process. */

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;
const stop = new AbortController();
let exitCode = 0;
/** Whether stdout is a command's own, which waits for each write and hears of each error. */
const stdoutBytes = { given: false };
let terminal: Terminal = makeTerminal({ quiet: false, verbose: false });

function makeTerminal({ quiet, verbose }: { quiet: boolean; verbose: boolean }): Terminal {
  const { stdout, stderr, stdin, env } = process;
  const dumb = env['TERM'] === 'dumb';
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    // A terminal that tells no width (0 columns) cannot be drawn on: lines would be counted by a division by zero.
    live: stderr.isTTY && stderr.columns > 0 && !dumb && !quiet,
    interactive: stdin.isTTY && stderr.isTTY,
    color: stderr.isTTY && !dumb && (env['NO_COLOR'] ?? '') === '',
    width: () => stderr.columns || 80,
    tableWidth: stdout.isTTY ? stdout.columns || 80 : null,
    quiet,
    verbose,
    errStream: stderr,
  };
}

const app: App = {
  env: process.env,
  cwd: process.cwd(),
  home: process.env['HOME'] ?? homedir(),
  version,
  terminal: (options) => (terminal = makeTerminal(options)),
  byteOutput: () => {
    stdoutBytes.given = true;
    return byteOutput(process.stdout, stop.signal);
  },
  stdin: () => process.stdin,
  signal: stop.signal,
  exitCode: (code) => {
    exitCode = code;
  },
};

function onSignal(): void {
  if (stop.signal.aborted) process.exit(130); // the second one means at once
  process.stderr.write('\nStopping cleanly; once more to stop at once.\n');
  stop.abort(new InterruptedError('Stopped by the user.'));
}

async function main(): Promise<number> {
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // A reader that went away (`| head`) is no failure of ours, and there is nobody left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!stdoutBytes.given) process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  process.stderr.on('error', () => undefined);
  const program = buildProgram(app);
  try {
    await program.parseAsync(process.argv);
    return exitCode;
  } catch (error) {
    return await report(program, error);
  }
}

async function report(program: Command, error: unknown): Promise<number> {
  const failure = error instanceof CommanderError ? usageErrorOf(error) : error;
  if (failure === null) return 0;
  const { reportFailure } = await import('./commands/failure.js');
  const cause = await reportFailure(terminal, failure, calledCommand(program, process.argv.slice(2)));
  return cause instanceof StackferryError ? cause.exitCode : 1;
}

const code = await main();
// Wait for what was written to reach its reader (a pipe takes its time), then end: a stray socket must not hold us.
if (!stdoutBytes.given) await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(code);
