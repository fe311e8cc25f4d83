import { guestOs } from './guest-os.js';

/** The hardware of a guest as far as an image says it; made by src/migration from the source VM. */
export interface GuestHardware {
  firmware: 'bios' | 'efi';
  secureBoot: boolean;
  vtpm: boolean;
  architecture: 'x86_64' | 'i686' | 'aarch64';
  /** vSphere's word: `ubuntu64Guest`. */
  guestId: string | null;
  vcpus: number;
  coresPerSocket: number;
  /** Nova's words for what the guest has drivers for; virtio-scsi and virtio if unset. */
  disk?: { bus: 'scsi' | 'virtio' | 'sata' | 'ide'; scsiModel?: string };
  vifModel?: 'virtio' | 'vmxnet3' | 'e1000' | 'e1000e';
  /** The release (`22.04`), where something better than `guestId` knows it. */
  osVersion?: string;
}

export interface ImageDescription {
  /** For `image_description`: "web01 from esx1, disk scsi0:0". */
  description: string;
  /** When it is made: becomes `image_build_date`. */
  builtAt: Date;
}

/** Values of image metadata on a volume are limited to so many characters by Cinder. */
const MAX_VALUE = 255;

/**
 * Glance properties of a migrated disk: Nova's hardware ("Useful image properties") and what SCS-0102 asks of every
 * image. For boot and data disks alike: Nova reads those of the boot volume. They can be put on a blank volume too
 * (`setImageMetadata`). `min_disk` and `min_ram` are fields of the image, not properties: see `CreateImage`.
 */
export function imageProperties(hardware: GuestHardware, image: ImageDescription): Record<string, string> {
  const os = guestOs(hardware.guestId);
  return {
    ...diskProperties(hardware),
    hw_vif_model: hardware.vifModel ?? 'virtio',
    ...firmwareProperties(hardware),
    ...topologyProperties(hardware, os.type === 'windows'),
    // A 32-bit guest runs on a 64-bit machine, and hypervisors seldom offer i686.
    architecture: hardware.architecture === 'aarch64' ? 'aarch64' : 'x86_64',
    ...(os.type === null ? {} : { os_type: os.type }),
    ...(os.type === 'linux' ? { hw_rng_model: 'virtio' } : {}),
    os_distro: os.distro,
    os_version: hardware.osVersion ?? os.version,
    os_purpose: 'custom',
    image_source: 'private',
    image_original_user: 'none',
    image_build_date: image.builtAt.toISOString().slice(0, 19).replace('T', ' '),
    image_description: Array.from(image.description).slice(0, MAX_VALUE).join(''),
    replace_frequency: 'never',
    provided_until: 'none',
    uuid_validity: 'none',
  };
}

function diskProperties({ disk }: GuestHardware): Record<string, string> {
  const bus = disk?.bus ?? 'scsi';
  return {
    hw_disk_bus: bus,
    ...(bus === 'scsi' ? { hw_scsi_model: disk?.scsiModel ?? 'virtio-scsi' } : {}),
  };
}

/** UEFI on x86 wants q35. Secure boot is asked for where the hypervisor has it, so that its lack does not stop a server. */
function firmwareProperties(hardware: GuestHardware): Record<string, string> {
  const arm = hardware.architecture === 'aarch64';
  const efi = hardware.firmware === 'efi' || arm;
  return {
    ...(efi ? { hw_firmware_type: 'uefi', hw_machine_type: arm ? 'virt' : 'q35' } : {}),
    ...(efi && hardware.secureBoot ? { os_secure_boot: 'optional' } : {}),
    ...(hardware.vtpm ? { hw_tpm_version: '2.0', hw_tpm_model: 'tpm-crb' } : {}),
  };
}

/**
 * Nova gives every vCPU its own socket; editions of Windows use two at the most. These are wishes: a flavor with another
 * number of vCPU gets the nearest that is possible.
 */
function topologyProperties({ vcpus, coresPerSocket }: GuestHardware, windows: boolean): Record<string, string> {
  if (coresPerSocket > 1) {
    return {
      hw_cpu_sockets: String(Math.max(1, Math.ceil(vcpus / coresPerSocket))),
      hw_cpu_cores: String(coresPerSocket),
      hw_cpu_threads: '1',
    };
  }
  return windows && vcpus > 2 ? { hw_cpu_sockets: vcpus % 2 === 0 ? '2' : '1', hw_cpu_threads: '1' } : {};
}
