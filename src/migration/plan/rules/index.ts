export { applyRules, projectOf, typeWith } from './apply.js';
export { idleRules } from './idle.js';
export { mappingRules, rulesJsonSchema, type MappingRules } from './schema.js';
export { expandTemplate, tellsApart } from './template.js';
export { parseRules } from './text.js';
