/** Nova: the image properties that shape a guest's hardware, their allowed values, and the names of its disks. */
import { Refusal } from '../http.js';

/** Enumerations of nova/objects/fields.py (Nova 26). */
const ALLOWED: Record<string, string[]> = {
  hw_disk_bus: ['fdc', 'ide', 'sata', 'scsi', 'usb', 'virtio', 'xen', 'lxc', 'uml'],
  hw_cdrom_bus: ['fdc', 'ide', 'sata', 'scsi', 'usb', 'virtio', 'xen', 'lxc', 'uml'],
  hw_scsi_model: [
    'buslogic',
    'ibmvscsi',
    'lsilogic',
    'lsisas1068',
    'lsisas1078',
    'virtio-scsi',
    'vmpvscsi',
    'lsilogicsas',
    'paravirtual',
  ],
  hw_firmware_type: ['uefi', 'bios'],
  os_secure_boot: ['required', 'disabled', 'optional'],
  hw_vif_model: [
    'e1000',
    'e1000e',
    'igb',
    'lan9118',
    'netfront',
    'ne2k_pci',
    'pcnet',
    'rtl8139',
    'spapr-vlan',
    'sriov',
    'virtio',
    'vmxnet',
    'vmxnet3',
    'virtuale1000',
    'virtuale1000e',
    'virtualpcnet32',
    'virtualsriovethernetcard',
    'virtualvmxnet',
    'virtualvmxnet3',
  ],
  hw_video_model: ['cirrus', 'qxl', 'vga', 'vmvga', 'xen', 'virtio', 'gop', 'none', 'bochs'],
  hw_rng_model: ['virtio'],
  os_type: ['linux', 'windows'],
};

/** @throws Refusal 400 as Nova does when the boot volume's metadata cannot be an ImageMeta (compute/api.py) */
export function checkImageProperties(properties: Record<string, string>): void {
  for (const [key, allowed] of Object.entries(ALLOWED)) {
    const value = properties[key];
    if (value === undefined || value === '') continue;
    if (!allowed.includes(value.toLowerCase())) {
      throw new Refusal(400, `Invalid image metadata. Error: Field value ${value} is invalid`);
    }
  }
}

/** `/dev/sda` on SCSI and SATA, `/dev/vda` on virtio, `/dev/hda` on IDE; `index` counts from 0. */
export function deviceName(properties: Record<string, string>, index: number): string {
  const bus = properties['hw_disk_bus'] ?? 'virtio';
  const prefix = ['scsi', 'sata', 'usb'].includes(bus) ? 'sd' : bus === 'ide' ? 'hd' : 'vd';
  const letters = (n: number): string =>
    (n < 26 ? '' : letters(Math.floor(n / 26) - 1)) + String.fromCharCode(97 + (n % 26));
  return `/dev/${prefix}${letters(index)}`;
}
