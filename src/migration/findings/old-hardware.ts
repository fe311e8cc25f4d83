import { finding, type FindingRule } from './finding.js';

/** Version 8 came with ESXi 5.0 (2011). Guests of older hardware are as a rule as old themselves. */
const OLDEST = 8;

export const oldHardware: FindingRule = {
  codes: ['vm.old_hardware'],
  explains: {
    'vm.old_hardware': {
      title: 'its hardware is older than version 8',
      severity: 'warning',
      explains: 'The guest may be too old for virtio.',
      remedy:
        'See that it has virtio_scsi and virtio_net, else: `openstack image set --property hw_disk_bus=ide --property hw_vif_model=e1000 IMAGE`.',
    },
  },
  find: ({ hardware_version }) => {
    const version = /^vmx-0*(\d+)$/i.exec(hardware_version ?? '')?.[1];
    if (version === undefined || Number(version) >= OLDEST) return [];
    return [
      finding('vm.old_hardware', 'warning', 'vm', {
        message: `The hardware version is ${hardware_version ?? ''}, older than vmx-${OLDEST}: the guest may be too old for virtio.`,
        remedy:
          'See that the guest has the drivers virtio_scsi and virtio_net (Linux 3.4 and later). If not, choose other devices on the image before the server is made: openstack image set --property hw_disk_bus=ide --property hw_vif_model=e1000 IMAGE',
      }),
    ];
  },
};
