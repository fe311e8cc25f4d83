import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPlace, type BenchDisk, type BenchPlace, type CpuSeconds } from './bench/place.js';

/** `scripts/bench copy [--json] [--rounds N]`: ways of moving one disk, side by side in one run. Ratios, no verdicts. */

const json = process.argv.includes('--json');
const roundsAt = process.argv.indexOf('--rounds');
const rounds = roundsAt < 0 ? 3 : Math.max(1, Number(process.argv[roundsAt + 1]));
const subject = fileURLToPath(new URL('bench/subject.mjs', import.meta.url));

interface Run {
  seconds: number;
  rss_mib?: number;
  read_bytes?: number;
  /** CPU seconds of the way itself, of the sshd that it read from and of the store. */
  cpu_s?: CpuSeconds;
  /** CPU seconds of the hashes alone. */
  hash_cpu_s?: number;
}

const place = await openPlace();
try {
  main(place);
} finally {
  place.close();
}

function main({ dir, ssh, store, disk, cpu }: BenchPlace): void {
  const thin = disk('thin', 4096, 1014, 240);
  const large = disk('large', 65_536, 1014, 240);
  const full = disk('full', 1024, 1024, 1);
  const sshWords = [
    '-i',
    ssh.keyFile,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'LogLevel=ERROR',
    '-o',
    'IdentitiesOnly=yes',
  ];
  const at = `${ssh.user}@127.0.0.1`;
  const port = String(ssh.port);
  const scratch = join(dir, 'scratch');

  const ours = (of: BenchDisk, task: Record<string, unknown>): Run =>
    JSON.parse(
      execFileSync(process.execPath, [subject, JSON.stringify({ ssh, url: store, disk: of, ...task })], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    ) as Run;
  const timed = (...steps: (() => void)[]): Run => {
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch);
    const start = process.hrtime.bigint();
    for (const step of steps) step();
    return { seconds: Number(process.hrtime.bigint() - start) / 1e9 };
  };
  const call = (program: string, ...args: string[]) =>
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const upload = (file: string) => call('curl', '-sf', '-X', 'PUT', '-T', file, store);
  const raw = join(scratch, 'disk.raw');

  const ways: { name: string; run: () => Run }[] = [
    {
      name: 'guide: scp, qemu-img convert -O raw, upload',
      run: () =>
        timed(
          () => call('scp', ...sshWords, '-P', port, `${at}:${thin.flat}`, `${at}:${thin.path}`, scratch),
          () => call('qemu-img', 'convert', '-f', 'vmdk', '-O', 'raw', join(scratch, 'thin.vmdk'), raw),
          () => upload(raw),
        ),
    },
    {
      name: 'nbdkit-ssh and nbdcopy to nowhere',
      run: () =>
        timed(() =>
          call(
            'nbdkit',
            '-U',
            '-',
            'ssh',
            `host=127.0.0.1`,
            `port=${port}`,
            `user=${ssh.user}`,
            `identity=${ssh.keyFile}`,
            'verify-remote-host=false',
            `path=${thin.flat}`,
            '--run',
            'nbdcopy "$uri" null:',
          ),
        ),
    },
    { name: 'one pass, qcow2', run: () => ours(thin, { what: 'one-pass', format: 'qcow2' }) },
    { name: 'one pass, qcow2, no hashing', run: () => ours(thin, { what: 'one-pass', format: 'qcow2', hash: false }) },
    { name: 'one pass, qcow2, 8 streams', run: () => ours(thin, { what: 'one-pass', format: 'qcow2', streams: 8 }) },
    { name: 'one pass, qcow2, of 64 GiB capacity', run: () => ours(large, { what: 'one-pass', format: 'qcow2' }) },
    { name: 'one pass, raw', run: () => ours(thin, { what: 'one-pass', format: 'raw' }) },
    {
      name: "1 GiB, full: OpenSSH's cat, aes128-gcm",
      run: () =>
        timed(() => call('ssh', ...sshWords, '-p', port, '-c', 'aes128-gcm@openssh.com', at, `cat ${full.flat}`)),
    },
    {
      name: '1 GiB, full: our reader, one stream',
      run: () => ours(full, { what: 'read', all: true, streams: 1, trustMap: 'never' }),
    },
    {
      name: '1 GiB, full: our reader, four streams',
      run: () => ours(full, { what: 'read', all: true, streams: 4, trustMap: 'never' }),
    },
    {
      name: 'qemu-img convert raw to qcow2, in cache',
      run: () => timed(() => call('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', thin.flat, join(scratch, 'q'))),
    },
    {
      name: 'our qcow2 encoder, from the same file',
      run: () => {
        timed(() => undefined); // an empty scratch folder
        return ours(thin, { what: 'encode', source: thin.flat, target: join(scratch, 'ours'), ranges: thin.ranges });
      },
    },
    { name: 'SHA-256 and SHA-512 alone, of as much', run: () => ours(thin, { what: 'hash' }) },
  ];
  const runs = new Map<string, Run[]>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of ways) {
      const before = cpu();
      const figures = run();
      const after = cpu();
      const cpu_s = {
        program: hundredths(after.program - before.program),
        sshd: hundredths(after.sshd - before.sshd),
        store: hundredths(after.store - before.store),
      };
      runs.set(name, [...(runs.get(name) ?? []), { ...figures, cpu_s }]);
      if (!json) process.stderr.write(`round ${round + 1} of ${rounds}: ${name}\n`);
    }
  }
  const seconds = (name: string) => median((runs.get(name) ?? []).map((run) => run.seconds));
  const ratio = (name: string, to: string) => hundredths(seconds(name) / seconds(to));
  const spent = (name: string, part: keyof CpuSeconds) =>
    median((runs.get(name) ?? []).map(({ cpu_s }) => cpu_s?.[part] ?? 0));
  const spentInAll = (name: string) => spent(name, 'program') + spent(name, 'sshd') + spent(name, 'store');
  const [
    guide = '',
    nbd = '',
    qcow2 = '',
    plain = '',
    eight = '',
    wide = '',
    rawWay = '',
    cat = '',
    one = '',
    four = '',
    convert = '',
    encode = '',
    hashes = '',
  ] = ways.map(({ name }) => name);
  const read = median((runs.get(qcow2) ?? []).map((run) => run.read_bytes ?? 0));
  const figures = [
    ['qcow2 in one pass / the guide', ratio(qcow2, guide), 0.25],
    ['raw in one pass / the guide', ratio(rawWay, guide), 0.33],
    ['qcow2 in one pass / nbdkit-ssh and nbdcopy', ratio(qcow2, nbd), 0.5],
    ['bytes read / bytes allocated', Math.round((read / thin.allocated) * 1000) / 1000, 1.02],
    ['peak RSS with 8 streams, MiB', Math.round(median((runs.get(eight) ?? []).map((run) => run.rss_mib ?? 0))), 250],
    ['64 GiB capacity / 4 GiB capacity', ratio(wide, qcow2), 1.15],
    ['with hashing / without', ratio(qcow2, plain), 1.2],
    ["rate of one stream / OpenSSH's cat", ratio(cat, one), 0.8],
    ["rate of four streams / OpenSSH's cat", ratio(cat, four), 1.1],
    ['qcow2 encoder / qemu-img convert', ratio(encode, convert), 1.5],
  ] as const;
  // Where every core is busy, a second of CPU more is a second of a core's time more, on whatever thread it is.
  const hashing = median((runs.get(hashes) ?? []).map((run) => run.hash_cpu_s ?? 0));
  const least = hundredths((spentInAll(plain) + hashing) / spentInAll(plain));
  if (json) {
    const all = Object.fromEntries([...runs].map(([name, list]) => [name, list]));
    process.stdout.write(
      `${JSON.stringify({ rounds, runs: all, figures: figures.map(([name, value, bar]) => ({ name, value, bar })), least_with_hashing: least })}\n`,
    );
    return;
  }
  const cores = availableParallelism();
  const column = (value: number) => value.toFixed(2).padStart(8);
  process.stdout.write(
    '                CPU seconds of              cores\n  SECONDS PROGRAM    SSHD   STORE   BUSY OF\n',
  );
  for (const { name } of ways) {
    const parts = (['program', 'sshd', 'store'] as const).map((part) => column(spent(name, part))).join('');
    const busy = column(spentInAll(name) / seconds(name)).slice(1);
    process.stdout.write(` ${column(seconds(name))}${parts}${busy}  ${cores}  ${name}\n`);
  }
  process.stdout.write('\n   RATIO     BAR\n');
  for (const [name, value, bar] of figures) {
    process.stdout.write(`${String(value).padStart(8)}${String(bar).padStart(8)}  ${name}\n`);
  }
  process.stdout.write(`\nWith hashing / without is at the least ${least} where all cores are busy without it.\n`);
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
