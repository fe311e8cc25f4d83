/** An ESXi host over SSH: its inventory, the power of its VMs, and what `doctor` asks. */
export type { ReadRate, ShellTimeouts } from './about.js';
export { hostOver, openHost, type EsxiHost, type InventoryOptions } from './host.js';
export { absolutePath } from './inventory/paths.js';
export {
  diskControllers,
  diskKinds,
  diskModes,
  inventorySchema,
  nicModels,
  type DatastoreRecord,
  type DiskProblem,
  type DiskRecord,
  type HostRecord,
  type Inventory,
  type NetworkRecord,
  type NicRecord,
  type SkippedRecord,
  type VmFacts,
  type VmRecord,
} from './inventory/schema.js';
export { selectVms, type Selectable } from './inventory/select.js';
export { parseVmfsLock, type VmfsLock } from './parse/vmkfstools-lock.js';
export type { PowerState } from './power-state.js';
