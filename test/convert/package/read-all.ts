/** Reads the packages that are named, whole, and prints how each ended: a program of its own, so that it can be traced. */
import { StackferryError } from '../../../src/core/index.js';
import { readAll } from './packages.js';

for (const given of process.argv.slice(2)) {
  const ended = await readAll(given).then(
    () => 'read',
    (error: unknown) => (error instanceof StackferryError ? error.code : String(error)),
  );
  console.log(ended);
}
