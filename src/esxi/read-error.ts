import { StackferryError, isCode } from '../core/index.js';

/** A connection that ended in the middle of a range: the range can be read again. */
export function readLost(path: string, what: string, cause?: unknown): StackferryError {
  return new StackferryError('esxi.connection_lost', `Reading ${path} broke off ${what}.`, {
    hint: 'Check the network and the host; run it again to go on where it stopped.',
    cause,
  });
}

export function readFailed(path: string, why: string): StackferryError {
  return new StackferryError('esxi.read_failed', `Reading ${path} failed: ${why}.`, {
    hint: 'Run it again to go on where it stopped; look at /var/log/vmkernel.log on the host if it stays.',
  });
}

/** What dd said on its way out, without its own lines of records, as an error of ours. */
export function readRefused(path: string, stderr: string): StackferryError {
  const said = stderr
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '' && !/^\d+\+\d+ records|^\d+ bytes/.test(line))
    .join(' ')
    .trim();
  if (/busy|locked/i.test(said)) {
    return new StackferryError('disk.locked', `${path} is locked: ${said}.`, {
      hint: 'The VM was started, or something else uses the disk: shut it down and run it again.',
    });
  }
  if (/no such file/i.test(said)) {
    return readMissing(path);
  }
  return readFailed(path, said || 'dd ended with an error');
}

export function readMissing(path: string): StackferryError {
  return new StackferryError('disk.missing', `${path} is not there any more.`, {
    hint: 'The VM was moved or deleted meanwhile: look at it on the host.',
  });
}

/** Whether what went wrong may be over when it is tried again. */
export function mayGoAway(error: unknown): boolean {
  const passing = ['esxi.connection_lost', 'esxi.unreachable', 'host.no_ssh', 'esxi.read_failed'];
  return error instanceof StackferryError && passing.some((code) => isCode(error, code));
}

/** The last line of what a command said, shortened; empty where it said nothing. */
export function lastLine(text: string): string {
  return (
    text
      .trim()
      .split(/[\r\n]+/)
      .at(-1)
      ?.slice(0, 200) ?? ''
  );
}
