import type { Context } from '../../core/index.js';
import { StackferryError, retry } from '../../core/index.js';
import { parseVmfsLock, type VmfsLock } from '../parse/vmkfstools-lock.js';
import { quote, type RemoteShell } from '../ssh/index.js';

/** Command texts stay far below what a host's shell takes. */
const MAX_SCRIPT = 24 * 1024;

export interface FileRequest {
  /** Absolute path on the host. */
  path: string;
  /** Bytes of its start to bring along; 0 for none. */
  headBytes: number;
  /** Also look at its lock (one `vmkfstools -D`). */
  lock: boolean;
}

export type FileProbe =
  | { state: 'missing' | 'link' | 'other' }
  | {
      state: 'file';
      bytes: number;
      /** Size and modification time: another word means another file. */
      token: string;
      allocatedBytes: number | null;
      /** What reading its first sector said; null where it could be read. */
      readError: string | null;
      head: Buffer | null;
      /** Null where not asked for, or where the host does not say. */
      lock: VmfsLock | null;
    };

/** Looks at files of the host: one answer for each request, in their order. */
export type ProbeFiles = (requests: readonly FileRequest[], ctx: Context) => Promise<FileProbe[]>;

/**
 * Only what busybox of every ESXi has: `stat` may be missing (then `ls -ln` tells size and time), dd knows bs and
 * count. A head is framed by the size told before, so no content can be taken for a frame.
 */
const FUNCTION = `set -f
p() {
i=$1 f=$2 n=$3 q=$4
if [ -L "$f" ]; then echo "F $i link"; return; fi
if [ ! -e "$f" ]; then echo "F $i missing"; return; fi
if [ ! -f "$f" ]; then echo "F $i other"; return; fi
s=$(stat -c '%s %Y %b %B' "$f" 2>/dev/null) || s=
case $s in
[0-9]*) echo "F $i stat $s";;
*) set -- $(ls -ln "$f" 2>/dev/null); echo "F $i ls $5 $6-$7-$8";;
esac
e=$(dd if="$f" of=/dev/null bs=512 count=1 2>&1); r=$?
printf 'R %s %s ' "$i" "$r"; printf '%s' "$e" | tr '\\r\\n' '  '; echo
if [ "$q" = 1 ] && command -v vmkfstools >/dev/null 2>&1; then
printf 'V %s ' "$i"; vmkfstools -D "$f" 2>&1 | tr '\\r\\n' '  '; echo
fi
if [ "$r" = 0 ] && [ "$n" -gt 0 ]; then
echo "D $i"; dd if="$f" bs="$n" count=1 2>/dev/null; r=$?; echo; echo "E $i $r"
fi
}
`;

/** {@link ProbeFiles} through the host's shell. */
export function shellProbe(shell: RemoteShell): ProbeFiles {
  return (requests, ctx) => probeFiles(shell, requests, ctx);
}

/** Looks at files on the host: kind, size, time, a trial read, their first bytes; as few round trips as the text allows. */
export async function probeFiles(
  shell: RemoteShell,
  requests: readonly FileRequest[],
  ctx: Context,
): Promise<FileProbe[]> {
  const probes: FileProbe[] = [];
  while (probes.length < requests.length) {
    const from = probes.length;
    const part: FileRequest[] = [];
    let script = FUNCTION;
    for (const request of requests.slice(from)) {
      const call = `p ${from + part.length} ${quote(request.path)} ${request.headBytes} ${request.lock ? 1 : 0}\n`;
      if (part.length > 0 && Buffer.byteLength(script) + Buffer.byteLength(call) > MAX_SCRIPT) break;
      script += call;
      part.push(request);
    }
    const policy = {
      what: `look at ${part.length} files on ${shell.name}`,
      attempts: 3,
      delayMs: 500,
      maxDelayMs: 4000,
    };
    const answers = await retry(ctx, { ...policy, retryable: (error) => error instanceof OddAnswer }, async () => {
      const { stdout } = await shell.run(script, { timeoutMs: 120_000 });
      return readAnswer(shell.name, stdout, part, from);
    });
    probes.push(...answers);
  }
  return probes;
}

/** An answer that does not fit its own frame: a file changed while it was read, or the shell is no shell we know. */
class OddAnswer extends StackferryError {
  constructor(host: string, path: string) {
    super('esxi.odd_answer', `${host} gave an answer about ${path} that cannot be read (did the file change?).`, {
      hint: 'Try again; if it stays, run the command with --verbose and report it.',
    });
  }
}

function readAnswer(host: string, answer: Buffer, requests: readonly FileRequest[], from: number): FileProbe[] {
  let at = 0;
  const peek = () => answer.toString('latin1', at, Math.min(answer.length, at + 2));
  const line = (path: string): string => {
    const end = answer.indexOf(10, at);
    if (end < 0) throw new OddAnswer(host, path);
    const text = answer.toString('utf8', at, end);
    at = end + 1;
    return text;
  };
  return requests.map(({ path, headBytes, lock }, offset): FileProbe => {
    const index = from + offset;
    const fields = line(path).split(' ');
    if (fields[0] !== 'F' || fields[1] !== String(index)) throw new OddAnswer(host, path);
    const state = fields[2];
    if (state === 'missing' || state === 'link' || state === 'other') return { state };
    const [bytes, time] = [Number(fields[3]), fields[4]];
    if (!/^\d+$/.test(fields[3] ?? '') || !time) throw new OddAnswer(host, path);
    const blocks = state === 'stat' ? Number(fields[5]) * Number(fields[6]) : NaN;
    const read = /^R \d+ (\d+) (.*)$/.exec(line(path));
    if (!read) throw new OddAnswer(host, path);
    const held = lock && peek() === 'V ' ? parseVmfsLock(line(path)) : null;
    let head: Buffer | null = null;
    const readable = read[1] === '0';
    if (readable && headBytes > 0) {
      const length = Math.min(bytes, headBytes);
      if (line(path) !== `D ${index}`) throw new OddAnswer(host, path);
      head = answer.subarray(at, at + length);
      at += length;
      if (line(path) !== '' || line(path) !== `E ${index} 0`) throw new OddAnswer(host, path);
    }
    return {
      state: 'file',
      bytes,
      token: `${bytes}@${time}`,
      allocatedBytes: Number.isFinite(blocks) ? blocks : null,
      readError: readable ? null : (read[2] ?? '').trim() || `dd ended with status ${read[1] ?? ''}`,
      head,
      lock: held,
    };
  });
}
