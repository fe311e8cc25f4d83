import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';

const ENVIRONMENT = {
  PATH: '/bin:/sbin:/usr/bin:/usr/sbin',
  HOME: '/',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/sh',
};
// In a name space of its own a tree without device files gets the machine's /dev/null and /dev/zero.
const BIND =
  'mount --bind /dev/null "$1/dev/null" && mount --bind /dev/zero "$1/dev/zero" && exec chroot "$1" /bin/sh -c "$2"';

/** How a command gets into the tree: program and the words before the tree and the command. */
export type Entrance = (tree: string, command: string) => [program: string, ...words: string[]];

const chroot: Entrance = (tree, command) => ['chroot', tree, '/bin/sh', '-c', command];
const mounted: Entrance = (tree, command) => ['unshare', '--mount', '/bin/sh', '-c', BIND, 'sh', tree, command];
const userSpace: Entrance = (tree, command) => [
  ...(['unshare', '--user', '--map-root-user', '--mount'] as const),
  ...['/bin/sh', '-c', BIND, 'sh', tree, command],
];
const bySudo: Entrance = (tree, command) => ['sudo', '-n', 'chroot', tree, '/bin/sh', '-c', command];

/** The first way that works on this machine. Throws, naming what to do, where none does. */
export function findEntrance(tree: string): Entrance {
  const isDevice = statSync(path.join(tree, 'dev/null')).isCharacterDevice();
  const root = process.getuid?.() === 0;
  const candidates = root ? (isDevice ? [chroot] : [mounted]) : isDevice ? [userSpace, bySudo] : [userSpace];
  for (const candidate of candidates) {
    const [program, ...words] = candidate(tree, 'echo in >/dev/null && echo in');
    if (spawnSync(program, words, { env: ENVIRONMENT, encoding: 'utf8' }).stdout === 'in\n') return candidate;
  }
  throw new Error(
    'no way into the embedded host’s tree: run as root, or allow unprivileged user namespaces ' +
      '(sysctl kernel.unprivileged_userns_clone=1), or sudo without a password',
  );
}

/** Starts a command in the tree, in a process group of its own. */
export function enter(entrance: Entrance, tree: string, command: string): ChildProcessWithoutNullStreams {
  const [program, ...words] = entrance(tree, command);
  return spawn(program, words, { env: ENVIRONMENT, cwd: '/', detached: true });
}

/** Ends a command and all that it started in its group. Only for one whose output has not ended: pids come back. */
export function end(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}
