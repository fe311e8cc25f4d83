import type { VmRecord } from '../../esxi/index.js';
import { finding, type FindingRule } from './finding.js';

/** A VM whose whole configuration is encrypted shows no devices; that says nothing about what it has. */
function hidden({ encrypted, firmware }: VmRecord): boolean {
  return encrypted === true && firmware === null;
}

export const empty: FindingRule = {
  codes: ['vm.no_disk', 'vm.no_nic'],
  explains: {
    'vm.no_disk': {
      title: 'it has no disk',
      severity: 'blocker',
      explains: 'There is nothing to move and nothing that a server could boot from.',
      remedy: 'Attach its disk on the host if one is missing.',
    },
    'vm.no_nic': {
      title: 'it has no NIC',
      severity: 'warning',
      explains: 'The server gets no port.',
      remedy: 'If it shall be on a network: `openstack server add network SERVER NETWORK`.',
    },
  },
  advice: { 'vm.no_disk': 'it has no disk' },
  find: (vm) =>
    hidden(vm)
      ? []
      : [
          ...(vm.disks.length === 0
            ? [
                finding('vm.no_disk', 'blocker', 'vm', {
                  message: 'The VM has no disk, so there is nothing to move and nothing that a server could boot from.',
                  remedy:
                    'Attach its disk on the host if one is missing. A VM that boots from the network is made anew in OpenStack.',
                }),
              ]
            : []),
          ...(vm.nics.length === 0
            ? [
                finding('vm.no_nic', 'warning', 'vm', {
                  message: 'The VM has no NIC, so the server gets none.',
                  remedy:
                    'If it shall be on a network, add one when it is there: openstack server add network SERVER NETWORK',
                }),
              ]
            : []),
        ],
};
