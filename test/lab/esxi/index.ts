/** The embedded ESXi host: a tree of files and shims, and an ssh2 server in front of it. See README.md. */
export type * from './spec.js';
export { sampleHost, manyVms, vm, MIB, ODD_NAME, ODD_DATASTORE, type SampleOptions } from './sample.js';
export { buildTree, type BuiltTree, type BuiltVm, type BuiltDisk } from './tree/build.js';
export { diskContent, layerContent } from './tree/content.js';
export { startHost, type EmbeddedHost, type HostOptions } from './host.js';
export type { HostFaults } from './ssh/faults.js';
export type { LoggedCommand } from './ssh/channel.js';
