import { execa } from 'execa';
import { StackferryError, systemCode, throwIfAborted, type Context } from '../core/index.js';

export interface ToolOptions {
  /** Called with 0 to 100, where the arguments hold `-p`. */
  onPercent?: (percent: number) => void;
  /** Called with each line of stdout as it comes; then stdout is not kept. */
  onLine?: (line: string) => void;
  /** Exit statuses that are the caller's to judge; 0 always is. */
  expected?: readonly number[];
  /** What is done, for messages: `convert web.vmdk`. */
  what: string;
}

export interface ToolResult {
  exitCode: number;
  stdout: string;
}

/** Most bytes of stdout and stderr that are kept; qemu's tools say more only when they repeat themselves. */
const KEPT = 1024 * 1024;
const KILL_AFTER_MS = 5000;

/**
 * Runs qemu-img in the C locale, killed when the context's signal fires. File names are to be absolute (so that none
 * is taken for a protocol) and formats to be given. Throws `converter.no_qemu_img`, `converter.space`,
 * `convert.failed`, or what the signal says.
 */
export async function qemuImg(args: readonly string[], ctx: Context, options: ToolOptions): Promise<ToolResult> {
  throwIfAborted(ctx.signal);
  ctx.log.debug('qemu-img', { args: args.join(' ') });
  const child = execa('qemu-img', args, {
    buffer: false,
    cancelSignal: ctx.signal,
    env: { LC_ALL: 'C' },
    forceKillAfterDelay: KILL_AFTER_MS,
    reject: false,
    stdin: 'ignore',
  });
  let stdout = '';
  let stderr = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (options.onLine) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine(line);
      return;
    }
    // Progress is written over itself: "    (12.34/100%)\r".
    const percent = [...(rest + text).matchAll(/\(([\d.]+)\/100%\)/g)].at(-1)?.[1];
    rest = text.slice(-24);
    if (percent !== undefined) options.onPercent?.(Number(percent));
    if (stdout.length < KEPT) stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < KEPT) stderr += text;
  });
  const result = await child;
  if (options.onLine && rest !== '') options.onLine(rest);
  throwIfAborted(ctx.signal);
  if (result.exitCode === 0 || (result.exitCode !== undefined && options.expected?.includes(result.exitCode))) {
    return { exitCode: result.exitCode, stdout };
  }
  if (result.exitCode === undefined && systemCode(result.cause ?? result) === 'ENOENT') throw missingTool('qemu-img');
  throw toolError(options.what, stderr, result.signal ?? `status ${result.exitCode ?? 'unknown'}`);
}

/** The error for a qemu tool that is not installed. */
export function missingTool(tool: string): StackferryError {
  return new StackferryError('converter.no_qemu_img', `The program ${tool} is not installed on this machine.`, {
    hint: 'Debian, Ubuntu: apt install qemu-utils. Fedora, RHEL, SUSE: install qemu-img (SUSE: qemu-tools).',
  });
}

function toolError(what: string, stderr: string, end: string): StackferryError {
  const said = summarize(stderr);
  if (/no space left on device|disk quota exceeded/i.test(stderr)) {
    return new StackferryError('converter.space', `Cannot ${what}: no space is left on this machine (${said}).`, {
      hint: 'Free space there, or choose another place with --output DIR.',
    });
  }
  return new StackferryError('convert.failed', `qemu-img could not ${what}: ${said || `it ended with ${end}`}.`, {
    hint: 'Check the source file; run it again with --verbose to see the command.',
  });
}

/** A tool's messages on one line, each once, without its name in front. */
export function summarize(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) =>
      line
        .replace(/^qemu-(img|nbd): /, '')
        .trim()
        .replace(/\.$/, ''),
    )
    .filter((line) => line !== '');
  const text = [...new Set(lines)].join('; ');
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

/** `7.2.22`, as `qemu-img --version` says. Throws `converter.no_qemu_img`. */
export async function qemuImgVersion(ctx: Context): Promise<string> {
  const { stdout } = await qemuImg(['--version'], ctx, { what: 'tell its version' });
  const version = /qemu-img version (\d+\.\d+(?:\.\d+)?)/.exec(stdout)?.[1];
  if (!version) {
    throw new StackferryError('convert.failed', `qemu-img does not tell its version: ${summarize(stdout)}.`, {
      hint: 'Check which qemu-img stands first in PATH.',
    });
  }
  return version;
}
