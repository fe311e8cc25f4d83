/** The guide for one VM: its migration as the commands that a person would type, as a page and as a script. */
export { guideOf } from './guide-of.js';
export { guideOfPlan, guideOfVm, type GuideOrigin } from './make-guide.js';
export { guidePage } from './page.js';
export { guideOfRun } from './run-guide.js';
export { guideScript } from './script.js';
export type { DiskFiles } from './disk-files.js';
export type { GuideCommand, GuideInput, GuideServer, GuideStep } from './types.js';
