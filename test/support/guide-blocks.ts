import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Guides as tests: takes the commands out of a guide's ```console blocks, runs them in one shell, in order, as a reader
 * would type them, and compares what they print with what the guide shows.
 */

export interface GuideCommand {
  /** Line of the guide, counted from 1. */
  line: number;
  /** As typed, continuation lines included. */
  text: string;
  /** The lines that the guide shows below it. */
  shown: string[];
  /** Why it must not run; null: it runs. */
  never: string | null;
}

/** The commands of a guide: the lines that begin with `$ ` in its ```console blocks. Throws on a block of another form. */
export function guideCommands(markdown: string): GuideCommand[] {
  const commands: GuideCommand[] = [];
  let block: { never: string | null } | null = null;
  let fence = '';
  let open: GuideCommand | null = null;
  let heredoc: string | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    const at = `line ${index + 1}`;
    const mark = /^\s*(`{3,})(.*)$/.exec(line);
    if (fence === '') {
      if (!mark) {
        if (line.startsWith('$ ')) throw new Error(`${at}: a command outside of a block`);
        continue;
      }
      fence = mark[1] ?? '';
      const info = (mark[2] ?? '').trim();
      block = info.split(' ', 1)[0] === 'console' ? attributes(info, at) : null;
    } else if (mark?.[1] === fence && mark[2]?.trim() === '') {
      if (heredoc !== null) throw new Error(`${at}: the block ends before ${heredoc}`);
      if (block && !open) throw new Error(`${at}: a console block without a command`);
      fence = '';
      open = null;
    } else if (!block) {
      if (line.startsWith('$ ')) throw new Error(`${at}: a command in a block that is not console`);
    } else if (open && (heredoc !== null || open.text.endsWith('\\'))) {
      open.text += `\n${line}`;
      if (line === heredoc) heredoc = null;
    } else if (line.startsWith('$ ')) {
      open = { line: index + 1, text: line.slice(2), shown: [], never: block.never };
      heredoc = /<<\s*'?(\w+)'?/.exec(line)?.[1] ?? null;
      commands.push(open);
    } else {
      if (!open) throw new Error(`${at}: output before any command`);
      open.shown.push(line);
    }
  }
  if (fence !== '') throw new Error('the last block is not closed');
  return commands;
}

function attributes(info: string, at: string): { never: string | null } {
  if (info === 'console') return { never: null };
  const reason = /^console run=never reason="([^"]+)"$/.exec(info)?.[1];
  if (reason === undefined)
    throw new Error(`${at}: a console block is \`console\` or \`console run=never reason="…"\``);
  return { never: reason };
}

export interface RanCommand {
  command: GuideCommand;
  code: number;
  /** Both streams, as a terminal shows them. */
  output: string;
}

export interface RunOptions {
  /** The whole environment; nothing of this process's is passed on. */
  env: Record<string, string>;
  cwd: string;
  /** Called before each command. */
  before?: (command: GuideCommand) => void | Promise<void>;
  /** Seconds that one command may take. Default 120. */
  timeoutSeconds?: number;
}

/**
 * Runs all commands but the `run=never` ones in one bash, so that variables and folders stay from one to the next.
 * Throws at the first that fails (in a pipe: any part), with what it printed.
 */
export async function runGuide(commands: readonly GuideCommand[], options: RunOptions): Promise<RanCommand[]> {
  const shell = new Shell(options);
  const ran: RanCommand[] = [];
  try {
    for (const command of commands.filter((item) => item.never === null)) {
      await options.before?.(command);
      const { code, output } = await shell.run(command.text);
      if (code !== 0) {
        throw new Error(`guide line ${command.line} ended with ${code}:\n$ ${command.text}\n${output}`);
      }
      ran.push({ command, code, output });
    }
  } finally {
    await shell.close();
  }
  return ran;
}

class Shell {
  readonly #child;
  readonly #exited: Promise<unknown>;
  readonly #limitMs: number;
  #output = '';
  #wake: () => void = () => undefined;
  #count = 0;

  constructor(options: RunOptions) {
    this.#limitMs = (options.timeoutSeconds ?? 120) * 1000;
    this.#child = spawn('bash', ['--noprofile', '--norc'], {
      cwd: options.cwd,
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#exited = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#wake();
      });
    }
    this.#child.on('close', () => this.#wake());
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdin.write('exec 2>&1; set -o pipefail\n');
  }

  /** Runs one command by `eval`, so that a slip in its syntax does not end the shell. */
  async run(text: string): Promise<{ code: number; output: string }> {
    const mark = `--guide-${process.pid}-${++this.#count}-ended`;
    this.#output = '';
    this.#child.stdin.write(`eval '${text.replaceAll("'", `'\\''`)}' </dev/null\nprintf '\\n%s %d\\n' ${mark} $?\n`);
    const end = Date.now() + this.#limitMs;
    for (;;) {
      const found = new RegExp(`\\n${mark} (\\d+)\\n`).exec(this.#output);
      if (found) return { code: Number(found[1]), output: this.#output.slice(0, found.index) };
      const left = end - Date.now();
      if (left <= 0 || this.#child.exitCode !== null) {
        const why = left <= 0 ? `not done in ${this.#limitMs / 1000} s` : 'the shell ended';
        throw new Error(`${why}:\n$ ${text}\n${this.#output}`);
      }
      await this.#something(left);
    }
  }

  async #something(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }

  /** Ends the shell, and what it started where a command hangs. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    }, 1000);
    await this.#exited;
    clearTimeout(timer);
  }
}

/**
 * The lines that a guide shows and its command did not print, in order. Figures, ids and hashes differ from run to run
 * and count as equal; `…` stands for any text, a line that is only `…` for any lines. Blank lines do not count.
 */
export function missingLines(shown: readonly string[], output: string): string[] {
  const printed = output.split('\n').map(withoutFigures);
  const missing: string[] = [];
  let from = 0;
  for (const line of shown) {
    if (line.trim() === '' || line.trim() === '…') continue;
    const parts = line.split('…').map((part) => escaped(withoutFigures(part)));
    const pattern = new RegExp(`^${parts.join('.*')}$`);
    const at = printed.findIndex((text, index) => index >= from && pattern.test(text));
    if (at < 0) missing.push(line);
    else from = at + 1;
  }
  return missing;
}

const FIGURES: readonly [RegExp, string][] = [
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
  [/\bSHA256:[\w+/]+/g, 'FINGERPRINT'],
  [/\bsha256-4m:[0-9a-f]{64}/g, 'HASH'],
  [/\b[0-9a-f]{32,128}\b/g, 'DIGEST'],
  [/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g, 'MAC'],
  [/\br[0-9a-z]{7}\b/g, 'RUN'],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'],
  [/\b[0-9a-f]{0,4}(:[0-9a-f]{0,4}){0,6}::[0-9a-f]{0,4}\b/g, 'IP'],
  [/\b\d+(\.\d+){3}\b/g, 'IP'],
  [/\b\d+(\.\d+)?( (B|KiB|MiB|GiB|TiB)(\/s)?\b| (s|min|h)\b)/g, 'N'],
  [/\b\d+(\.\d+)?\b/g, 'N'],
];

function withoutFigures(text: string): string {
  let clean = text;
  for (const [pattern, word] of FIGURES) clean = clean.replace(pattern, word);
  return clean
    .replace(/\s+/g, ' ')
    .replace(/N( N)+/g, 'N') // 1 min 12 s
    .trim();
}

function escaped(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
