import { finding, type FindingRule } from './finding.js';

export const removable: FindingRule = {
  codes: ['device.cdrom_attached'],
  explains: {
    'device.cdrom_attached': {
      title: 'a CD or floppy is connected',
      severity: 'info',
      explains: 'An image or drive, now or at power-on; it does not move.',
      remedy:
        'Disconnect it, or make an image and a volume of it: `openstack image create --disk-format iso --file FILE NAME`.',
    },
  },
  find: ({ facts }) =>
    facts.connectedRemovable.map((label) =>
      finding('device.cdrom_attached', 'info', label, {
        message: `A ${label.startsWith('floppy') ? 'floppy' : 'CD'} image or drive is connected; it does not move.`,
        remedy:
          'Disconnect it if the guest does not need it. If it does, make an image of the medium in Glance (openstack image create --disk-format iso --file FILE NAME), a volume of that, and attach it; take its lines out of /etc/fstab.',
      }),
    ),
};
