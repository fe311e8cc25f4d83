/** A host or vCenter behind its API. */
export { openApiHost, type ApiHost } from './host.js';
export { folderDisks } from '../api-disks.js';
export type { SoapTarget } from './target.js';
