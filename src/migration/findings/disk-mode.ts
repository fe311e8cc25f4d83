import { finding, type FindingRule } from './finding.js';

export const diskMode: FindingRule = {
  codes: ['disk.independent', 'disk.nonpersistent'],
  explains: {
    'disk.independent': {
      title: 'the disk is independent',
      severity: 'info',
      explains: 'Snapshots of the VM leave it out; it is copied as it is now.',
      remedy: 'Exclude it from backups in OpenStack if it must not be in them.',
    },
    'disk.nonpersistent': {
      title: 'the disk forgets at power-off',
      severity: 'warning',
      explains: 'A volume keeps what the guest writes.',
      remedy: 'Save what was written since the last power-on; for the old behaviour rebuild the server from its image.',
    },
  },
  find: ({ disks }) =>
    disks.flatMap(({ label, mode }) => {
      switch (mode) {
        case 'independent_persistent':
          return finding('disk.independent', 'info', label, {
            message: 'It is independent: snapshots of the VM leave it out.',
            remedy:
              'Nothing has to be done: it is copied as it is now. In OpenStack snapshots of a server take all its volumes; exclude what must not be in them from your backups.',
          });
        case 'nonpersistent':
        case 'independent_nonpersistent':
          return finding('disk.nonpersistent', 'warning', label, {
            message: 'It is non-persistent: what the guest writes is dropped at power-off; a volume keeps it.',
            remedy:
              'What was written since the last power-on is not copied: save it first if it matters. To get the old behaviour, rebuild the server from its image, or use an overlay in the guest.',
          });
        default:
          return [];
      }
    }),
};
