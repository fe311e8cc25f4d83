import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isPartial, nextCommand } from '../../../src/migration/next-command.js';
import { RunStore } from '../../../src/migration/state/store.js';
import { standingClock, temporaryFolders } from '../helpers.js';
import { closed, plantRun } from '../planted-runs.js';
import { disk, vm } from '../sample-vm.js';

const folder = temporaryFolders();
const two = vm({ disks: [disk(), disk({ label: 'scsi0:1' })] });

async function stateOf(given: string[] | null) {
  const store = new RunStore(join(await folder(), 'state'), standingClock());
  const files = given && { given, raw: false, cacert: null, hardware: null };
  const place = { host: 'files', port: 0, user: '', outputDir: '/tmp/x', ownDir: true };
  const source = { ...place, vm: two, labels: ['scsi0:0'], ...(files && { package: files }) };
  const lines = [{ kind: 'plan', section: 'source', value: source }, closed('failed')];
  await plantRun(store, 'r1', { vm: two, command: 'import', lines });
  return store.read('r1');
}

it.each<[string, string[] | null, string | null]>([
  ['files', ['/srv/a b.ova'], 'stackferry migrate --resume --run r1'],
  ['a URL, whose link may have ended', ['https://x.example/a.ova'], 'stackferry import https://x.example/a.ova'],
  ['stdin, which is gone', ['-'], 'stackferry import - < FILE.ova'],
  ['nothing that is known yet', null, null],
])('goes on with an import of %s', async (_what, given, command) => {
  const state = await stateOf(given);
  expect(nextCommand(state)).toBe(command);
  // --skip-disk was a word about the server's disks.
  expect(isPartial(state)).toBe(false);
});
