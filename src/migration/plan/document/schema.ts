import { z } from 'zod';
import { diskKinds } from '../../../esxi/inventory/schema.js';
import { propertiesWith, propertyKey } from '../image-words.js';
import { parseWaitFor } from '../options.js';
import { cloudSection } from '../sections.js';
import { hostnameWord, nameWord, serverMetadata, serverTags } from '../words.js';

/**
 * A plan as a file: what moves where, with every choice resolved, in words that a person can edit. Names stand for ids
 * (an id only where a name fits several), so that a plan reads well and still fits when a network is made anew.
 */

/** The version that this program writes; it reads all up to it. */
export const PLAN_VERSION = 1;

const text = z.string().min(1);
const label = z.string().regex(/^(ide|scsi|sata|nvme)\d+:\d+$/, 'a disk label as scsi0:0');
/** vSphere's largest disk has 62 TiB; what is beyond 1 PiB is no disk. */
const size = z
  .number()
  .int()
  .min(0)
  .max(1024 ** 5);
const nicLabel = z.string().regex(/^ethernet\d+$/, 'a NIC label as ethernet0');

/** The VM as it was when the plan was made: what `migrate` compares before it begins. */
export const seenVm = z.strictObject({
  id: text.describe('The vmid on the host'),
  name: z.string(),
  uuid: z.string().nullable().describe('The BIOS uuid; a VM with another one is another VM'),
  power_state: z.enum(['on', 'off', 'suspended']).nullable(),
  guest_id: z.string().nullable(),
  cpus: z.number().int().min(1).nullable(),
  memory_mib: z.number().int().min(1).nullable(),
  firmware: z.enum(['bios', 'efi']).nullable(),
  secure_boot: z.boolean().nullable(),
  snapshots: z.number().int().min(0),
  disks: z.array(
    z.strictObject({
      label,
      path: z.string().nullable(),
      capacity_bytes: size.nullable(),
      allocated_bytes: size.nullable(),
      kind: z.enum(diskKinds).nullable().default(null).describe('How its newest file is built; null in older plans'),
      chain: z.array(z.string()).default([]).describe('Its files from the base to the newest; [] in older plans'),
    }),
  ),
  nics: z.array(
    z.strictObject({
      label: nicLabel,
      model: z.string().nullable(),
      mac: z.string().nullable(),
      network: z.string().nullable(),
      vlan_id: z.number().int().nullable().default(null),
      ip_addresses: z.array(z.string()).default([]),
    }),
  ),
});

export const plannedImage = z.strictObject({
  label,
  name: nameWord,
  format: z.enum(['raw', 'qcow2']),
  min_disk_gib: z.number().int().min(0),
  properties: propertiesWith(propertyKey).describe('Image properties: hw_disk_bus, os_type …'),
});

export const plannedVolume = z.strictObject({
  label,
  name: nameWord,
  size_gib: z.number().int().min(1),
  type: text.nullable().describe("Cinder volume type; null: the cloud's default"),
  zone: text.nullable().describe('Availability zone of the volume; null: the cloud chooses'),
  boot: z.boolean(),
});

export const plannedPort = z.strictObject({
  label: nicLabel,
  name: nameWord,
  network: text.describe('Network by name or id'),
  addresses: z
    .array(z.strictObject({ subnet: text.exactOptional(), ip: text.exactOptional() }))
    .nullable()
    .describe('Subnet (name or id) and address; null: Neutron chooses one per family'),
  mac: z
    .string()
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'a MAC address in lower case')
    .nullable()
    .describe('null: Neutron chooses'),
  mac_required: z.boolean().describe('false: where the MAC is taken, Neutron chooses one'),
  security_groups: z.array(text).nullable().describe("By name or id; null: the project's default group; []: none"),
});

export const plannedServer = z.strictObject({
  name: nameWord,
  hostname: hostnameWord
    .nullable()
    .exactOptional()
    .describe('For the guest’s metadata; left out: made of the name; null: Nova makes one of the name'),
  flavor: text.describe('By name or id'),
  create_flavor: z
    .strictObject({ vcpus: z.number().int().min(1), ram_mib: z.number().int().min(1) })
    .nullable()
    .default(null)
    .describe('Make the flavor, of this size, where it is not there'),
  zone: text.nullable(),
  key_name: text.nullable(),
  config_drive: z.boolean(),
  start: z.boolean().describe('false: all is made ready, but no server (Nova starts whatever it makes)'),
  metadata: serverMetadata,
  tags: serverTags.default([]),
});

const waitFor = z.string().refine(
  (value) => {
    try {
      return Boolean(parseWaitFor(value));
    } catch {
      return false;
    }
  },
  { error: 'one of console, ping, tcp:PORT, active' },
);

export const plannedVm = z.strictObject({
  vm: seenVm.describe('The VM when the plan was made. migrate refuses where it has changed materially'),
  skip_disks: z.array(label).describe('Disks that stay behind on purpose'),
  via: z
    .enum(['auto', 'glance', 'cinder'])
    .exactOptional()
    .describe('How the bytes get into the volumes: through images, or written to the attached volumes; auto if unset'),
  images: z.array(plannedImage).min(1),
  volumes: z.array(plannedVolume).min(1).describe("In the guest's order"),
  ports: z.array(plannedPort).describe("In the guest's order"),
  server: plannedServer,
  wait_for: waitFor.describe('What proves the boot: console, ping, tcp:PORT or active'),
});

export const planDocument = z.strictObject({
  version: z.literal(PLAN_VERSION),
  created_at: z.string(),
  inventory_saved_at: z.iso
    .datetime({ offset: true })
    .nullable()
    .exactOptional()
    .describe('When the saved inventory was read that this was made of; null: not known; unset: the host was asked'),
  source: z.strictObject({ host: text, port: z.number().int().min(1).max(65535), user: text }),
  cloud: cloudSection,
  accept: z
    .array(z.string().regex(/^[a-z]+\.[a-z_]+(:.+)?$/, 'CODE or CODE:SUBJECT'))
    .describe('Warnings and overridable blockers taken knowingly: CODE or CODE:SUBJECT'),
  vms: z.array(plannedVm).min(1),
});

export type SeenVm = z.infer<typeof seenVm>;
export type PlannedVm = z.infer<typeof plannedVm>;
export type PlanDocument = z.infer<typeof planDocument>;

/** The schema of plan files as JSON Schema (draft 2020-12), for editors. */
export function planJsonSchema(): object {
  const schema = z.toJSONSchema(planDocument, { io: 'input' });
  return { $id: PLAN_SCHEMA_URL, title: 'stackferry plan', ...schema };
}

/** The name of the schema. Plans name a file of it beside them; see `stackferry plan --schema`. */
export const PLAN_SCHEMA_URL = 'urn:stackferry:plan:1';
