import type { Readable, Writable } from 'node:stream';

/** What a remote command left behind. */
export interface CommandResult {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
}

export interface StreamOptions {
  /** Ends this command instead of the context's signal: for cleaning up after an interrupt. */
  signal?: AbortSignal;
}

export interface StreamedOptions extends StreamOptions {
  /** Keep the command's standard input open: `stdin` of the result writes to it. Otherwise it is closed at once. */
  openStdin?: boolean;
}

export interface RunOptions extends StreamOptions {
  /** Most bytes of stdout kept; more is an error `esxi.output_too_large`. Default 64 MiB. */
  maxBytes?: number;
  /** The command is given up after so long, with `esxi.command_timeout`. Default 60 s. */
  timeoutMs?: number;
  /** Text for the command's standard input; otherwise it is closed at once. */
  input?: string;
}

/** A command whose output is read as it comes. */
export interface RunningCommand {
  stdout: Readable;
  /** Its standard input; a write after its end is lost without an error, which the exit status tells. */
  stdin: Writable;
  /**
   * Settles when the channel has closed and never rejects. A connection that was cut resolves with `exitCode: null`:
   * the caller must demand exit status 0 **and** the bytes it expects, for ssh2 ends a cut stream without an error.
   * An end by a signal has `exitCode: null` and `signal`. It waits until `stdout` was read to its end, destroyed or
   * killed.
   */
  finished: Promise<{ exitCode: number | null; signal: string | null; stderr: string }>;
  /** Ends the command on the host (closes its channel) and destroys `stdout`. Safe to call twice. */
  kill(): void;
}

/**
 * A shell on the host. Command texts are built with `quote()` and `command()` of quoting.ts only.
 * Implementations reconnect by one policy; a command that changes something is never sent twice (`once: true`).
 */
export interface RemoteShell {
  /** `root@esx1:22`, for messages. */
  readonly name: string;
  /** Runs a command to its end. Rejects when no exit status arrived; a non-zero status is the caller's to judge. */
  run(command: string, options?: RunOptions & { once?: boolean }): Promise<CommandResult>;
  /** Starts a command and streams its stdout, with back-pressure. Never reconnects by itself once bytes have flowed. */
  stream(command: string, options?: StreamedOptions): Promise<RunningCommand>;
  /** Round trips so far (commands run or streamed). */
  readonly roundTrips: number;
  close(): Promise<void>;
}
