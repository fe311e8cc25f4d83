/** Moves the disk files of a powered-off VM from the host to this machine, checked before and after. */
export type { CopiedDisk, CopyOptions, DiskPlan, Door, ExportPlan, PlanOptions } from './types.js';
export { diskFolder } from './local-names.js';
export { totalsOf } from './totals.js';
export { planExport } from './plan.js';
export { copyDisk } from './copy.js';
export { recheckSource } from './recheck.js';
export { shellProbe, type FileProbe, type FileRequest, type ProbeFiles } from './remote-files.js';
