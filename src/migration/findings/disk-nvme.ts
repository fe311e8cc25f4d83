import { finding, type FindingRule } from './finding.js';

export const diskNvme: FindingRule = {
  codes: ['disk.nvme'],
  explains: {
    'disk.nvme': {
      title: 'the disk hangs on NVMe',
      severity: 'warning',
      explains: 'The guest calls it nvme0n1, and on the server sda.',
      remedy: 'Use UUIDs in /etc/fstab and the boot loader; see that the initramfs holds virtio_scsi.',
    },
  },
  find: ({ disks }) =>
    disks
      .filter(({ controller }) => controller === 'nvme')
      .map(({ label }) =>
        finding('disk.nvme', 'warning', label, {
          message: 'It hangs on an NVMe controller: the guest calls it nvme0n1, and on the server sda.',
          remedy:
            'Before the move use UUIDs or labels instead of device names in /etc/fstab and the boot loader, and see that the initramfs holds virtio_scsi; hw_disk_bus=scsi and hw_scsi_model=virtio-scsi are set on the image.',
        }),
      ),
};
