import { MIB, ceilGib, formatBytes } from '../../core/index.js';
import { imageProperties, type GuestHardware } from '../../openstack/index.js';
import type { DiskRecord, VmRecord } from '../../esxi/index.js';
import { cloudName } from './names.js';
import type { HardwareChoice, MappingOptions } from './options.js';
import type { ImageSection } from './sections.js';

/** A disk that is at least so full is sent raw: qcow2 would save next to nothing and costs the cloud a conversion. */
const FULL_SHARE = 0.9;
/** Below this size the difference is not worth a thought, and raw is the simplest form there is. */
const SMALL = 64 * MIB;

/** The image of each disk: its format with the reason, and the properties that Nova and SCS clouds read. */
export function resolveImages(
  vm: VmRecord,
  disks: readonly DiskRecord[],
  options: Pick<MappingOptions, 'imageFormat' | 'name' | 'hardware'>,
  facts: { host: string; now: Date },
): ImageSection[] {
  const { hardware } = options;
  const said = saidProperties(hardware);
  return disks.map((disk) => {
    const capacity = disk.capacity_bytes ?? 0;
    const { format, reason } = chooseFormat(options.imageFormat, capacity, disk.allocated_bytes);
    return {
      name: cloudName(options.name ?? vm.name, `-${disk.label}`),
      label: disk.label,
      format,
      format_reason: reason,
      min_disk_gib: ceilGib(capacity),
      properties: {
        ...imageProperties(withChoice(hardwareOf(vm), hardware), {
          description: `${cloudName(vm.name)} from ${facts.host}, disk ${disk.label}`,
          builtAt: facts.now,
        }),
        ...said,
      },
      ...(hardware === undefined
        ? {}
        : { property_reasons: Object.fromEntries(Object.keys(said).map((name) => [name, hardware.reason])) }),
    };
  });
}

/** `auto` sends what is smaller: qcow2 where a good part of the disk holds nothing, raw where it is full or small. */
export function chooseFormat(
  wanted: MappingOptions['imageFormat'],
  capacity: number,
  allocated: number | null,
): { format: 'raw' | 'qcow2'; reason: string } {
  if (wanted !== 'auto') return { format: wanted, reason: `--image-format ${wanted}` };
  if (capacity <= SMALL) return { format: 'raw', reason: `small: ${formatBytes(capacity)}` };
  if (allocated === null) return { format: 'qcow2', reason: 'what the disk holds is not known; holes are not sent' };
  const share = `${formatBytes(Math.min(allocated, capacity))} of ${formatBytes(capacity)} hold data`;
  return allocated >= capacity * FULL_SHARE ? { format: 'raw', reason: share } : { format: 'qcow2', reason: share };
}

/** The source VM's hardware in the words of the OpenStack room. */
export function hardwareOf(vm: VmRecord): GuestHardware {
  return {
    firmware: vm.firmware ?? 'bios',
    secureBoot: vm.secure_boot ?? false,
    vtpm: vm.vtpm ?? false,
    architecture: architectureOf(vm.guest_id),
    guestId: vm.guest_id,
    vcpus: vm.cpus ?? 1,
    coresPerSocket: vm.cores_per_socket,
  };
}

/** What a rule says, as image properties: each is said outright, also where it is Nova's default. */
function saidProperties(choice: HardwareChoice | undefined): Record<string, string> {
  if (choice === undefined) return {};
  const { diskBus, scsiModel, vifModel, firmwareType, properties } = choice;
  return {
    ...(diskBus === undefined ? {} : { hw_disk_bus: diskBus }),
    ...(scsiModel === undefined ? {} : { hw_scsi_model: scsiModel }),
    ...(vifModel === undefined ? {} : { hw_vif_model: vifModel }),
    ...(firmwareType === undefined ? {} : { hw_firmware_type: firmwareType }),
    ...properties,
  };
}

/** The hardware that was asked for in place of virtio-scsi, virtio and the VM's firmware; what depends on it follows. */
function withChoice(hardware: GuestHardware, choice: HardwareChoice | undefined): GuestHardware {
  if (choice === undefined) return hardware;
  const bus = choice.diskBus ?? 'scsi';
  return {
    ...hardware,
    disk: { bus, ...(choice.scsiModel === undefined ? {} : { scsiModel: choice.scsiModel }) },
    ...(choice.vifModel === undefined ? {} : { vifModel: choice.vifModel }),
    ...(choice.firmwareType === undefined ? {} : { firmware: choice.firmwareType === 'uefi' ? 'efi' : 'bios' }),
  };
}

/** vSphere marks ARM guests with `arm`, 64-bit ones with `64`; the guests of 32-bit words run on x86_64 as well. */
export function architectureOf(guestId: string | null): 'x86_64' | 'aarch64' {
  return guestId !== null && /arm/i.test(guestId) ? 'aarch64' : 'x86_64';
}
