import { z } from 'zod';

/** Image properties as a person writes them: what Glance keeps, and what Nova makes of those that it knows. */

/** Attributes of an image that are no free properties (Image API v2, schema `image`): set otherwise, or by Glance. */
const ATTRIBUTES: ReadonlySet<string> = new Set(
  (
    'id name status visibility protected os_hidden owner size virtual_size checksum os_hash_algo os_hash_value ' +
    'created_at updated_at disk_format container_format min_disk min_ram tags self file schema direct_url locations ' +
    'members stores deleted deleted_at is_public'
  ).split(' '),
);
/** The marks by which a run finds its images again. */
const MARKS = ['stackferry_run', 'stackferry_step'];

/** Why a key is no property that a person may set; null where it is one. Glance keeps `os_glance_*` for itself. */
export function reservedProperty(key: string): string | null {
  if (ATTRIBUTES.has(key)) return 'that is an attribute of every image, no further property';
  if (key.startsWith('os_glance_')) return 'Glance keeps os_glance_* for itself';
  return MARKS.includes(key) ? 'every run sets it itself' : null;
}

const words = (text: string) => text.split(' ');
const DISK_BUS = words('virtio scsi sata ide usb fdc xen');
const FLAG = words('true false yes no on off 1 0');
const COUNT = /^[1-9]\d{0,5}$/;

/**
 * The words that Nova takes, by property: its fields of `ImageMetaProps` ("Useful image properties"). Another one is
 * refused when the server is made. Properties that are not here may have any value.
 */
const VALUES: Readonly<Record<string, readonly string[] | RegExp>> = {
  architecture: words(
    'x86_64 i686 aarch64 armv6 armv7l armv7b alpha cris ia64 lm32 loongarch64 m68k microblaze microblazeel mips mipsel ' +
      'mips64 mips64el openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb riscv64 s390 s390x sh4 sh4eb sparc ' +
      'sparc64 unicore32 xtensa xtensaeb',
  ),
  hw_boot_menu: FLAG,
  hw_cdrom_bus: DISK_BUS,
  hw_cpu_cores: COUNT,
  hw_cpu_max_cores: COUNT,
  hw_cpu_max_sockets: COUNT,
  hw_cpu_max_threads: COUNT,
  hw_cpu_policy: words('shared dedicated mixed'),
  hw_cpu_sockets: COUNT,
  hw_cpu_thread_policy: words('prefer isolate require'),
  hw_cpu_threads: COUNT,
  hw_disk_bus: DISK_BUS,
  hw_firmware_type: words('bios uefi'),
  hw_floppy_bus: DISK_BUS,
  hw_input_bus: words('usb virtio'),
  hw_pmu: FLAG,
  hw_pointer_model: words('usbtablet'),
  hw_qemu_guest_agent: FLAG,
  hw_rescue_bus: DISK_BUS,
  hw_rescue_device: words('disk cdrom floppy'),
  hw_rng_model: words('virtio'),
  hw_scsi_model: words('virtio-scsi vmpvscsi lsilogic lsisas1068 lsisas1078 buslogic ibmvscsi'),
  hw_time_hpet: FLAG,
  hw_tpm_model: words('tpm-tis tpm-crb'),
  hw_tpm_version: words('1.2 2.0'),
  hw_video_model: words('virtio vga qxl cirrus vmvga xen none gop bochs'),
  hw_vif_model: words(
    'virtio vmxnet3 vmxnet e1000 e1000e igb rtl8139 ne2k_pci pcnet netfront spapr-vlan lan9118 sriov',
  ),
  hw_vif_multiqueue_enabled: FLAG,
  hw_viommu_model: words('intel smmuv3 virtio auto'),
  hw_watchdog_action: words('none pause poweroff reset disabled'),
  img_hide_hypervisor_id: FLAG,
  os_secure_boot: words('required optional disabled'),
  os_type: words('linux windows'),
  vm_mode: words('hvm xen uml exe'),
};

/** What a property of this name may not be; null where it may. */
export function impossibleProperty(key: string, value: string): string | null {
  const known = Object.hasOwn(VALUES, key) ? VALUES[key] : undefined;
  if (known === undefined) return null;
  if (known instanceof RegExp) return known.test(value) ? null : 'a whole number from 1';
  return known.includes(known === FLAG ? value.toLowerCase() : value) ? null : `one of ${known.join(', ')}`;
}

/** Glance keeps names and values of properties in columns of 255 characters. */
export const propertyKey = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\s\p{Cc}]+$/u, 'a property has no blank and no control character in its name')
  .superRefine((key, issues) => {
    const why = reservedProperty(key);
    if (why !== null) issues.addIssue(why);
  });

const propertyValue = z
  .string()
  .max(255)
  .regex(/^\P{Cc}*$/u, 'no control characters');

/** Properties of an image, with keys of this kind; each value is one that Nova can make something of. */
export function propertiesWith<K extends z.ZodType<string, string>>(key: K) {
  return z.record(key, propertyValue).superRefine((properties: Record<string, string>, issues) => {
    for (const [name, value] of Object.entries(properties)) {
      const why = impossibleProperty(name, value);
      if (why !== null) issues.addIssue({ code: 'custom', path: [name], message: why, input: value });
    }
  });
}
