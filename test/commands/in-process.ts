import type { App } from '../../src/commands/app.js';
import { buildProgram } from '../../src/commands/program.js';
import { UsageError } from '../../src/core/index.js';

/** The program in this process, as far as no host or cloud is needed. */

export function fakeApp(out: (text: string) => void = () => undefined): App {
  return {
    env: {},
    cwd: '/nonexistent',
    home: '/nonexistent',
    version: '0.0.0',
    terminal: ({ quiet, verbose }) => ({
      out,
      err: () => undefined,
      live: false,
      interactive: false,
      color: false,
      width: () => 80,
      tableWidth: null,
      quiet,
      verbose,
      errStream: process.stderr,
    }),
    stdin: () => {
      throw new Error('nothing is read here');
    },
    byteOutput: () => ({ isTerminal: true, write: () => Promise.reject(new Error('nothing is written here')) }),
    signal: new AbortController().signal,
    exitCode: () => undefined,
  };
}

/** Runs a command line that prints something. */
export async function printed(...args: string[]): Promise<string> {
  let text = '';
  const program = buildProgram(fakeApp((more) => (text += more)));
  await program.parseAsync(args, { from: 'user' });
  return text;
}

/** Runs a command line that is wrong; what a person is told. */
export async function refused(...args: string[]): Promise<UsageError> {
  try {
    await buildProgram(fakeApp()).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`taken: ${args.join(' ')}`);
}
