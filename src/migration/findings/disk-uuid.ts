import { finding, type FindingRule } from './finding.js';

export const diskUuid: FindingRule = {
  codes: ['disk.enable_uuid'],
  explains: {
    'disk.enable_uuid': {
      title: 'the guest sees serial numbers of its disks',
      severity: 'warning',
      explains: 'It may name them by these (/dev/disk/by-id); a volume has another serial.',
      remedy: 'Use /dev/disk/by-uuid before the move.',
    },
  },
  find: ({ facts }) =>
    facts.diskEnableUuid
      ? [
          finding('disk.enable_uuid', 'warning', 'vm', {
            message:
              'The VM has disk.EnableUUID set: the guest sees serial numbers of its disks, and may name them by these (/dev/disk/by-id).',
            remedy:
              'Use UUIDs of the file systems instead (/dev/disk/by-uuid). On the server the serial of a disk is the ID of its volume, of which some buses show the first 20 characters only.',
          }),
        ]
      : [],
};
