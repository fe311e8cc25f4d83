import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { buildTree, sampleHost, startHost } from './index.js';

// The embedded host as a process: `node --import tsx test/lab/esxi/main.ts [--boot-image RAW] [--port N] [--password P]`.
// Prints one JSON line when it is up; SIGTERM or SIGINT stops it and removes its tree (npx would not pass them on).
const { values } = parseArgs({
  options: { 'boot-image': { type: 'string' }, port: { type: 'string' }, password: { type: 'string' } },
});

async function main(): Promise<void> {
  const dir = await mkdtemp(path.join(tmpdir(), 'stackferry-esxi-'));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    const bootImage = values['boot-image'];
    const tree = await buildTree(dir, sampleHost(bootImage === undefined ? {} : { bootImage }));
    const host = await startHost({
      tree,
      ...(values.port === undefined ? {} : { port: Number(values.port) }),
      ...(values.password === undefined ? {} : { password: values.password }),
    });
    const stop = () =>
      void host
        .close()
        .then(remove)
        .then(() => process.exit(0));
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    const { host: address, port, user, password, fingerprint } = host;
    console.log(JSON.stringify({ host: address, port, user, password, fingerprint, tree: dir }));
  } catch (error) {
    await remove();
    throw error;
  }
}

await main();
