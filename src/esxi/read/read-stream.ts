import { randomBytes } from 'node:crypto';
import { StackferryError, type Context } from '../../core/index.js';
import { quote, type RemoteShell, type RunningCommand } from '../ssh/index.js';
import type { FileRead, RemoteFile } from './file-read.js';
import { lastLine, readFailed, readLost, readRefused } from '../read-error.js';
import type { OpenStream, RangeStream, Taker } from './range-stream.js';

/** A stream that owes us bytes and gives none for so long is taken for dead. */
const STALL_MS = 120_000;
/** What dd has to say comes on another stream and may come a moment later. */
const STDERR_WAIT_MS = 2_000;
/** Longer than a trailer: 32 digits, a number, a status, a line break. */
const TAIL = 64;

/**
 * One shell on the host that reads ranges, one after the other, as they are written to its standard input. Each `dd` is
 * followed by a line with a random word and its exit status: a range counts only when that word stands exactly behind
 * as many bytes as were asked for, so a file that was cut short cannot shift what follows.
 *
 * When the channel or the connection goes, the shell's input ends, and with it the shell; a dd that still runs dies by
 * SIGPIPE. Nothing stays behind.
 */
export class ReadStream implements RangeStream {
  readonly #running: RunningCommand;
  readonly #files: readonly RemoteFile[];
  readonly #word: string;
  readonly #trailerForm: RegExp;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  /** The last characters that came, whatever they were. */
  #tail = '';
  /** Bytes of the present range that have not come yet. */
  #owed = 0;
  /** Ranges asked for, and taken, so far: each trailer names its own. */
  #asked = 0;
  #taken = 0;

  private constructor(running: RunningCommand, files: readonly RemoteFile[], word: string) {
    this.#running = running;
    this.#files = files;
    this.#word = word;
    this.#chunks = (running.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    this.#trailerForm = new RegExp(`${word} \\d+ (\\d{1,3})\n$`);
  }

  /** Starts the shell; no file is opened yet. */
  static async open(shell: RemoteShell, files: readonly RemoteFile[], ctx: Context): Promise<ReadStream> {
    const word = randomBytes(16).toString('hex');
    const names = files.map(({ path }) => quote(path)).join(' ');
    const script =
      `set -- ${names}; while read -r i n b s c; do eval "f=\\\${$n}"; ` +
      `dd if="$f" bs=$b skip=$s count=$c < /dev/null; echo "${word} $i $?"; done`;
    const running = await shell.stream(script, { signal: ctx.signal, openStdin: true });
    running.stdin.on('error', () => undefined); // told by the end of the output
    return new ReadStream(running, files, word);
  }

  ask(reads: readonly FileRead[]): void {
    const lines = reads.map(
      ({ file, blockBytes, skip, count }) => `${++this.#asked} ${file + 1} ${blockBytes} ${skip} ${count}\n`,
    );
    this.#running.stdin.write(lines.join(''));
  }

  async receive(read: FileRead, take: Taker): Promise<void> {
    const path = this.#files[read.file]?.path ?? '';
    this.#owed = read.total;
    this.#taken++;
    try {
      // What is here already came while another range was owed.
      await this.#assertNotOver(path);
      await this.#bytes(read.head, path, () => undefined);
      await this.#bytes(read.length, path, take);
      await this.#bytes(read.total - read.head - read.length, path, () => undefined);
      await this.#trailer(path);
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** Lets the shell end by itself. */
  async end(): Promise<void> {
    this.#running.stdin.end();
    this.#running.stdout.resume();
    const timer = setTimeout(() => {
      this.kill();
    }, 5_000);
    await this.#running.finished.finally(() => {
      clearTimeout(timer);
    });
  }

  kill(): void {
    this.#running.kill();
  }

  async #bytes(length: number, path: string, take: Taker): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) await this.#more(path);
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      this.#owed -= part.length;
      await take(part);
    }
  }

  async #trailer(path: string): Promise<void> {
    while (!this.#rest.includes(10) && this.#rest.length < TAIL) {
      const before = this.#rest;
      await this.#more(path);
      this.#rest = Buffer.concat([before, this.#rest]);
    }
    const end = this.#rest.subarray(0, TAIL).indexOf(10);
    const line = this.#rest.toString('latin1', 0, Math.max(0, end));
    const own = `${this.#word} ${this.#taken} `;
    if (!line.startsWith(own)) {
      throw readFailed(path, 'the bytes on the wire are not the ones asked for (was the file cut short?)');
    }
    this.#rest = this.#rest.subarray(end + 1);
    if (line !== `${own}0`) throw await this.#refused(path);
  }

  async #more(path: string): Promise<void> {
    const watch = { stalled: false };
    const timer = setTimeout(() => {
      watch.stalled = true;
      this.#running.kill();
    }, STALL_MS);
    let next: IteratorResult<Buffer>;
    try {
      next = await this.#chunks.next();
    } catch (error) {
      throw error instanceof StackferryError ? error : readLost(path, 'before its end', error);
    } finally {
      clearTimeout(timer);
    }
    if (watch.stalled) throw readLost(path, `: no byte for ${STALL_MS / 1000} s`);
    if (next.done === true) {
      const { exitCode, stderr } = await this.#running.finished;
      if (exitCode === null) throw readLost(path, 'before its end');
      throw readFailed(path, `the host's shell ended (status ${exitCode}) ${lastLine(stderr)}`.trimEnd());
    }
    this.#rest = next.value;
    this.#tail = (this.#tail + next.value.toString('latin1', Math.max(0, next.value.length - TAIL))).slice(-TAIL);
    await this.#assertNotOver(path);
  }

  /** A dd that has ended while bytes are owed says no more: its trailer stands at the end of what came, too early. */
  async #assertNotOver(path: string): Promise<void> {
    if (this.#owed === 0 || this.#rest.at(-1) !== 10) return;
    const end = this.#trailerForm.exec(this.#tail);
    const missing = end ? this.#owed - (this.#rest.length - end[0].length) : 0;
    if (!end || missing <= 0) return;
    if (end[1] !== '0') throw await this.#refused(path);
    throw readFailed(path, `the host sent ${missing} bytes too few (was the file cut short?)`);
  }

  /** Ends the shell, so that all it said is here, and says why dd gave up. */
  async #refused(path: string): Promise<StackferryError> {
    this.#running.stdin.end();
    this.#running.stdout.resume();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<string>((resolve) => {
      timer = setTimeout(() => {
        resolve('');
      }, STDERR_WAIT_MS);
    });
    const said = await Promise.race([this.#running.finished.then(({ stderr }) => stderr), patience]);
    clearTimeout(timer);
    return readRefused(path, said);
  }
}

/** Streams through a shell each. */
export function shellStreams(shell: RemoteShell): OpenStream {
  return (files, ctx) => ReadStream.open(shell, files, ctx);
}
