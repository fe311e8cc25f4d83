/** OVF descriptors: what they say of files, disks, networks and virtual machines, checked. */
export { readOvf } from './envelope.js';
export { MAX_OVF_BYTES } from './xml.js';
export type {
  OvfController,
  OvfDevice,
  OvfDisk,
  OvfEnvelope,
  OvfFile,
  OvfMachine,
  OvfMachineDisk,
  OvfNic,
} from './types.js';
