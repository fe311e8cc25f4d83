/** The embedded ESXi host: a tree of files and shims, and an ssh2 server in front of it. See README.md here. */
export type * from './spec.js';
export { sampleHost, manyVms, vm, MIB, type SampleOptions } from './sample.js';
export { buildTree, type BuiltTree, type BuiltVm, type BuiltDisk } from './tree/build.js';
export { diskContent, layerContent } from './tree/content.js';
export { startHost, type EmbeddedHost, type HostOptions, type HostFaults, type LoggedCommand } from './host.js';
