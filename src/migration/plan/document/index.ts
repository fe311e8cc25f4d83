export { addAcceptances } from './add-accept.js';
export { describeVm, seenOf, type ResolvedVm } from './describe.js';
export { explainVm, type Comment } from './explain.js';
export { changesOf, type VmChange } from './material.js';
export { PLAN_VERSION, planJsonSchema, type PlanDocument, type PlannedVm, type SeenVm } from './schema.js';
export { settlePort, settleServer, settleVm, settleVolume } from './settle.js';
export { parsePlan, writePlan, type PlanText } from './text.js';
