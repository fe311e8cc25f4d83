import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import { StackferryError, messageOf, whenAborted } from '../../core/index.js';
import { closeQuietly, type Connection } from './connection.js';
import { interruption } from './failures.js';
import type { CommandResult, RunOptions, RunningCommand } from './shell.js';

const STDERR_LIMIT = 64 * 1024;
const DEFAULT_MAX_BYTES = 64 * 1024 ** 2;
const DEFAULT_TIMEOUT_MS = 60_000;
/** Packets of up to 32 KiB that are read ahead of the consumer; ssh2 holds up to 2 MiB more, its channel window. */
const READ_AHEAD = 8;

/**
 * The channel's stdout as a plain stream. ssh2's own channel never errors when it is destroyed or cut, and closes
 * nothing by itself; this one closes the channel when its reader goes away.
 */
class Output extends Readable {
  readonly #channel: ClientChannel;
  readonly #abandon: () => void;
  #ended = false;

  constructor(channel: ClientChannel, abandon: () => void) {
    // Packet by packet: a plain stream would copy those that wait together into one buffer.
    super({ objectMode: true, highWaterMark: READ_AHEAD });
    this.#channel = channel;
    this.#abandon = abandon;
    // A reader that looks away for a moment must not bring the program down; whoever pipes sees the error.
    this.on('error', () => undefined);
    channel.pause();
    channel.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) channel.pause();
    });
    channel.once('end', () => {
      this.finish();
    });
  }

  /** No more will come. */
  finish(): void {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    this.push(null);
  }

  override _read(): void {
    this.#channel.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#ended) this.#abandon();
    callback(error);
  }
}

/**
 * Starts reading a command whose channel has just opened. `input` goes to its standard input, which is then closed;
 * null leaves it open.
 */
export function follow(channel: ClientChannel, signal: AbortSignal, input: string | null): RunningCommand {
  let exitCode: number | null = null;
  let exitSignal: string | null = null;
  let stderr = '';
  const decoder = new StringDecoder('utf8');
  let over = false;
  let unwatch: () => void = () => undefined;
  let resolveFinished: (end: Awaited<RunningCommand['finished']>) => void = () => undefined;
  const finished = new Promise<Awaited<RunningCommand['finished']>>((resolve) => {
    resolveFinished = resolve;
  });

  const finish = () => {
    if (over) return;
    over = true;
    unwatch();
    stdout.finish();
    resolveFinished({ exitCode, signal: exitSignal, stderr });
  };
  const kill = (reason?: Error) => {
    if (over) return;
    over = true;
    unwatch();
    try {
      // Not every sshd passes it on (OpenSSH does not for root); closing the channel below ends whatever writes.
      channel.signal('TERM');
    } catch {
      // The connection went first.
    }
    closeQuietly(channel);
    stdout.destroy(reason);
    resolveFinished({ exitCode: null, signal: exitSignal, stderr });
  };

  const stdout = new Output(channel, () => {
    kill();
  });
  channel.on('exit', (code: number | null, name?: string) => {
    exitCode = code;
    exitSignal = name ?? null;
  });
  channel.stderr.on('data', (chunk: Buffer) => {
    // The end is what tells why; a flood must not fill the memory.
    stderr = (stderr + decoder.write(chunk)).slice(-STDERR_LIMIT);
  });
  channel.on('close', finish);
  // ssh2 throws into the stream when a buffered channel is read on after its connection has gone.
  channel.on('error', finish);
  channel.stderr.on('error', () => undefined);

  unwatch = whenAborted(signal, () => {
    kill(interruption(signal));
  });
  // EPIPE and the like on stdin are told by the exit status.
  if (input !== null) channel.end(input);

  return {
    stdout,
    stdin: channel,
    finished,
    kill: () => {
      kill();
    },
  };
}

/**
 * Collects a command's output. Rejects with `esxi.output_too_large`, `esxi.command_timeout`, `esxi.connection_lost`,
 * `esxi.command_killed` (ended by a signal), `esxi.no_exit_status`, or the interrupt.
 */
export async function collect(
  connection: Connection,
  command: string,
  running: RunningCommand,
  options: RunOptions,
): Promise<CommandResult> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const what = shorten(command);
  const chunks: Buffer[] = [];
  let total = 0;
  let failure: StackferryError | null = null;
  const timer = setTimeout(() => {
    failure = new StackferryError(
      'esxi.command_timeout',
      `A command on ${connection.name} did not end within ${timeoutMs / 1000} s: ${what}`,
      { hint: 'See what the host is busy with (esxtop, its log); then run the same again.' },
    );
    running.kill();
  }, timeoutMs);
  try {
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > maxBytes) {
        failure = new StackferryError(
          'esxi.output_too_large',
          `A command on ${connection.name} printed more than ${maxBytes} bytes: ${what}`,
          { hint: 'This is not expected of any host: run it by hand, and report what it prints.' },
        );
        break;
      }
      chunks.push(chunk);
    }
  } catch (error) {
    // A kill (time-out, interrupt) ends the stream early; what it was for is thrown below.
    if (error instanceof StackferryError) throw error;
    failure ??= new StackferryError(
      'esxi.connection_lost',
      `Reading from ${connection.name} failed: ${messageOf(error)}.`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
  if (failure !== null) {
    running.kill();
    throw failure;
  }
  const end = await running.finished;
  if (end.exitCode === null) {
    if (!connection.alive) throw connection.lost();
    throw new StackferryError(
      end.signal === null ? 'esxi.no_exit_status' : 'esxi.command_killed',
      `A command on ${connection.name} ended ${end.signal === null ? 'without an exit status' : `by ${end.signal}`}: ${what}`,
      { hint: "Look into the host's /var/log/vmkernel.log and shell.log; then run the same again." },
    );
  }
  return { exitCode: end.exitCode, stdout: Buffer.concat(chunks, total), stderr: end.stderr };
}

/** The beginning of a command, on one line, for messages. */
export function shorten(command: string): string {
  const line = command.replaceAll(/\s+/g, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
