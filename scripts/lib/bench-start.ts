import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** `scripts/bench start [--json]`: what the program costs before it does anything. */

const BAR_S = 0.25;
const WARM_UPS = 2;
const RUNS = 9;
const root = fileURLToPath(new URL('../../', import.meta.url));
const subjects = [
  { name: 'node -e 0', args: ['-e', '0'], judged: false },
  { name: 'stackferry --version', args: ['dist/cli.js', '--version'], judged: true },
  { name: 'stackferry --help', args: ['dist/cli.js', '--help'], judged: true },
].map((subject) => ({ ...subject, cpu: [] as number[], wall: [] as number[] }));

/** Seconds of one run, by bash's `time`: Node tells the CPU time of no child. Throws where the run fails. */
function measure(args: readonly string[]): { cpu: number; wall: number } {
  const script = `exec 3>&2; TIMEFORMAT='%3U %3S %3R'; { time "$@" >/dev/null 2>&3; } 2>&1`;
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C' };
  // What a shell may carry for Node (loaders, coverage) is not the program's cost.
  delete env['NODE_OPTIONS'];
  delete env['NODE_V8_COVERAGE'];
  const out = execFileSync('bash', ['-c', script, 'bash', process.execPath, ...args], {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  const [user, system, wall] = out.trim().split(' ').map(Number);
  if (user === undefined || system === undefined || wall === undefined || Number.isNaN(user + system + wall)) {
    throw new Error(`no times in what bash printed for ${args.join(' ')}: ${out}`);
  }
  return { cpu: user + system, wall };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

// In turns, so that what else the machine does falls on all alike.
for (let turn = 0; turn < WARM_UPS + RUNS; turn++) {
  for (const subject of subjects) {
    const { cpu, wall } = measure(subject.args);
    if (turn < WARM_UPS) continue;
    subject.cpu.push(cpu);
    subject.wall.push(wall);
  }
}
const bare = median(subjects[0]?.cpu ?? []);
const results = subjects.map(({ name, judged, cpu, wall }) => ({
  name,
  cpu_median_s: round(median(cpu)),
  cpu_min_s: round(Math.min(...cpu)),
  cpu_max_s: round(Math.max(...cpu)),
  over_node_s: round(median(cpu) - bare),
  wall_median_s: round(median(wall)),
  within_bar: judged ? median(cpu) < BAR_S : null,
}));

if (process.argv.includes('--json')) {
  const facts = { bench: 'start', node: process.version, runs: RUNS, warm_ups: WARM_UPS, bar_cpu_s: BAR_S, results };
  console.log(JSON.stringify(facts, null, 2));
} else {
  const cell = (value: number) => value.toFixed(3).padStart(8);
  console.log(`CPU seconds, user + system: median of ${RUNS} after ${WARM_UPS} warm-ups, Node ${process.version}\n`);
  console.log(`${''.padEnd(22)}  MEDIAN     MIN     MAX   +NODE    WALL  BAR ${BAR_S}`);
  for (const row of results) {
    const cells = [row.cpu_median_s, row.cpu_min_s, row.cpu_max_s, row.over_node_s, row.wall_median_s].map(cell);
    const verdict = row.within_bar === null ? '' : row.within_bar ? 'within' : 'OVER';
    console.log(`${row.name.padEnd(22)}${cells.join('')}  ${verdict}`.trimEnd());
  }
}
