/** Volumes at this machine: by Nova, where it is a server of the cloud; by os-brick, where it reaches the storage. */
export { BackendDoor, connectorTo } from './backend-door.js';
export { Brick, notRoot } from './brick.js';
export { clearAttachments } from './clear.js';
export { findDevice, type DeviceRoots, type FoundDevice } from './device.js';
export type { AttachedVolume, VolumeDoor } from './door.js';
export { ServerDoor } from './server-door.js';
export { machineIds, thisServer } from './this-server.js';
export { VolumeTarget } from './volume-target.js';
