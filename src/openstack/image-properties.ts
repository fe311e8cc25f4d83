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

/**
 * Glance properties of a migrated disk (Nova's hardware and the ones that SCS-0102 asks for). For boot and data disks
 * alike: Nova reads those of the boot volume. They can be put on a blank volume too (`setImageMetadata`).
 */
export declare function imageProperties(hardware: GuestHardware, image: ImageDescription): Record<string, string>;
