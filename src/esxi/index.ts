/** An ESXi host over SSH: its inventory, the power of its VMs, and what `doctor` asks. */
export type { ReadRate, ShellTimeouts } from './about.js';
export type { DiskDoor, OpenDisk, SourceDisk, SourceDisks } from './disk-door.js';
export { flatFile, openEitherDoor, type HostDoors } from './either-door.js';
export { totalsOf } from './export/index.js';
export { hostOver, openHost, type EsxiHost, type InventoryOptions } from './host.js';
export { readVmxMachine, type FoundDisk } from './inventory/from-vmx.js';
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
export { assertReachable } from './reachable.js';
