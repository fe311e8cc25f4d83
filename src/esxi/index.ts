/** An ESXi host over SSH: its inventory, the power of its VMs, and what `doctor` asks. */
export type { ReadRate, ShellTimeouts } from './about.js';
export type { DiskDoor, OpenDisk, SourceDisk, SourceDisks } from './disk-door.js';
export { hostOver, openHost, type EsxiHost, type InventoryOptions } from './host.js';
export { readVmxMachine, type FoundDisk, type VmxMachine } from './inventory/from-vmx.js';
export { absolutePath } from './inventory/paths.js';
export type {
  DatastoreRecord,
  DiskProblem,
  DiskRecord,
  HostRecord,
  Inventory,
  NetworkRecord,
  NicRecord,
  SkippedRecord,
  VmFacts,
  VmRecord,
} from './inventory/schema.js';
export { fitting, selectVms, withoutSkipped } from './inventory/select.js';
export type { PowerState } from './power-state.js';
