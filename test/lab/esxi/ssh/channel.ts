import { setTimeout as sleep } from 'node:timers/promises';

import type { ServerChannel } from 'ssh2';

import { end, enter, type Entrance } from './enter.js';
import type { FaultDesk } from './faults.js';

export interface LoggedCommand {
  /** Number of the connection, from 1. */
  connection: number;
  command: string;
  /** Null while it runs, and when it was cut or ended by a signal. */
  exitCode: number | null;
  stdoutBytes: number;
}

export interface ExecJob {
  tree: string;
  entrance: Entrance;
  channel: ServerChannel;
  entry: LoggedCommand;
  faults: FaultDesk;
  /** Ends the connection once what was written has gone out. */
  drop: () => void;
  /** Called with the function that passes a signal on to the command. */
  onSignal: (send: (signal: NodeJS.Signals) => void) => void;
}

/** Runs one exec request from start to end. Resolves when nothing of it is left. */
export async function serveExec(job: ExecJob): Promise<void> {
  const { channel, faults, entry } = job;
  const closed = new AbortController();
  const gone = () => closed.signal.aborted;
  channel.once('close', () => closed.abort());
  channel.on('error', () => closed.abort());
  if (faults.execDelayMs > 0)
    await sleep(faults.execDelayMs, undefined, { signal: closed.signal }).catch(() => undefined);
  if (gone()) return;

  const child = enter(job.entrance, job.tree, entry.command);
  const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('error', () => resolve([127, null]));
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
  let ended = false;
  const send = (signal: NodeJS.Signals) => {
    if (!ended) end(child, signal);
  };
  closed.signal.addEventListener('abort', () => send('SIGKILL'), { once: true });
  job.onSignal(send);
  child.stdin.on('error', () => undefined); // the command may end before it has read all
  channel.pipe(child.stdin);
  const write = oneByOne(channel, closed.signal);
  const stderr = (async () => {
    for await (const chunk of child.stderr) await write(channel.stderr, chunk as Buffer);
  })().catch(() => undefined);
  const stdout = sendStdout(job, child.stdout, closed.signal, write).catch(() => undefined);

  const [code, signal] = await exited;
  await Promise.all([stdout, stderr]);
  ended = true;
  if (gone()) return;
  entry.exitCode = code;
  if (code !== null) channel.exit(code);
  else channel.exit((signal ?? 'SIGTERM').slice(3), false, '');
  channel.end();
  channel.close();
}

type Write = (stream: NodeJS.WritableStream, bytes: Buffer) => Promise<void>;

async function sendStdout(
  job: ExecJob,
  stdout: NodeJS.ReadableStream,
  closed: AbortSignal,
  write: Write,
): Promise<void> {
  for await (const chunk of stdout) {
    for (let rest = chunk as Buffer; rest.length > 0;) {
      const { send, then } = await job.faults.take(rest.length, closed);
      if (closed.aborted) return;
      if (send > 0) {
        job.entry.stdoutBytes += send;
        await write(job.channel, rest.subarray(0, send));
      }
      if (then === 'drop') {
        job.drop();
        return;
      }
      rest = rest.subarray(send);
    }
  }
}

/**
 * One write of a channel at a time: when stdout and stderr both wait for the peer's window, ssh2 wakes only the first,
 * and the other (what dd says at its end) would never go out. And what of stdout had waited is forgotten once it is out:
 * ssh2 keeps it, and sends it again when stderr is the next that waits (its lib/server.js, CHANNEL_WINDOW_ADJUST).
 */
function oneByOne(channel: ServerChannel, closed: AbortSignal): Write {
  const waiting = channel as unknown as { _chunk?: Buffer; _chunkcb?: () => void };
  let before = Promise.resolve();
  return (stream, bytes) => {
    before = before
      .then(() => written(stream, bytes, closed))
      .then(() => {
        delete waiting._chunk;
        delete waiting._chunkcb;
      });
    return before;
  };
}

/**
 * Waits until the bytes have left for the peer. A channel whose window is full keeps up to two MiB to itself, and its
 * close() does not wait for them: without this an early exit would cut the end of what a command wrote.
 */
async function written(stream: NodeJS.WritableStream, bytes: Buffer, closed: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const gone = () => resolve();
    closed.addEventListener('abort', gone, { once: true });
    stream.write(bytes, () => {
      closed.removeEventListener('abort', gone);
      resolve();
    });
  });
}
