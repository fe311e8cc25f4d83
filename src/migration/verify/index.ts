/** Looks at disks again, at any time: on the host, in the cloud, in files. Reads only. */
export type { Check } from './check.js';
export { isThere } from './file.js';
export { verifyFiles, type Against } from './files.js';
export { verdictOf, type Verdict } from './verdict.js';
export { verifyRun } from './run.js';
