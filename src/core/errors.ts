/**
 * The one error base of the program. Raw errors of got, ssh2, execa and the file system are turned into it at the
 * edge where they appear, so that everything above can rely on its fields.
 */

/** Exit codes of the contract: 1 failed, 2 wrong usage, 3 a blocker stands, 4 some of a batch failed, 130 interrupted. */
export type ExitCode = 1 | 2 | 3 | 4 | 130;

export interface ErrorDetails {
  /** What to do next, in one sentence. Every error a user can cause has one. */
  hint?: string;
  /** Exit code of the program when this error ends it; 1 if unset. */
  exitCode?: ExitCode;
  /** The error behind this one; shown with `--verbose` after redaction. */
  cause?: unknown;
  /** Facts for programs (JSON), never secrets. */
  details?: Record<string, string | number | boolean | null>;
}

/** An error that a person can read: `message` says what failed, on which object and why. */
export class StackferryError extends Error {
  override readonly name: string = 'StackferryError';
  /** Stable word for programs, dotted lower case: `esxi.login_refused`, `cloud.quota`. Never changes its meaning. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
  readonly details: Record<string, string | number | boolean | null>;

  constructor(code: string, message: string, options: ErrorDetails = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
    this.details = options.details ?? {};
  }
}

/** Wrong usage: an option or argument that cannot be meant. Exit code 2. */
export class UsageError extends StackferryError {
  override readonly name = 'UsageError';
  constructor(message: string, hint?: string) {
    super('usage', message, { exitCode: 2, ...(hint === undefined ? {} : { hint }) });
  }
}

/** The user (or the caller's signal) stopped the work. Not a failure: the run can go on later. Exit code 130. */
export class InterruptedError extends StackferryError {
  override readonly name = 'InterruptedError';
  constructor(message = 'Interrupted.') {
    super('interrupted', message, { exitCode: 130 });
  }
}

/** Throws {@link InterruptedError} if the signal has fired. Call it between units of work. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw signal.reason instanceof StackferryError ? signal.reason : new InterruptedError();
}

/** True for an error that carries this code (or a code under it: `isCode(e, 'esxi')` fits `esxi.locked`). */
export function isCode(error: unknown, code: string): error is StackferryError {
  return error instanceof StackferryError && (error.code === code || error.code.startsWith(`${code}.`));
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`ENOENT`, `ECONNRESET` …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return undefined;
}
