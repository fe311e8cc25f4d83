import { parseArgs } from 'node:util';

import { buildTree, sampleHost } from './index.js';

// Writes the sample host's tree: `npx tsx test/lab/esxi/build-main.ts DIR [--boot-image RAW]`.
const { values, positionals } = parseArgs({ options: { 'boot-image': { type: 'string' } }, allowPositionals: true });
const [dir, ...more] = positionals;
if (dir === undefined || more.length > 0) {
  console.error('usage: build-main.ts DIR [--boot-image RAW]');
  process.exit(2);
}
const bootImage = values['boot-image'];
await buildTree(dir, sampleHost(bootImage === undefined ? {} : { bootImage }));
