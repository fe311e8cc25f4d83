import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIB = 1024 ** 2;

/** A thin disk as a host would hold it: descriptor, flat file with holes, and its block map. */
export interface BenchDisk {
  /** The descriptor's path, and its text. */
  path: string;
  descriptor: string;
  flat: string;
  bytes: number;
  allocated: number;
  ranges: { offset: number; length: number }[];
}

export interface BenchPlace {
  dir: string;
  ssh: { host: string; port: number; user: string; keyFile: string };
  /** Where the store takes images. */
  store: string;
  disk: (name: string, capacityMib: number, allocatedMib: number, ranges: number) => BenchDisk;
  /** CPU seconds since the start: of all programs that were run from here, of the sshd and its commands, of the store. */
  cpu: () => CpuSeconds;
  close(): void;
}

export interface CpuSeconds {
  program: number;
  sshd: number;
  store: number;
}

/** A folder, an sshd on loopback whose commands are busybox's, and a store that throws away what it is sent. */
export async function openPlace(): Promise<BenchPlace> {
  const dir = mkdtempSync(join(tmpdir(), 'stackferry-bench-'));
  const children: ChildProcess[] = [];
  const close = () => {
    for (const child of children) child.kill();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const { sshd, ...ssh } = await startSshd(dir, children);
    const { url: store, sink } = await startStore(children);
    const cpu = () => ({ program: cpuOf('self').children, sshd: sshdSeconds(sshd), store: cpuOf(sink).own });
    return { dir, ssh, store, disk: (...size) => makeDisk(dir, ...size), cpu, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function startSshd(dir: string, children: ChildProcess[]): Promise<BenchPlace['ssh'] & { sshd: number }> {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const applet of ['dd', 'cat', 'stat', 'ls', 'tr', 'sh']) symlinkSync('/usr/bin/busybox', join(bin, applet));
  writeFileSync(join(bin, 'vmkfstools'), '#!/bin/sh\n[ "$1" = -t0 ] && exec cat "$2.map"\nexit 1\n');
  chmodSync(join(bin, 'vmkfstools'), 0o755);
  const keyFile = join(dir, 'key');
  for (const name of ['key', 'host']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)]);
  }
  const port = await freePort();
  const config = join(dir, 'sshd_config');
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(dir, 'host')}`,
    `AuthorizedKeysFile ${keyFile}.pub`,
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'PermitRootLogin yes',
    'Subsystem sftp internal-sftp',
    `SetEnv PATH=${bin}:/usr/bin:/bin`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  // sshd wants this folder, and a machine that runs no sshd has none.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: 'ignore' });
  children.push(sshd);
  await untilOpen(port);
  return { host: '127.0.0.1', port, user: userInfo().username, keyFile, sshd: sshd.pid ?? 0 };
}

/** CPU seconds, user and system, by proc(5): ticks of 10 ms. Those of children count once they have been waited for. */
function cpuOf(pid: number | 'self'): { own: number; children: number } {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = (first: number) => (Number(fields[first]) + Number(fields[first + 1])) / 100;
  return { own: ticks(11), children: ticks(13) };
}

/** Of the listener and of all sessions that were; those that have just ended are waited for. */
function sshdSeconds(pid: number): number {
  for (let tries = 0; tries < 100 && readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1') !== ''; tries++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  const { own, children } = cpuOf(pid);
  return own + children;
}

async function startStore(children: ChildProcess[]): Promise<{ url: string; sink: number }> {
  const sink = spawn(process.execPath, [fileURLToPath(new URL('sink.mjs', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(sink);
  const port = await new Promise<string>((resolve, reject) => {
    sink.stdout.once('data', (text: Buffer) => {
      resolve(text.toString().trim());
    });
    sink.once('exit', () => {
      reject(new Error('the store did not start'));
    });
  });
  return { url: `http://127.0.0.1:${port}/v2/images/x/file`, sink: sink.pid ?? 0 };
}

/** Ranges of whole MiB, spread evenly; half of the content is text, half is noise. */
function makeDisk(dir: string, name: string, capacityMib: number, allocatedMib: number, count: number): BenchDisk {
  const flat = join(dir, `${name}-flat.vmdk`);
  const path = join(dir, `${name}.vmdk`);
  const bytes = capacityMib * MIB;
  const ranges: BenchDisk['ranges'] = [];
  const text = Buffer.from('the quick brown fox jumps over the lazy dog 0123456789\n'.repeat(19_100)).subarray(0, MIB);
  const file = openSync(flat, 'w');
  ftruncateSync(file, bytes);
  let left = allocatedMib;
  let at = 0;
  const map: string[] = [];
  const note = (offset: number, length: number, type: string) =>
    map.push(`[${offset}:${length}] --> [${type} LVID:0-0/0-0/1:(${offset} --> ${offset + length})]\n`);
  for (let index = 0; index < count; index++) {
    const share = Math.ceil(left / (count - index));
    const from = Math.max(at, Math.floor((index * capacityMib) / count));
    if (from > at) note(at * MIB, (from - at) * MIB, 'NOMP --');
    note(from * MIB, share * MIB, 'VMFS --');
    ranges.push({ offset: from * MIB, length: share * MIB });
    for (let mib = from; mib < from + share; mib++) {
      writeSync(file, mib % 2 === 0 ? text : randomBytes(MIB), 0, MIB, mib * MIB);
    }
    at = from + share;
    left -= share;
  }
  if (at < capacityMib) note(at * MIB, (capacityMib - at) * MIB, 'NOMP --');
  closeSync(file);
  const descriptor = [
    '# Disk DescriptorFile',
    'version=1',
    'CID=fffffffe',
    'parentCID=ffffffff',
    'createType="vmfs"',
    '# Extent description',
    `RW ${bytes / 512} VMFS "${name}-flat.vmdk"`,
    '# The Disk Data Base',
    'ddb.adapterType = "lsilogic"',
    '',
  ].join('\n');
  writeFileSync(path, descriptor);
  writeFileSync(`${path}.map`, map.join(''));
  return { path, descriptor, flat, bytes, allocated: allocatedMib * MIB, ranges };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

async function untilOpen(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      execFileSync('ssh-keyscan', ['-p', String(port), '127.0.0.1'], { stdio: 'pipe', timeout: 2000 });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('the sshd did not start');
}
