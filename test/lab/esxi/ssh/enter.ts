import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
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

/**
 * The way that works on this machine. Throws, naming what to do, where it does not. Not by sudo: what an ordinary user
 * starts so they cannot end, and what it leaves in the tree they cannot remove.
 */
export function findEntrance(tree: string): Entrance {
  const isDevice = statSync(path.join(tree, 'dev/null')).isCharacterDevice();
  const root = process.getuid?.() === 0;
  const entrance = root ? (isDevice ? chroot : mounted) : userSpace;
  const [program, ...words] = entrance(tree, 'echo in >/dev/null && echo in');
  const tried = spawnSync(program, words, { env: ENVIRONMENT, encoding: 'utf8' });
  if (tried.stdout === 'in\n') return entrance;
  const why = (tried.error?.message ?? tried.stderr).trim();
  throw new Error(`no way into the embedded host’s tree (${why}): ${root ? asRoot : asUser()}`);
}

const asRoot = 'root must be able to chroot and to make a mount name space (CAP_SYS_ADMIN), and /tmp to hold programs';

/** What an ordinary user can do: they need a user name space, which the system may keep from them by one of these. */
function asUser(): string {
  const switches = [
    ['kernel/apparmor_restrict_unprivileged_userns', '1', '0'], // Ubuntu from 23.10 on
    ['kernel/unprivileged_userns_clone', '0', '1'], // Debian's, off until 11
    ['user/max_user_namespaces', '0', '10000'],
  ] as const;
  const closed = switches.filter(([name, value]) => sysctl(name) === value);
  if (closed.length === 0) return 'run it as root: this machine or container lets no ordinary user do so';
  const open = closed.map(([name, , value]) => `${name.replace('/', '.')}=${value}`).join(' ');
  return `allow unprivileged user name spaces until the next boot (sudo sysctl -w ${open}), or run it as root`;
}

function sysctl(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return null;
  }
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
