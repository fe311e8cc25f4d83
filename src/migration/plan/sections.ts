import { z } from 'zod';
import { vmSchema } from '../../esxi/inventory/schema.js';
import { packageAddress } from '../import/address.js';

/**
 * The resolved plan of one VM, in the parts that the steps read. `migrate` resolves all parts before a byte moves; the
 * step commands resolve theirs when they come to it. Each part is journalled, so a resumed run keeps its choices.
 */

export const sourceSection = z.object({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  /** Of an import: its files, whose name stands for the host's. */
  package: packageAddress.exactOptional(),
  vm: vmSchema,
  /** Labels of the disks that move, in the guest's order. */
  labels: z.array(z.string()),
  /** Where the disks are staged (absolute), and whether that folder is the run's own. */
  outputDir: z.string(),
  ownDir: z.boolean(),
});

export const cloudSection = z.object({
  name: z.string(),
  auth_url: z.string(),
  region: z.string().nullable(),
  project_id: z.string(),
  project_name: z.string(),
});

export const imageSection = z.object({
  name: z.string(),
  label: z.string(),
  format: z.enum(['raw', 'qcow2']),
  format_reason: z.string(),
  min_disk_gib: z.number(),
  properties: z.record(z.string(), z.string()),
  /** Of those that a mapping rule sets, which one does: by the property's name. */
  property_reasons: z.record(z.string(), z.string()).exactOptional(),
});

/** How the bytes get into the volumes, once a run. Runs of older programs have none: theirs go through images. */
export const viaSection = z.object({
  way: z.enum(['glance', 'cinder']),
  reason: z.string(),
  /** With `cinder`: the server that this machine is, to which Nova attaches; null: os-brick connects. */
  server_id: z.string().nullable(),
});

export const volumeSection = z.object({
  name: z.string(),
  label: z.string(),
  size_gib: z.number(),
  type: z.string().nullable(),
  /** Which mapping rule chose the type. */
  type_reason: z.string().exactOptional(),
  zone: z.string().nullable(),
  boot: z.boolean(),
});

export const portSection = z.object({
  name: z.string(),
  label: z.string(),
  network_id: z.string(),
  network_name: z.string(),
  /** Why this network: "--network VM Network=prod". */
  reason: z.string(),
  mac: z.string().nullable(),
  /** The MAC was asked for by name, so another one will not do. */
  mac_required: z.boolean(),
  fixed_ips: z.array(z.object({ subnet_id: z.string().optional(), ip_address: z.string().optional() })).nullable(),
  /** Null: the project's default group. */
  security_group_ids: z.array(z.string()).nullable(),
});

export const waitForSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('active') }),
  z.object({ type: z.literal('console') }),
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('tcp'), port: z.number() }),
]);

export const serverSection = z.object({
  name: z.string(),
  hostname: z.string().nullable(),
  flavor_id: z.string(),
  flavor_name: z.string(),
  flavor_reason: z.string(),
  /** Not there yet: made before the server. */
  create_flavor: z.object({ vcpus: z.number(), ram_mib: z.number() }).exactOptional(),
  zone: z.string().nullable(),
  key_name: z.string().nullable(),
  config_drive: z.boolean(),
  start: z.boolean(),
  metadata: z.record(z.string(), z.string()),
  tags: z.array(z.string()).exactOptional(),
});

/** How the boot is to be proved. Apart from the server, so that a resumed run may be satisfied with less. */
export const bootSection = z.object({ wait_for: waitForSchema });

export type SourceSection = z.infer<typeof sourceSection>;
export type CloudSection = z.infer<typeof cloudSection>;
export type ImageSection = z.infer<typeof imageSection>;
export type ViaSection = z.infer<typeof viaSection>;
export type VolumeSection = z.infer<typeof volumeSection>;
export type PortSection = z.infer<typeof portSection>;
export type ServerSection = z.infer<typeof serverSection>;

/** Every part by its name in the journal. */
export const sections = {
  source: sourceSection,
  cloud: cloudSection,
  via: viaSection,
  images: z.array(imageSection),
  volumes: z.array(volumeSection),
  ports: z.array(portSection),
  server: serverSection,
  boot: bootSection,
} as const;

export type SectionName = keyof typeof sections;
export type Section<N extends SectionName> = z.infer<(typeof sections)[N]>;
