import { z } from 'zod';

/**
 * The typed inventory of a host. Field names and meanings are the contract of `inventory -f json` (findings are added
 * by src/migration); `facts` holds what finding rules need beyond it and is never printed.
 */

export const hostSchema = z.strictObject({
  name: z.string().nullable(),
  /** Without its version: `VMware ESXi`. */
  product: z.string().nullable(),
  version: z.string().nullable(),
  /** Digits only: `24677879`. */
  build: z.string().nullable(),
  /** The hardware uuid, as summary.hardware.uuid in SOAP. */
  uuid: z.string().nullable(),
  /** The edition key (`esxBasic`, `eval` …), never the serial. */
  license: z.string().nullable(),
});

export const datastoreSchema = z.strictObject({
  name: z.string(),
  uuid: z.string().nullable(),
  type: z.string().nullable(),
  capacity_bytes: z.number().nullable(),
  free_bytes: z.number().nullable(),
});

export const networkSchema = z.strictObject({
  name: z.string(),
  /** 4095 is a trunk. */
  vlan_id: z.number().nullable(),
  vswitch: z.string().nullable(),
});

export const diskControllers = ['pvscsi', 'lsilogic', 'lsisas1068', 'buslogic', 'ahci', 'nvme', 'ide'] as const;
export const diskKinds = [
  'flat',
  'vmfs_sparse',
  'se_sparse',
  'rdm_virtual',
  'rdm_physical',
  'stream_optimized',
  'sparse',
] as const;
export const diskModes = [
  'persistent',
  'independent_persistent',
  'independent_nonpersistent',
  'nonpersistent',
  'undoable',
  'append',
] as const;

export const diskSchema = z.strictObject({
  /** As in the .vmx: `scsi0:0`, `sata0:2`. */
  label: z.string(),
  controller: z.enum(diskControllers).nullable(),
  /** Datastore form of the newest descriptor: `[datastore1] web 01/web 01.vmdk`. */
  path: z.string().nullable(),
  capacity_bytes: z.number().nullable(),
  /** What the datastore holds for the whole chain. */
  allocated_bytes: z.number().nullable(),
  kind: z.enum(diskKinds).nullable(),
  mode: z.enum(diskModes),
  /** Multi-writer, or on a shared bus. */
  shared: z.boolean(),
  /** Datastore paths from the base to the newest. */
  chain: z.array(z.string()),
});

export const nicModels = ['vmxnet3', 'e1000', 'e1000e', 'vlance', 'flexible', 'sriov', 'pvrdma'] as const;

export const nicSchema = z.strictObject({
  label: z.string(),
  model: z.enum(nicModels).nullable(),
  mac: z.string().nullable(),
  network: z.string().nullable(),
  vlan_id: z.number().nullable(),
  connected: z.boolean().nullable(),
  ip_addresses: z.array(z.string()),
});

/** What is wrong with a disk, found while its descriptors and files were read. Becomes a finding on the disk. */
export const diskProblemSchema = z.strictObject({
  code: z.enum([
    'disk.missing',
    'disk.chain_broken',
    'disk.locked',
    'disk.bad_descriptor',
    'disk.too_large',
    'disk.unsupported',
  ]),
  message: z.string(),
});

/** What the rules need beyond the contract's fields. Null or absent means the host did not say. */
export const vmFactsSchema = z.object({
  template: z.boolean(),
  toolsRunning: z.boolean().nullable(),
  toolsInstalled: z.boolean().nullable(),
  faultTolerance: z.boolean(),
  cpuHotAdd: z.boolean(),
  memoryHotAdd: z.boolean(),
  latencySensitivity: z.string().nullable(),
  consolidationNeeded: z.boolean(),
  questionPending: z.boolean(),
  diskEnableUuid: z.boolean(),
  /** Datastore of the .vmx, and of each disk by label (the newest descriptor's). */
  vmxDatastore: z.string().nullable(),
  diskDatastores: z.record(z.string(), z.string()),
  diskProblems: z.record(z.string(), z.array(diskProblemSchema)),
  /** Disks whose data lies on a raw device, by label: also those that have a snapshot, whose own kind is the delta's. */
  rawDisks: z.record(z.string(), z.enum(['rdm_virtual', 'rdm_physical'])).default({}),
  /** Labels of NICs whose MAC was set by hand (`addressType = "static"`). */
  staticMacs: z.array(z.string()),
  /** Labels of NICs that are not connected at power-on. */
  startDisconnectedNics: z.array(z.string()).default([]),
  /** Labels of NICs whose port group or vSwitch allows promiscuous mode. */
  promiscuousNics: z.array(z.string()),
  /** Labels in .vmx words: `pciPassthru0`, `usb.autoConnect.device0`, `serial0`, `parallel0`, `ide1:0`. */
  pciPassthrough: z.array(z.string()),
  vgpus: z.array(z.string()),
  usbDevices: z.array(z.string()),
  serialParallel: z.array(z.string()),
  /** CD drives with a medium connected now or at power-on; floppies likewise. */
  connectedRemovable: z.array(z.string()),
});

export const vmSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  uuid: z.string().nullable(),
  vmx_path: z.string(),
  annotation: z.string().nullable(),
  guest_id: z.string().nullable(),
  hardware_version: z.string().nullable(),
  power_state: z.enum(['on', 'off', 'suspended']).nullable(),
  cpus: z.number().nullable(),
  cores_per_socket: z.number(),
  memory_mib: z.number().nullable(),
  firmware: z.enum(['bios', 'efi']).nullable(),
  secure_boot: z.boolean().nullable(),
  vtpm: z.boolean().nullable(),
  encrypted: z.boolean().nullable(),
  change_tracking: z.boolean(),
  snapshots: z.number(),
  disks: z.array(diskSchema),
  nics: z.array(nicSchema),
  facts: vmFactsSchema,
});

export const skippedSchema = z.strictObject({ id: z.string(), name: z.string().nullable(), reason: z.string() });

export const inventorySchema = z.strictObject({
  host: hostSchema,
  datastores: z.array(datastoreSchema),
  networks: z.array(networkSchema),
  vms: z.array(vmSchema),
  skipped: z.array(skippedSchema),
});

export type HostRecord = z.infer<typeof hostSchema>;
export type DatastoreRecord = z.infer<typeof datastoreSchema>;
export type NetworkRecord = z.infer<typeof networkSchema>;
export type DiskRecord = z.infer<typeof diskSchema>;
export type DiskProblem = z.infer<typeof diskProblemSchema>;
export type NicRecord = z.infer<typeof nicSchema>;
export type VmFacts = z.infer<typeof vmFactsSchema>;
export type VmRecord = z.infer<typeof vmSchema>;
export type SkippedRecord = z.infer<typeof skippedSchema>;
export type Inventory = z.infer<typeof inventorySchema>;
