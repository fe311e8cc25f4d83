import { ceilGib } from '../../core/index.js';
import { imageProperties, type GuestHardware } from '../../openstack/index.js';
import type { DiskRecord, VmRecord } from '../../esxi/index.js';
import { ofVolumeType, type MeasuredSample } from '../measured/samples.js';
import { chooseFormat } from './image-format.js';
import { cloudName } from './names.js';
import type { HardwareChoice, MappingOptions } from './options.js';
import { wantedType, type TypeOptions } from './resolve-volumes.js';
import type { ImageSection } from './sections.js';

/**
 * The image of each disk: its format with the reason, and the properties that Nova and SCS clouds read.
 * @param facts `measured`: what runs have measured in this cloud
 */
export function resolveImages(
  vm: VmRecord,
  disks: readonly DiskRecord[],
  options: Pick<MappingOptions, 'imageFormat' | 'name' | 'hardware'> & TypeOptions,
  facts: { host: string; now: Date; measured?: readonly MeasuredSample[] | undefined },
): ImageSection[] {
  const { hardware } = options;
  const said = saidProperties(hardware);
  return disks.map((disk) => {
    const capacity = disk.capacity_bytes ?? 0;
    const measured = ofVolumeType(facts.measured ?? [], wantedType(disk, options).wanted ?? null);
    const { format, reason } = chooseFormat(options.imageFormat, capacity, disk.allocated_bytes, measured);
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
