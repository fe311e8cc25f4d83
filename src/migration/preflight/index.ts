export { checkImageSize } from './image-size.js';
export { checkQuota, type QuotaNeed } from './quota.js';
export { defaultSecurityGroupWarning } from './security-group.js';
export type { PreflightWarning } from './warning.js';
