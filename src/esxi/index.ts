export type { EsxiHost, InventoryOptions, PowerState, ReadRate, ShellTimeouts } from './host.js';
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
