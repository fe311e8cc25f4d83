import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** `scripts/demo`: host and cloud of the lab as processes, the built program between them as a user would call it. */

const PREFIX = 'stackferry-demo-';
/** Holds the process id of the demo to which a folder belongs, until it leaves the folder to `--stop`. */
const OWNER = 'owner';
/** Holds those of host and cloud. */
const PEERS = 'pids';
const root = fileURLToPath(new URL('../../', import.meta.url));
const esxiReady = z.object({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  password: z.string(),
  fingerprint: z.string(),
  tree: z.string(),
});
const cloudReady = z.object({ environment: z.record(z.string(), z.string()), directory: z.string() });

async function main(mode: string | undefined): Promise<number> {
  if (mode === '--stop') return stopKept();
  const dir = mkdtempSync(join(tmpdir(), PREFIX));
  const peers: ChildProcess[] = [];
  let end = () => stop(peers, dir);
  const onEnd = () => {
    interrupt.abort();
    running?.kill('SIGTERM'); // a terminal's Ctrl-C has reached it already: the second one ends it at once
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onEnd);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onEnd); // its reader went away
  writeFileSync(join(dir, OWNER), String(process.pid));
  try {
    const [esxi, cloud] = await Promise.all([
      startPeer(peers, dir, 'esxi', ['test/lab/esxi/main.ts'], esxiReady),
      startPeer(peers, dir, 'cloud', ['test/lab/cloud/main.ts', join(dir, 'cloud')], cloudReady),
    ]);
    const env: Record<string, string> = {
      no_proxy: '127.0.0.1',
      STACKFERRY_ESXI: esxi.host,
      STACKFERRY_ESXI_SSH_PORT: String(esxi.port),
      STACKFERRY_ESXI_USER: esxi.user,
      STACKFERRY_ESXI_PASSWORD: esxi.password,
      STACKFERRY_ESXI_FINGERPRINT: esxi.fingerprint,
      STACKFERRY_STATE_DIR: join(dir, 'state'),
      ...cloud.environment,
    };
    const ok = await show(env, esxi.tree, cloud.directory);
    if (mode === '--keep' && ok && !interrupt.signal.aborted) {
      keep(dir, env, peers);
      end = () => Promise.resolve();
    }
    return ok ? 0 : 1;
  } catch (error) {
    if (!interrupt.signal.aborted)
      console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await end();
  }
}

/** Aborted when a signal asks for the end. */
const interrupt = new AbortController();
/** The program, while it runs. */
let running: ChildProcess | undefined;

/** What another cloud or host of the user's would come from: none of it may reach the demo. */
const isOurs = (name: string) => /^(OS|STACKFERRY|GOVC)_|_proxy$/i.test(name);

const statusSchema = z.object({
  vms: z.array(
    z.object({
      volumes: z.array(z.object({ label: z.string(), volume_id: z.string(), capacity_bytes: z.number() })),
    }),
  ),
});

/** The demo itself: what a user would type, what they would see, and whether the bytes are the same. */
async function show(env: Record<string, string>, tree: string, cloudDir: string): Promise<boolean> {
  if ((await program(env, ['inventory', '--vm', 'web01', '--vm', 'db01'])) === null) return false;
  const args = ['migrate', '--vm', 'web01', '--network', 'VM Network=lab-net', '--security-group', 'web_ssh', '--yes'];
  if ((await program(env, args)) === null) return false;
  const status = await program(env, ['status', '-f', 'json'], false);
  const [vm] = status === null ? [] : statusSchema.parse(JSON.parse(status)).vms;
  if (!vm) return false;
  console.log('\nThe cloud has now:');
  await list(env, ['compute'], '/servers/detail', 'servers', ['name', 'status', 'id']);
  await list(env, ['block-storage', 'volumev3'], '/volumes/detail', 'volumes', [
    'name',
    'status',
    'size',
    'bootable',
    'id',
  ]);
  console.log('\nThe bytes, on the host and in the cloud:');
  let equal = vm.volumes.length === 2;
  for (const [index, volume] of vm.volumes.entries()) {
    const [before, after] = await Promise.all([
      sha256(flatFileOf(tree, 'web01', index), volume.capacity_bytes),
      sha256(join(cloudDir, 'volumes', `volume-${volume.volume_id}`), volume.capacity_bytes),
    ]);
    equal &&= before === after;
    const verdict = before === after ? 'equal' : 'DIFFERENT';
    console.log(`${volume.label}  ${volume.capacity_bytes} bytes  ${verdict}  sha256 ${after}`);
  }
  return equal;
}

/** Runs the built program; its stdout if it succeeded. */
async function program(env: Record<string, string>, args: string[], shown = true): Promise<string | null> {
  const line = args.map((word) => (/^[\w./=-]+$/.test(word) ? word : `'${word}'`)).join(' ');
  if (interrupt.signal.aborted) return null;
  if (shown) console.log(`\n$ stackferry ${line}`);
  const inherited = Object.entries(process.env).filter(([name]) => !isOurs(name));
  const child = spawn(process.execPath, [join(root, 'dist/cli.js'), ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['inherit', 'pipe', shown ? 'inherit' : 'ignore'],
  });
  running = child;
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (shown) process.stdout.write(chunk);
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  running = undefined;
  return code === 0 ? out : null;
}

/** Starts a peer and reads the line it prints when it is up. */
async function startPeer<T>(
  peers: ChildProcess[],
  dir: string,
  name: string,
  args: string[],
  ready: z.ZodType<T>,
): Promise<T> {
  const log = join(dir, `${name}.log`);
  const out = join(dir, `${name}.json`);
  // Files, not pipes: with --keep the peer outlives us and must not write into a closed pipe.
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd: root,
    detached: true,
    env: { ...process.env, TMPDIR: dir }, // so that nothing of it can stay elsewhere
    stdio: ['ignore', openSync(out, 'w'), openSync(log, 'w')],
  });
  peers.push(child);
  appendFileSync(join(dir, PEERS), `${child.pid ?? ''}\n`);
  for (let tries = 0; tries < 900 && isAlive(child) && !interrupt.signal.aborted; tries++) {
    const text = readFileSync(out, 'utf8');
    const end = text.indexOf('\n');
    if (end > 0) return ready.parse(JSON.parse(text.slice(0, end)));
    await sleep(100);
  }
  const said = readFileSync(log, 'utf8');
  throw new Error(`the embedded ${name} did not start: ${/^\w*Error: (.*)$/m.exec(said)?.[1] ?? said}`);
}

const isAlive = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

function keep(dir: string, env: Record<string, string>, peers: readonly ChildProcess[]): void {
  // A Node of this checkout alone (see scripts/lib/setup.sh) is not the one that a shell of the user's would take.
  const node = dirname(process.execPath);
  const path = node.startsWith(root) ? [`export PATH=${quoted(node)}:"$PATH"`] : [];
  const others = Object.keys(process.env).filter((name) => isOurs(name) && !(name in env));
  const lines = [
    ...(others.length === 0 ? [] : [`unset ${others.sort().join(' ')}`]),
    ...path,
    ...Object.entries(env).map(([key, value]) => `export ${key}=${quoted(value)}`),
  ];
  writeFileSync(join(dir, 'env'), `${lines.join('\n')}\n`, { mode: 0o600 });
  rmSync(join(dir, OWNER));
  for (const peer of peers) peer.unref();
  console.log(`\nHost and cloud are left running. To use them:\n\n${lines.join('\n')}\n`);
  console.log(`The same in one line: . ${dir}/env`);
  console.log(`Then: ${join(root, 'dist/cli.js')} inventory     End them: scripts/demo --stop`);
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

async function stop(peers: readonly ChildProcess[], dir: string): Promise<void> {
  await Promise.all(
    peers.map(async (peer) => {
      if (!isAlive(peer)) return;
      const ended = new Promise((resolve) => peer.once('exit', resolve));
      const late = new AbortController();
      peer.kill('SIGTERM');
      void sleep(10_000, undefined, { signal: late.signal }).then(
        () => peer.kill('SIGKILL'),
        () => undefined,
      );
      await ended;
      late.abort();
    }),
  );
  rmSync(dir, { recursive: true, force: true });
}

async function stopKept(): Promise<number> {
  let ended = 0;
  for (const name of readdirSync(tmpdir()).filter((item) => item.startsWith(PREFIX))) {
    const dir = join(tmpdir(), name);
    if (commandLine(Number(textOf(dir, OWNER))).includes('test/lab/demo.ts')) continue; // a demo that runs now
    if (!isMine(dir)) continue;
    const pids = textOf(dir, PEERS).split('\n').filter(Boolean);
    for (const pid of pids.map(Number)) {
      // The number may have gone to another process since.
      if (!commandLine(pid).includes('test/lab/')) continue;
      process.kill(pid, 'SIGTERM');
      for (let tries = 0; tries < 100 && commandLine(pid) !== ''; tries++) await sleep(100);
    }
    rmSync(dir, { recursive: true, force: true });
    console.log(`ended ${name}`);
    ended += 1;
  }
  if (ended === 0) console.log('no demo was left running');
  return 0;
}

/** What a file of a demo's folder holds; nothing where it is not there. */
function textOf(dir: string, file: string): string {
  try {
    return readFileSync(join(dir, file), 'utf8');
  } catch {
    return '';
  }
}

const isMine = (dir: string) => statSync(dir).uid === process.getuid?.();

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** The nth flat extent of a VM of the sample host, below /vmfs/volumes/UUID. */
function flatFileOf(tree: string, vm: string, index: number): string {
  const volumes = join(tree, 'vmfs/volumes');
  for (const volume of readdirSync(volumes)) {
    if (readdirSync(join(volumes, volume)).includes(vm)) {
      return join(volumes, volume, vm, `${vm}${index === 0 ? '' : `_${index}`}-flat.vmdk`);
    }
  }
  throw new Error(`no folder of ${vm} under ${volumes}`);
}

async function sha256(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { end: bytes - 1 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

const tokenSchema = z.object({
  token: z.object({
    catalog: z.array(
      z.object({ type: z.string(), endpoints: z.array(z.object({ interface: z.string(), url: z.string() })) }),
    ),
  }),
});

/** Lists resources straight from the API, without the program: an independent look. */
async function list(
  env: Record<string, string>,
  types: string[],
  path: string,
  key: string,
  fields: string[],
): Promise<void> {
  const user = {
    name: env['OS_USERNAME'],
    domain: { name: env['OS_USER_DOMAIN_NAME'] },
    password: env['OS_PASSWORD'],
  };
  const project = { name: env['OS_PROJECT_NAME'], domain: { name: env['OS_PROJECT_DOMAIN_NAME'] } };
  const login = await fetch(`${env['OS_AUTH_URL'] ?? ''}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope: { project } } }),
  });
  const token = login.headers.get('x-subject-token') ?? '';
  const { catalog } = tokenSchema.parse(await login.json()).token;
  const endpoints = catalog.find((item) => types.includes(item.type))?.endpoints ?? [];
  const url = endpoints.find((item) => item.interface === 'public')?.url ?? '';
  const answer = await fetch(`${url}${path}`, { headers: { 'x-auth-token': token } });
  const rows = z.record(z.string(), z.array(z.record(z.string(), z.unknown()))).parse(await answer.json())[key] ?? [];
  for (const row of rows) console.log(`${key.slice(0, -1)}  ${fields.map((field) => String(row[field])).join('  ')}`);
}

const code = await main(process.argv[2]);
process.exitCode = interrupt.signal.aborted ? 130 : code;
