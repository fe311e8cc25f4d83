import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { StackferryError, systemClock, type Context } from '../../src/core/index.js';
import type { CommandResult, RemoteShell, StreamedOptions } from '../../src/esxi/ssh/shell.js';

/** Two datastores of every fake host: a plain label, and one with blanks, parentheses and an umlaut. */
export const DS1 = { name: 'datastore1', uuid: '5e0026d9-a647150e-d8a8-4cedfb76e9d5' };
export const DS2 = { name: 'größe (2) x', uuid: '2707af93-17b6f4d4' };

const APPLETS = ['sh', 'dd', 'sed', 'cat', 'ls', 'du', 'stat', 'df'];

/** Prints the answer that lies under /answers for these very words; else what a host prints for an unknown VM. */
const SHIM = `#!/bin/sh
key="\${0##*/} $*"
f="/answers/\${key//\\//%}"
if [ -f "$f" ]; then
  cat "$f"
  [ ! -f "$f.err" ] || cat "$f.err" >&2
  [ ! -f "$f.rc" ] || exit $(cat "$f.rc")
  exit 0
fi
case "$key" in
  "vim-cmd vmsvc/"*) printf '(vim.fault.NotFound) {\\n      faultCause = (vmodl.MethodFault) null, \\n      msg = "Unable to find a VM corresponding to "%s""\\n    }\\n' "$2"; exit 1 ;;
esac
echo "Error: Unknown command or namespace $*" >&2
exit 1
`;

export const context: Context = {
  events: {
    emit: () => undefined,
    ask: () => Promise.reject(new Error('nobody is asked here')),
  },
  signal: new AbortController().signal,
  clock: systemClock,
  log: { debug: () => undefined },
};

/** A folder that a real busybox `sh` sees as its root: datastores, and what vim-cmd and esxcli answer. */
export class FakeHost {
  readonly root = mkdtempSync(join(tmpdir(), 'stackferry-esxi-'));

  constructor() {
    for (const folder of ['bin', 'answers', 'dev', 'vmfs/volumes'])
      mkdirSync(join(this.root, folder), { recursive: true });
    copyFileSync('/bin/busybox', join(this.root, 'bin/busybox'));
    for (const applet of APPLETS) symlinkSync('busybox', join(this.root, 'bin', applet));
    for (const name of ['vim-cmd', 'esxcli']) {
      writeFileSync(join(this.root, 'bin', name), SHIM);
      chmodSync(join(this.root, 'bin', name), 0o755);
    }
    writeFileSync(join(this.root, 'dev/null'), '');
    for (const { name, uuid } of [DS1, DS2]) {
      mkdirSync(join(this.root, 'vmfs/volumes', uuid));
      symlinkSync(uuid, join(this.root, 'vmfs/volumes', name));
    }
  }

  answer(command: string, stdout: string, more: { stderr?: string; exitCode?: number } = {}): void {
    const file = join(this.root, 'answers', command.replaceAll('/', '%'));
    writeFileSync(file, stdout);
    if (more.stderr !== undefined) writeFileSync(`${file}.err`, more.stderr);
    if (more.exitCode !== undefined) writeFileSync(`${file}.rc`, String(more.exitCode));
  }

  /** Writes a file on a datastore: `path` is `UUID/folder/name`. A number makes a sparse file of so many bytes. */
  file(path: string, content: string | Buffer | number): void {
    const file = join(this.root, 'vmfs/volumes', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'number' ? '' : content);
    if (typeof content === 'number') truncateSync(file, content);
  }

  link(path: string, target: string): void {
    const file = join(this.root, 'vmfs/volumes', path);
    mkdirSync(dirname(file), { recursive: true });
    symlinkSync(target, file);
  }

  shell(): LocalShell {
    return new LocalShell(this.root);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A {@link RemoteShell} whose host is a folder: commands run in the folder's own busybox. */
export class LocalShell implements RemoteShell {
  readonly name = 'root@fake:22';
  readonly commands: string[] = [];
  /** Commands that match are given up at once, as if they hung. */
  hangs: RegExp | null = null;
  /** Programs that this host does not have. (Debian's busybox runs its applets without looking at PATH.) */
  without: readonly string[] = [];
  /** Files that another holds: `dd` cannot open paths that end so. */
  busy: readonly string[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  get roundTrips(): number {
    return this.commands.length;
  }

  run(command: string): Promise<CommandResult> {
    this.commands.push(command);
    if (this.hangs?.test(command)) return Promise.reject(new StackferryError('esxi.command_timeout', 'It hangs.'));
    const child = this.#spawn(command);
    child.stdin.end();
    return new Promise((resolve, reject) => {
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
      child.on('error', reject);
      child.on('close', (code) =>
        resolve({ exitCode: code ?? -1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
      );
    });
  }

  stream(command: string, options: StreamedOptions = {}): ReturnType<RemoteShell['stream']> {
    this.commands.push(command);
    const child = this.#spawn(command);
    if (options.openStdin !== true) child.stdin.end();
    const stderr: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    const finished = new Promise<{ exitCode: number | null; signal: string | null; stderr: string }>((resolve) => {
      child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stderr: Buffer.concat(stderr).toString() }));
    });
    return Promise.resolve({ stdout: child.stdout, stdin: child.stdin, finished, kill: () => child.kill() });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #spawn(command: string) {
    // The environment is a bare one: nothing of ours may be what makes a command work.
    const env = { PATH: '/bin' };
    const missing = this.without
      .map((name) => `${name}() { echo 'sh: ${name}: not found' >&2; return 127; }\n`)
      .join('');
    const held = this.busy.map(
      (tail) => `if=*'${tail}') echo "dd: can't open '\${w#if=}': Device or resource busy" >&2; return 1 ;;`,
    );
    const dd =
      held.length === 0 ? '' : `dd() { for w; do case "$w" in ${held.join(' ')} esac; done; busybox dd "$@"; }\n`;
    const isRoot = process.getuid?.() === 0;
    const [program, args]: [string, string[]] = isRoot
      ? ['/usr/sbin/chroot', [this.#root]]
      : ['/usr/bin/unshare', ['--user', '--map-root-user', `--root=${this.#root}`]];
    return spawn(program, [...args, '/bin/sh', '-c', `${dd}${missing}${command}`], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }
}
