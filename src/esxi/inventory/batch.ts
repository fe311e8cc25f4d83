import { isCode } from '../../core/index.js';
import { quote } from '../ssh/quoting.js';
import type { RemoteShell } from '../ssh/shell.js';

/** What one command of a batch printed (both streams), or the bytes of a file. */
export interface Frame {
  content: Buffer;
  /** The command's exit status, or one of {@link FILE_STATUS} for a file. */
  status: number;
}

export const FILE_STATUS = { missing: 44, notAFile: 45, symlink: 46 } as const;

/** Command text of one exec request: hosts and proxies differ in what they take, this is far below all of them. */
const MAX_SCRIPT_BYTES = 30 * 1024;

/**
 * Functions for busybox `sh`. Each frame begins with a line `@NAME`; every line of what is framed gets a `|` in front,
 * so nothing in it can look like the beginning of another frame; its last line is the exit status, with a line break
 * before it that is not part of the content.
 *
 * - `g NAME COMMAND…` frames what a command prints on both streams; `h` leaves its stderr alone.
 * - `e WORDS…` is `esxcli` with csv, or as a table where the host knows no `--formatter`.
 * - `f NAME FILE BLOCKS` frames up to BLOCKS x 64 KiB of a regular file; `l` refuses symbolic links.
 * - `n NAME FILE` frames the first 2 KiB of a regular file.
 * - `s NAME FILE` frames a file's size and allocation, by `stat`, or by `ls` and `du` where that is missing.
 * - `o NAME FILE` is `s` with the reason why not even a sector can be read (a lock) behind it, where that is so.
 */
const PRELUDE = `p() { sed 's/^/|/'; }
h() { printf '@%s\\n' "$1"; shift; { "$@"; printf '\\n%s\\n' $?; } | p; }
g() { printf '@%s\\n' "$1"; shift; { "$@" 2>&1; printf '\\n%s\\n' $?; } | p; }
e() { esxcli --formatter=csv "$@" 2>/dev/null || esxcli "$@"; }
k() { if [ ! -e "$1" ]; then r=44; elif [ ! -f "$1" ]; then r=45; else r=0; fi; }
c() { if [ $r = 0 ]; then dd if="$1" bs=65536 count="$2" 2>/dev/null; r=$?; [ $r = 0 ] || dd if="$1" of=/dev/null bs=1 count=1 2>&1; fi; printf '\\n%s\\n' $r; }
n() { printf '@%s\\n' "$1"; k "$2"; [ ! -L "$2" ] || r=46; { [ $r != 0 ] || dd if="$2" bs=2048 count=1 2>/dev/null || r=$?; printf '\\n%s\\n' $r; } | p; }
f() { printf '@%s\\n' "$1"; k "$2"; c "$2" "$3" | p; }
l() { printf '@%s\\n' "$1"; k "$2"; [ ! -L "$2" ] || r=46; c "$2" "$3" | p; }
t() { if [ $r = 0 ]; then stat -c '%s %b %B' "$1" 2>/dev/null || { ls -ln "$1"; du -k "$1"; } 2>&1; fi; printf '\\n%s\\n' $r; }
s() { printf '@%s\\n' "$1"; k "$2"; [ ! -L "$2" ] || r=46; t "$2" | p; }
b() { [ $r != 0 ] || m=$(dd if="$1" of=/dev/null bs=512 count=1 2>&1) || printf '%s\\n' "$m"; t "$1"; }
o() { printf '@%s\\n' "$1"; k "$2"; [ ! -L "$2" ] || r=46; b "$2" | p; }
`;

/** A line of a script; with `folder`, the shell's `$d` holds that folder where the line runs. */
export type ScriptLine = string | { folder: string; text: string };

/** Puts lines into commands, each with the prelude, at most so many lines and below the limit of a command's text. */
export function scriptsOf(lines: readonly ScriptLine[], maxLines = Infinity, extraPrelude = ''): string[] {
  const prelude = PRELUDE + extraPrelude;
  const scripts: string[] = [];
  let body = '';
  let count = 0;
  let folder: string | null = null;
  for (const line of lines) {
    const text = typeof line === 'string' ? line : line.text;
    const enter = typeof line === 'string' ? '' : `d=${quote(line.folder)}\n`;
    const bytes = prelude.length + Buffer.byteLength(body) + Buffer.byteLength(enter + text) + 1;
    if (count > 0 && (count >= maxLines || bytes > MAX_SCRIPT_BYTES)) {
      scripts.push(prelude + body);
      body = '';
      count = 0;
      folder = null;
    }
    if (typeof line !== 'string' && line.folder !== folder) {
      body += enter;
      folder = line.folder;
    }
    body += `${text}\n`;
    count++;
  }
  if (count > 0) scripts.push(prelude + body);
  return scripts;
}

export interface FramesResult {
  frames: Map<string, Frame>;
  stderr: string;
}

/** Runs one script and reads its frames. A frame that is not there was never begun or has no end. */
export async function runScript(shell: RemoteShell, script: string, timeoutMs: number): Promise<FramesResult> {
  const result = await shell.run(script, { timeoutMs, maxBytes: 256 * 1024 * 1024 });
  return { frames: parseFrames(result.stdout), stderr: result.stderr };
}

/** Reads what the functions of the prelude print. Of two frames of one name the first counts. */
export function parseFrames(stdout: Buffer): Map<string, Frame> {
  const frames = new Map<string, Frame>();
  let name: string | null = null;
  let lines: Buffer[] = [];
  const end = () => {
    const status = lines.at(-1)?.toString('latin1') ?? '';
    if (name !== null && lines.length >= 2 && /^\d+$/.test(status) && !frames.has(name)) {
      frames.set(name, { content: withoutMarks(join(lines.slice(0, -1))), status: Number(status) });
    }
    name = null;
    lines = [];
  };
  for (let at = 0; at < stdout.length;) {
    const newline = stdout.indexOf(0x0a, at);
    const stop = newline < 0 ? stdout.length : newline;
    if (stdout[at] === 0x40) {
      end();
      name = stdout.toString('utf8', at + 1, stop);
    } else if (stdout[at] === 0x7c) {
      lines.push(stdout.subarray(at + 1, stop));
    }
    at = stop + 1;
  }
  end();
  return frames;
}

function join(lines: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  const newline = Buffer.from('\n');
  lines.forEach((line, i) => {
    if (i > 0) parts.push(newline);
    parts.push(line);
  });
  return Buffer.concat(parts);
}

/**
 * busybox's sed ends a line at a NUL, too, so there each of these is followed by a mark that is no content. Content of
 * which every NUL is followed by a `|` does not occur otherwise; with another sed nothing is taken out.
 */
function withoutMarks(content: Buffer): Buffer {
  const marks: number[] = [];
  for (let at = content.indexOf(0); at >= 0; at = content.indexOf(0, at + 1)) {
    if (at === content.length - 1) break;
    if (content[at + 1] !== 0x7c) return content;
    marks.push(at + 1);
  }
  if (marks.length === 0) return content;
  const skip = new Set(marks);
  return content.filter((_, at) => !skip.has(at)) as Buffer;
}

/** The text of a frame that is there, or an empty one. */
export function textOf(frame: Frame | undefined): string {
  return frame?.content.toString('utf8') ?? '';
}

/** How many scripts run at once: enough to hide latency, little enough for the host's small resource pool. */
const AT_ONCE = 4;

/**
 * Runs `work` over chunks of items, a few at once. A chunk whose command does not end in time is halved, so that one
 * object that hangs costs the others nothing; a single item that hangs goes to `hung`.
 */
export async function inChunks<T>(
  items: readonly T[],
  chunkSize: number,
  work: (chunk: readonly T[]) => Promise<void>,
  hung: (item: T) => void,
): Promise<void> {
  const queue: (readonly T[])[] = [];
  for (let i = 0; i < items.length; i += chunkSize) queue.push(items.slice(i, i + chunkSize));
  const worker = async () => {
    for (let chunk = queue.shift(); chunk; chunk = queue.shift()) {
      try {
        await work(chunk);
      } catch (error) {
        if (!isCode(error, 'esxi.command_timeout')) throw error;
        const [only] = chunk;
        if (chunk.length === 1 && only !== undefined) {
          hung(only);
        } else {
          const half = Math.ceil(chunk.length / 2);
          queue.push(chunk.slice(0, half), chunk.slice(half));
        }
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, queue.length) }, worker));
}

/**
 * Reads regular files (`l`: up to so many blocks of 64 KiB, `n`: 2 KiB) or their sizes (`s`; `o` with a try to read), all in as few commands as fit.
 * The result is by absolute path.
 */
export async function runOnFiles(
  shell: RemoteShell,
  verb: 'l' | 'n' | 's' | 'o',
  paths: Iterable<string>,
  blocks = 1,
): Promise<Map<string, Frame>> {
  const sorted = [...new Set(paths)].sort();
  const lines = sorted.map((path, i) => {
    const cut = path.lastIndexOf('/');
    const tail = verb === 'l' ? ` ${blocks}` : '';
    return { folder: path.slice(0, cut), text: `${verb} ${i} "$d"/${quote(path.slice(cut + 1))}${tail}` };
  });
  const all = new Map<string, Frame>();
  for (const script of scriptsOf(lines)) {
    const { frames } = await runScript(shell, script, 60_000 + sorted.length * 500);
    for (const [name, frame] of frames) {
      const path = sorted[Number(name)];
      if (path !== undefined) all.set(path, frame);
    }
  }
  return all;
}
