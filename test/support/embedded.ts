import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  startCloud,
  type CloudOptions,
  type CredentialKind,
  type EmbeddedCloud,
  type Inventory,
} from '../lab/cloud/index.js';
import {
  MIB,
  buildTree,
  diskContent,
  startHost,
  vm,
  type BuiltTree,
  type EmbeddedHost,
  type HostOptions,
  type HostSpec,
  type VmSpec,
} from '../lab/esxi/index.js';
import { run, start, type Ended, type Running } from './program.js';
import { migrationResult, type MigrationResult } from './contract.js';

/** Peers for the whole program: one tree of an ESXi host a file, and an SSH server and a cloud of its own a test. */

type Environment = Record<string, string>;

export interface LabOptions {
  cloud?: CloudOptions['settings'];
  credentials?: CredentialKind;
  host?: Omit<HostOptions, 'tree'>;
}

/** A host, a cloud and a state directory that nothing else uses, and the program set up for them. */
export interface Lab {
  readonly tree: BuiltTree;
  readonly host: EmbeddedHost;
  readonly cloud: EmbeddedCloud;
  readonly stateDir: string;
  /** A folder for whatever the test writes. */
  readonly dir: string;
  readonly env: Environment;
  /** What the project holds before anything is done. */
  readonly seed: Inventory;
  run(args: readonly string[], more?: Environment): Promise<Ended>;
  start(args: readonly string[], more?: Environment): Running;
}

/** Builds the tree once for a file of tests; each `lab()` gets its own doors to it, closed at the end. */
export function usePeers(spec: HostSpec): { lab(options?: LabOptions): Promise<Lab>; tree(): BuiltTree } {
  let root = '';
  let built: BuiltTree | undefined;
  const closers: (() => Promise<void>)[] = [];
  let count = 0;
  const tree = () => {
    if (!built) throw new Error('the tree is built in beforeAll');
    return built;
  };
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'stackferry-embedded-'));
    built = await buildTree(join(root, 'host'), spec);
  });
  afterAll(async () => {
    await Promise.all(closers.map((close) => close()));
    await rm(root, { recursive: true, force: true });
  });
  return {
    tree,
    async lab(options = {}) {
      const dir = join(root, `lab${++count}`);
      await mkdir(dir);
      const host = await startHost({ ...options.host, tree: tree() });
      closers.push(() => host.close());
      const cloud = await startCloud({
        directory: join(dir, 'cloud'),
        // What real clouds do takes seconds; here only its order counts.
        settings: { ...options.cloud, delays: { volume: 0, server: 0, power: 0, ...options.cloud?.delays } },
      });
      closers.push(() => cloud.stop());
      const stateDir = join(dir, 'state');
      const env: Environment = {
        STACKFERRY_ESXI: host.host,
        STACKFERRY_ESXI_SSH_PORT: String(host.port),
        STACKFERRY_ESXI_USER: host.user,
        STACKFERRY_ESXI_PASSWORD: host.password,
        STACKFERRY_ESXI_FINGERPRINT: host.fingerprint,
        STACKFERRY_STATE_DIR: stateDir,
        HOME: dir,
        ...cloud.environment(options.credentials),
      };
      return {
        tree: tree(),
        host,
        cloud,
        stateDir,
        dir,
        env,
        seed: cloud.inventory('lab'),
        run: (args, more = {}) => run(args, { ...env, ...more }, dir),
        start: (args, more = {}) => start(args, { ...env, ...more }, dir),
      };
    },
  };
}

/** A VM of two small disks (the second of an odd size) and one NIC, which boots in the embedded cloud. */
export function smallVm(name: string, more: Partial<VmSpec> = {}): VmSpec {
  return vm({
    name,
    cpus: 1,
    memoryMib: 256,
    guestId: 'debian11_64Guest',
    disks: [
      { sizeBytes: 9 * MIB, mbr: true, dataBytes: MIB },
      { sizeBytes: 5 * MIB + 512, dataBytes: 256 * 1024 },
    ],
    ...more,
  });
}

/** The command line of a whole migration into the lab's own network. */
export function migrateArgs(vmName: string, ...more: string[]): string[] {
  return ['migrate', '--vm', vmName, '--network', 'VM Network=lab-net', '--yes', '-f', 'json', ...more];
}

/** The result that the program printed; fails with its stderr where it did not succeed. */
export function resultOf(ended: Ended): MigrationResult {
  expect(ended.code, ended.stderr).toBe(0);
  return migrationResult.parse(JSON.parse(ended.stdout));
}

/** Makes the program kill itself (SIGKILL) at an exact line of the journal: see kill-at-line.mjs. */
export function killAt(when: 'before' | 'after', line: number | RegExp): Environment {
  const preload = pathToFileURL(join(import.meta.dirname, 'kill-at-line.mjs'));
  return {
    NODE_OPTIONS: `--import ${preload.href}`,
    KILL_WHEN: when,
    ...(typeof line === 'number' ? { KILL_LINE: String(line) } : { KILL_MATCH: line.source }),
  };
}

/** How the program ended that was to be killed; fails where it lived on. */
export function expectKilled(ended: Ended): Ended {
  expect(ended.signal, `exit ${String(ended.code)}:\n${ended.stderr}`).toBe('SIGKILL');
  return ended;
}

/** `sha256-4m:HEX` of a file's first bytes, written anew from DESIGN.md and not with the program's code. */
export async function contentHash(path: string, bytes: number): Promise<string> {
  const all = createHash('sha256');
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < bytes; at += 4 * MIB) {
      const chunk = Buffer.alloc(Math.min(4 * MIB, bytes - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead !== chunk.length) throw new Error(`${path} ends before ${bytes} bytes`);
      all.update(createHash('sha256').update(chunk).digest());
    }
  } finally {
    await file.close();
  }
  return `sha256-4m:${all.digest('hex')}`;
}

/** The content hashes of a VM's disks as its guest sees them, in order, from the tree's own specification. */
export async function sourceHashes(lab: Pick<Lab, 'tree' | 'dir'>, vmName: string | number): Promise<string[]> {
  const hashes: string[] = [];
  for (const disk of lab.tree.vm(vmName).disks.filter((item) => item.layers.length > 0)) {
    const path = join(lab.dir, `source-${hashes.length}.raw`);
    await diskContent(disk, path);
    hashes.push(await contentHash(path, disk.capacityBytes));
    await rm(path);
  }
  return hashes;
}

/** Fails unless each volume holds exactly its source disk's bytes, and zeros behind them; and the result says so. */
export async function expectSourceBytes(lab: Lab, vmName: string | number, result: MigrationResult): Promise<void> {
  const [moved] = result.vms;
  const wanted = await sourceHashes(lab, vmName);
  expect(moved?.volumes.map((volume) => volume.content_hash)).toEqual(wanted);
  const arrived: string[] = [];
  for (const volume of moved?.volumes ?? []) {
    const path = lab.cloud.volumeFile(volume.volume_id);
    arrived.push(await contentHash(path, volume.capacity_bytes ?? 0));
    expect(await isZeroFrom(path, volume.capacity_bytes ?? 0), `${volume.label} has something behind the disk`).toBe(
      true,
    );
  }
  expect(arrived).toEqual(wanted);
}

/** Looks at the first MiBs behind the disk: the rest of the volume is a hole. */
async function isZeroFrom(path: string, from: number): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8 * MIB), 0, 8 * MIB, from);
    return buffer.subarray(0, bytesRead).every((byte) => byte === 0);
  } finally {
    await file.close();
  }
}

/** How many of each the project has now, those of the cloud's seed left out. */
export function counts(lab: Lab): { images: number; volumes: number; ports: number; servers: number } {
  const now = lab.cloud.inventory('lab');
  const made = (kind: 'images' | 'volumes' | 'ports' | 'servers') =>
    now[kind].filter((id) => !lab.seed[kind].includes(id)).length;
  return { images: made('images'), volumes: made('volumes'), ports: made('ports'), servers: made('servers') };
}

/** What one migration of a {@link smallVm} makes, and nothing else. */
export const ONE_OF_EACH = { images: 2, volumes: 2, ports: 1, servers: 1 };

/** The remote commands that read disk bytes: the first file, and bytes sent. */
export function diskReads(host: EmbeddedHost): { file: string; bytes: number }[] {
  return host.commands.flatMap(({ command, stdoutBytes }) => {
    // One shell that reads what it is told on its standard input: what it sent, the words between the ranges included.
    const reader = /^set -- '([^']*)'.*while read -r i n b s c/s.exec(command);
    return reader ? [{ file: reader[1] ?? '', bytes: stdoutBytes }] : [];
  });
}

/** Whole MiB of what they sent: the words between the ranges are far less than one. */
export function wholeMib(reads: readonly { bytes: number }[]): number {
  return Math.floor(reads.reduce((sum, { bytes }) => sum + bytes, 0) / 1024 ** 2);
}

/** Requests of a kind that reached the cloud: `requests(lab, 'POST', 'image', /images$/)`. */
export function requests(lab: Lab, method: string, service: string, path: RegExp) {
  return lab.cloud
    .requests()
    .filter((entry) => entry.method === method && entry.service === service && path.test(entry.path));
}

/** The nth address of the first IPv4 subnet of a network of the lab. */
export function addressIn(lab: Lab, network: string, host: number): string {
  const { networks, subnets } = lab.cloud.state;
  const id = networks.find((one) => one.name === network)?.id;
  const cidr = subnets.find((one) => one.network_id === id && one.ip_version === 4)?.cidr;
  if (cidr === undefined) throw new Error(`${network} has no IPv4 subnet`);
  return cidr.replace(/\d+\/\d+$/, String(host));
}

/** Does `work` for each item, so many at once. Every failure is told with its item. */
export async function forEachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items.entries()];
  const failures: string[] = [];
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [, item] = next;
      await work(item).catch((error: unknown) => {
        failures.push(`${JSON.stringify(item)}: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) throw new Error(`${failures.length} of ${items.length} failed:\n${failures.join('\n')}`);
}
