/** Copies of running VMs: a snapshot of ours freezes the disks, and clones of them are read. */
export { cloneDisk } from './clone-disk.js';
export { findLeftovers, type HostLeftover } from './find.js';
export { assertCloneable } from './fitness.js';
export { makeFolder, removeFolder } from './folder.js';
export { SNAPSHOT_TIMEOUT_MS, hostName } from './names.js';
export { createSnapshot, readSnapshots, removeSnapshot } from './snapshot.js';
export { cloneSpace } from './space.js';
