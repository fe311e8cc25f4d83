import { z } from 'zod';
import { propertiesWith, propertyKey } from '../image-words.js';
import { serverMetadata, serverTags } from '../words.js';
import { isCidr } from './cidr.js';

/**
 * Mapping rules: what goes where, said once for many VMs. In each list the first rule whose conditions all hold wins;
 * what a command line says wins over any rule.
 */

export const RULES_VERSION = 1;

const text = z.string().min(1);
const glob = text.describe('A name or glob: * and ?');
const groups = z.array(text);

const networkRule = z
  .strictObject({
    port_group: glob.exactOptional(),
    vlan_id: z.number().int().min(0).max(4095).exactOptional(),
    address: text
      .refine(isCidr, 'a network as 192.0.2.0/24 or 2001:db8::/64')
      .exactOptional()
      .describe('A CIDR that one of the addresses of the guest lies in'),
    vm: glob.exactOptional(),
    network: text
      .exactOptional()
      .describe('Network or subnet by name or id. Left out: the one whose subnet contains the address of the guest'),
    security_groups: groups.exactOptional(),
    keep_ip: z.boolean().exactOptional(),
  })
  .describe('Where a NIC goes');

const volumeRule = z
  .strictObject({
    datastore: glob.exactOptional(),
    vm: glob.exactOptional(),
    label: glob.exactOptional(),
    type: text.exactOptional().describe('Volume type by name or id'),
    aspects: z.array(text).min(1).exactOptional().describe('SCS-0114: encrypted, replicated'),
  })
  .refine((rule) => (rule.type === undefined) !== (rule.aspects === undefined), {
    error: 'a volume rule has either type or aspects',
  })
  .describe('The volume type of a disk');

/** Properties that have a field of their own in `hardware`. */
const OWN_FIELD: Readonly<Record<string, string>> = {
  hw_disk_bus: 'disk_bus',
  hw_scsi_model: 'scsi_model',
  hw_vif_model: 'vif_model',
  hw_firmware_type: 'firmware_type',
};

/** Names as in Nova's "Useful image properties"; 255 characters is what Glance keeps. */
const hardwareProperties = propertiesWith(
  propertyKey.regex(/^(?:(?:hw_|os_|img_|trait:)\w+|architecture|hypervisor_type|vm_mode)$/, {
    error: 'a property of the hardware: hw_…, os_…, img_…, trait:…, architecture, hypervisor_type, vm_mode',
  }),
).refine((properties) => Object.keys(properties).every((name) => !Object.hasOwn(OWN_FIELD, name)), {
  error: `${Object.entries(OWN_FIELD)
    .map(([name, field]) => `${name} is said as ${field}`)
    .join(', ')}, beside properties`,
});

const hardware = z
  .strictObject({
    disk_bus: z.enum(['scsi', 'virtio', 'sata', 'ide']).exactOptional(),
    scsi_model: z.enum(['virtio-scsi', 'vmpvscsi', 'lsilogic', 'lsisas1068']).exactOptional(),
    vif_model: z.enum(['virtio', 'vmxnet3', 'e1000', 'e1000e']).exactOptional(),
    firmware_type: z.enum(['bios', 'uefi']).exactOptional().describe('Instead of what the VM has'),
    properties: hardwareProperties
      .exactOptional()
      .describe('Further image properties, over those that come from the VM: hw_video_model, os_secure_boot …'),
  })
  .refine(({ disk_bus = 'scsi', scsi_model }) => scsi_model === undefined || disk_bus === 'scsi', {
    error: 'scsi_model is for disk_bus scsi',
  })
  .describe('What the server has instead of virtio-scsi, virtio and the firmware of the VM');

const vmRule = z
  .strictObject({
    name: glob.exactOptional(),
    folder: glob.exactOptional().describe('Of the .vmx in datastore form: "[datastore1] web*"'),
    guest_id: glob.exactOptional(),
    project: text.exactOptional().describe('VMs of another project than the one logged in to are left out of the plan'),
    zone: text.exactOptional(),
    volume_zone: text.exactOptional(),
    flavor: text.exactOptional(),
    server_name: text.exactOptional().describe('A template: {name}, {id}, {uuid}, {host}'),
    key_name: text.exactOptional(),
    security_groups: groups.exactOptional(),
    hardware: hardware.exactOptional(),
    tags: serverTags.exactOptional(),
    metadata: serverMetadata.exactOptional().describe('Values are templates as server_name'),
  })
  .describe('What holds for a VM; each field is taken from the first rule that fits and has it');

export const mappingRules = z.strictObject({
  version: z.literal(RULES_VERSION),
  networks: z.array(networkRule).default([]),
  volumes: z.array(volumeRule).default([]),
  vms: z.array(vmRule).default([]),
});

export type MappingRules = z.infer<typeof mappingRules>;
export type NetworkRule = MappingRules['networks'][number];
export type VolumeRule = MappingRules['volumes'][number];
export type VmRule = MappingRules['vms'][number];

/** The schema of rule files as JSON Schema (draft 2020-12), for editors. */
export function rulesJsonSchema(): object {
  return {
    $id: 'urn:stackferry:rules:1',
    title: 'stackferry mapping rules',
    ...z.toJSONSchema(mappingRules, { io: 'input' }),
  };
}
