import { finding, type FindingRule } from './finding.js';

export const removable: FindingRule = {
  codes: ['device.cdrom_attached'],
  find: ({ facts }) =>
    facts.connectedRemovable.map((label) =>
      finding('device.cdrom_attached', 'info', label, {
        message: `A ${label.startsWith('floppy') ? 'floppy' : 'CD'} image or drive is connected; it does not move.`,
        remedy:
          'Disconnect it if the guest does not need it. If it does, make an image of the medium in Glance (openstack image create --disk-format iso --file FILE NAME), a volume of that, and attach it; take its lines out of /etc/fstab.',
      }),
    ),
};
