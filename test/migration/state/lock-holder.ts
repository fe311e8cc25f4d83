import { createInterface } from 'node:readline';
import { lockRun, type RunLock } from '../../../src/migration/state/lock.js';

// A program of its own for lock.test.ts: does what the lines on its stdin say, and says what came of it.
const [path = '', run = ''] = process.argv.slice(2);
const say = (word: string) => process.stdout.write(`${word}\n`);
let lock: RunLock | undefined;
say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'take') {
    try {
      lock = await lockRun(path, run);
      say('held');
    } catch (error) {
      say(`refused ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}`);
    }
  }
  if (line === 'drop') {
    await lock?.release();
    lock = undefined;
    say('free');
  }
}
