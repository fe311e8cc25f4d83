import { StackferryError } from '../core/index.js';
import { textOf, runScript, scriptsOf } from './inventory/batch.js';
import { HOST_LINES, hostRecord } from './inventory/host-record.js';
import { absolutePath } from './inventory/paths.js';
import type { HostRecord } from './inventory/schema.js';
import { keyValue } from './parse/esxcli-keyvalue.js';
import { quote } from './ssh/quoting.js';
import type { RemoteShell } from './ssh/shell.js';
import { nonEmpty } from './parse/non-empty.js';

/** Seconds after which the host ends a service or a session; 0 means never, null that the host does not say. */
export interface ShellTimeouts {
  /** `ESXiShellTimeOut`: SSH is switched off so long after it was switched on; running sessions live on. */
  shellSeconds: number | null;
  /** `ESXiShellInteractiveTimeOut`: an idle interactive shell is ended. */
  interactiveSeconds: number | null;
}

export interface ReadRate {
  bytes: number;
  seconds: number;
}

/** Product, version, hardware uuid and licence edition of the host, in one round trip. */
export async function readAbout(shell: RemoteShell): Promise<HostRecord> {
  const [script = ''] = scriptsOf(HOST_LINES);
  const { frames } = await runScript(shell, script, 120_000);
  return hostRecord(frames);
}

/** Reads the two time-outs of the shell service (advanced settings, in seconds). */
export async function readShellTimeouts(shell: RemoteShell): Promise<ShellTimeouts> {
  const setting = 'esxcli system settings advanced list -o /UserVars';
  const [script = ''] = scriptsOf([
    `g shell ${setting}/ESXiShellTimeOut`,
    `g interactive ${setting}/ESXiShellInteractiveTimeOut`,
  ]);
  const { frames } = await runScript(shell, script, 60_000);
  const seconds = (name: string) => {
    const value = keyValue(textOf(frames.get(name)), 'Int Value');
    return value !== null && /^\d+$/.test(value) ? Number(value) : null;
  };
  return { shellSeconds: seconds('shell'), interactiveSeconds: seconds('interactive') };
}

/**
 * Reads up to so many MiB from the beginning of a file (datastore form) over the very way that a copy takes, and tells
 * how many bytes came in what time. Throws `esxi.read_failed` where it cannot be read.
 */
export async function measureReadRate(shell: RemoteShell, path: string, mebibytes: number): Promise<ReadRate> {
  const file = absolutePath(path);
  if (file === null) throw readFailed(path, 'this is no path on a datastore');
  const running = await shell.stream(`dd if=${quote(file)} bs=1048576 count=${Math.max(1, Math.floor(mebibytes))}`);
  let bytes = 0;
  let start: number | null = null;
  try {
    for await (const chunk of running.stdout) {
      // The clock starts with the first bytes: setting the channel up is not reading.
      start ??= performance.now();
      bytes += (chunk as Buffer).length;
    }
  } catch (error) {
    running.kill();
    throw error;
  }
  const end = performance.now();
  const { exitCode, stderr } = await running.finished;
  if (exitCode !== 0) throw readFailed(path, nonEmpty(stderr.trim().split('\n')[0]) ?? 'the connection was cut');
  return { bytes, seconds: start === null ? 0 : (end - start) / 1000 };
}

function readFailed(path: string, why: string): StackferryError {
  return new StackferryError('esxi.read_failed', `${path} cannot be read: ${why}.`, {
    hint: 'A running VM holds its disks: choose a file of a VM that is off.',
  });
}
