import { StackferryError, throwIfAborted, type Context, whenAborted } from '../../core/index.js';
import { remotePath } from '../export/paths.js';
import { command, path, type RemoteShell } from '../ssh/index.js';
import { reasonIn } from './folder.js';

/** Kept of what vmkfstools says: its end tells why it failed. */
const KEPT = 4096;

/**
 * `vmkfstools -i SOURCE TARGET -d thin` (paths in datastore form). Its standard input is ours: when the channel or the
 * connection goes, or we close it, the clone is ended on the host, so that none writes on when nobody waits for it.
 *
 * @param onPercent how far it is, as often as the host says so
 * @throws StackferryError `esxi.clone_failed` with the host's words; the interrupt, once the clone has ended.
 */
export async function cloneDisk(
  shell: RemoteShell,
  ctx: Context,
  { label, source, target }: { label: string; source: string; target: string },
  onPercent: (percent: number) => void,
): Promise<void> {
  throwIfAborted(ctx.signal);
  const clone = command('vmkfstools', '-i', path(remotePath(source)), path(remotePath(target)), '-d', 'thin');
  const script =
    `exec 3<&0; ${clone} </dev/null 2>&1 & p=$!\n` +
    `{ while read -r x; do :; done <&3; kill $p; } >/dev/null 2>&1 & w=$!\n` +
    `wait $p; r=$?; kill $w 2>/dev/null; exit $r`;
  // Not the run's own signal: an interrupt ends the clone first, and then the channel.
  const running = await shell.stream(script, { signal: new AbortController().signal, openStdin: true });
  running.stdin.on('error', () => undefined); // told by the exit status
  const unwatch = whenAborted(ctx.signal, () => running.stdin.end());
  let said = '';
  try {
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) {
      said = (said + chunk.toString('utf8')).slice(-KEPT);
      const percent = [...said.matchAll(/Clone: +(\d{1,3})% done/g)].at(-1)?.[1];
      if (percent !== undefined) onPercent(Math.min(100, Number(percent)));
    }
  } finally {
    unwatch();
    running.stdin.end();
  }
  const { exitCode, stderr } = await running.finished;
  throwIfAborted(ctx.signal);
  if (exitCode === 0) return;
  const why =
    exitCode === null ? 'the connection was lost' : reasonIn(`${said}\n${stderr}`.replace(/Clone: +\d+% done\.?/g, ''));
  throw new StackferryError('esxi.clone_failed', `Disk ${label} could not be cloned on the host: ${why}.`, {
    hint: /no space/i.test(why)
      ? 'Free space on the datastore, or name another with --clone-datastore NAME.'
      : 'Run the same command again; look at /var/log/vmkernel.log on the host if it fails again.',
    details: { label, source, target },
  });
}
