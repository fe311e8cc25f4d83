import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect } from 'vitest';
import { z } from 'zod';
import { run, start, type Ended, type Running } from '../support/program.js';
import { CLOUDS_FILE, LAB_DIR, RealCloud, runOf, type Resource, type Row } from '../support/real-cloud.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The VM that moves: a boot disk that boots and a data disk, on the real sshd. */
export const VM = 'web01';
export const TO_LAB_NET = ['--network', 'VM Network=lab-net', '--security-group', 'web_ssh'];
/** The machine may be busy: what matters is that it ends well, not when. */
export const PATIENCE = ['--timeout-server', '900', '--timeout-console', '900'];
export const MIGRATE = ['migrate', '--vm', VM, ...TO_LAB_NET, ...PATIENCE, '--yes', '-f', 'json'];

/** What `migrate -f json` promises (DESIGN.md), and not a key less. */
const resultSchema = z.object({
  run: z.string(),
  state: z.enum(['done', 'failed', 'stopped', 'running', 'rolled_back']),
  vms: z
    .array(
      z.object({
        vm: z.string(),
        id: z.string(),
        state: z.string(),
        server_id: z.string().nullable(),
        image_ids: z.array(z.string()),
        volumes: z.array(
          z.object({
            label: z.string(),
            volume_id: z.string(),
            size_gib: z.number(),
            capacity_bytes: z.number(),
            content_hash: z.string(),
          }),
        ),
        ports: z.array(
          z.object({ label: z.string(), port_id: z.string(), mac: z.string(), ip_addresses: z.array(z.string()) }),
        ),
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    )
    .length(1),
});
type Result = z.infer<typeof resultSchema>;
export type VmResult = Result['vms'][number];

/** The one VM of a result on stdout. */
export function resultOf({ stdout }: Ended): VmResult & { run: string } {
  const { run: id, vms } = resultSchema.parse(JSON.parse(stdout));
  const [vm] = vms;
  if (!vm) throw new Error('no VM in the result');
  return { ...vm, run: id };
}

/** Fails with what the program said. */
export function expectDone(ended: Ended): void {
  expect(ended.code, ended.stderr).toBe(0);
}

/** The two peers, an own state folder, and the promise that what was made is gone afterwards, however the tests end. */
export class Bench {
  #host: Record<string, string> = {};
  #cloud: RealCloud | undefined;
  #dir = '';
  readonly #running = new Set<Running>();

  async open(): Promise<void> {
    this.#dir = await mkdtemp(join(tmpdir(), 'stackferry-cloud-'));
    this.#host = await hostEnvironment();
    this.#cloud = await RealCloud.connect('lab');
  }

  async close(): Promise<void> {
    for (const running of this.#running) running.child.kill('SIGKILL');
    const runs = await this.runs();
    if (runs.size > 0) {
      for (const name of ['lab', 'lab-poor']) await (await RealCloud.connect(name)).removeRuns(runs);
    }
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Project lab, by itself. */
  get cloud(): RealCloud {
    if (!this.#cloud) throw new Error('the bench is not open');
    return this.#cloud;
  }

  get stateDir(): string {
    return join(this.#dir, 'state');
  }

  /** A path of ours that is not there yet. */
  path(name: string): string {
    return join(this.#dir, name);
  }

  /** Host and cloud `lab` as a user would have them in their shell, with changes; undefined takes a variable out. */
  env(changes: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
    const all = {
      ...this.#host,
      OS_CLIENT_CONFIG_FILE: CLOUDS_FILE,
      OS_CLOUD: 'lab',
      STACKFERRY_STATE_DIR: this.stateDir,
      ...changes,
    };
    const set: Record<string, string> = {};
    for (const [name, value] of Object.entries<string | undefined>(all)) if (value !== undefined) set[name] = value;
    return set;
  }

  async run(args: readonly string[], changes: Readonly<Record<string, string | undefined>> = {}): Promise<Ended> {
    return run(args, this.env(changes));
  }

  start(args: readonly string[]): Running {
    const running = start(args, this.env());
    this.#running.add(running);
    void running.ended.finally(() => this.#running.delete(running));
    return running;
  }

  /** Ids of all runs that were begun here. */
  async runs(): Promise<Set<string>> {
    return new Set(await readdir(join(this.stateDir, 'runs')).catch(() => []));
  }

  /** All that the project owns, but for what others' runs make meanwhile. */
  async listing(): Promise<Resource[]> {
    const ours = await this.runs();
    const rows = await this.cloud.everything();
    const ofOthers = (row: Row) => {
      const marked = runOf(row);
      return marked !== undefined && !ours.has(marked);
    };
    const others = new Set(rows.filter(ofOthers).map((row) => row.id));
    return rows.filter((row) => !others.has(row.id) && !others.has(String(row['volume_id'])));
  }

  /** What carries the mark of a run, as `server 1`: how many of each kind. */
  async made(run_: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const row of await this.cloud.everything()) {
      if (runOf(row) === run_) counts[row.kind] = (counts[row.kind] ?? 0) + 1;
    }
    return counts;
  }
}

/** A bench for the tests of a file. */
export function cloudBench(): Bench {
  const bench = new Bench();
  beforeAll(() => bench.open());
  afterAll(() => bench.close());
  return bench;
}

/** What `scripts/lab esxi env` exports. */
async function hostEnvironment(): Promise<Record<string, string>> {
  const script = 'out=$(scripts/lab esxi env) && eval "$out" && env -0';
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: ROOT });
  const entries = stdout.split('\0').flatMap((line) => {
    const at = line.indexOf('=');
    return line.startsWith('STACKFERRY_ESXI') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** Where the nth disk of a VM lies on the host: its flat extent, a file of the tree that sshd serves. */
export async function sourceDisk(vm: string, index: number): Promise<string> {
  return join(await vmFolder(vm), `${vm}${index === 0 ? '' : `_${index}`}-flat.vmdk`);
}

export async function vmFolder(vm: string): Promise<string> {
  const volumes = join(LAB_DIR, 'esxi/tree/vmfs/volumes');
  for (const entry of await readdir(volumes, { withFileTypes: true })) {
    if (entry.isDirectory() && (await readdir(join(volumes, entry.name))).includes(vm)) {
      return join(volumes, entry.name, vm);
    }
  }
  throw new Error(`${vm} is on no datastore under ${volumes}`);
}

const MIB = 1024 * 1024;
const CHUNK = 4 * MIB;

/** Reads a file in pieces of 4 MiB from its start; the last may be shorter. */
async function* pieces(path: string, from: number, to: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  try {
    for (let at = from; at < to; at += CHUNK) {
      const buffer = Buffer.alloc(Math.min(CHUNK, to - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead !== buffer.length) throw new Error(`${path} ends at ${at + bytesRead}, not at ${to}`);
      yield buffer;
    }
  } finally {
    await file.close();
  }
}

/** `sha256-4m:…` of the first bytes of a file, by DESIGN.md's words and none of the program's code. */
export async function contentHash(path: string, bytes: number): Promise<string> {
  const whole = createHash('sha256');
  for await (const piece of pieces(path, 0, bytes)) whole.update(createHash('sha256').update(piece).digest());
  return `sha256-4m:${whole.digest('hex')}`;
}

/** Whether a file holds nothing but zeros between two places. */
export async function isZero(path: string, from: number, to: number): Promise<boolean> {
  const zeros = Buffer.alloc(CHUNK);
  for await (const piece of pieces(path, from, to)) {
    if (piece.compare(zeros, 0, piece.length) !== 0) return false;
  }
  return true;
}

/** What the guest's init prints of a disk: SHA-256 of its first MiB. */
export async function firstMib(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces(path, 0, MIB)) hash.update(piece);
  return hash.digest('hex');
}
