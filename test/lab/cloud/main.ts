/**
 * The embedded cloud as a process: `tsx test/lab/cloud/main.ts DIRECTORY [--port N] [--tls] [--keep]`.
 * Prints one JSON line when it is ready, and stops on SIGTERM or SIGINT. `--keep` keeps its state for the next start.
 */
import { parseArgs } from 'node:util';
import { CREDENTIALS } from './accounts.js';
import { startCloud } from './cloud.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '0' },
    tls: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const directory = positionals[0];
if (directory === undefined || positionals.length > 1 || !/^\d+$/.test(values.port)) {
  process.stderr.write('usage: main.ts DIRECTORY [--port N] [--tls] [--keep]\n');
  process.exit(2);
}
const cloud = await startCloud({ directory, port: Number(values.port), tls: values.tls, persist: values.keep });
const environments = Object.fromEntries(CREDENTIALS.map((kind) => [kind, cloud.environment(kind)]));
process.stdout.write(
  `${JSON.stringify({
    auth_url: cloud.authUrl,
    url: cloud.url,
    pid: process.pid,
    directory,
    clouds_yaml: cloud.cloudsYaml,
    ca_file: cloud.caFile,
    environment: cloud.environment(),
    environments,
  })}\n`,
);
let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    void cloud.stop().then(() => process.exit(0));
  });
}
