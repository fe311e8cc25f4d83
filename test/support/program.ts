import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The built program (`npm run build` comes first: scripts/test sees to it), as a user runs it. */

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Ended {
  /** Null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** What it has written so far. */
  stderr: () => string;
  stdout: () => string;
}

/** Starts the program with exactly this environment (and a PATH). Without a terminal, as in a script. */
export function start(args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: env['STACKFERRY_STATE_DIR'] ?? '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended, stderr: () => stderr, stdout: () => stdout };
}

/** Runs the program to its end. */
export function run(args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Promise<Ended> {
  return start(args, env, cwd).ended;
}

/** Lines of the journal of a run: `[{ kind, … }]`. */
export async function journal(stateDir: string, runId: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(stateDir, 'runs', runId, 'journal.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/**
 * Kills the program (SIGKILL) as soon as `when` says so, looking every few milliseconds. Resolves with how it ended;
 * fails when it ended by itself before.
 */
export async function killWhen(running: Running, when: () => Promise<boolean> | boolean): Promise<Ended> {
  let over = false;
  void running.ended.then(() => (over = true));
  while (!over) {
    if (await when()) {
      running.child.kill('SIGKILL');
      return running.ended;
    }
    await sleep(5);
  }
  const { code, stderr } = await running.ended;
  throw new Error(`the program ended by itself (exit ${String(code)}) before it could be killed:\n${stderr}`);
}
