import { finding, type FindingRule } from './finding.js';

export const faultTolerance: FindingRule = {
  codes: ['vm.fault_tolerance'],
  explains: {
    'vm.fault_tolerance': {
      title: 'Fault Tolerance is on',
      severity: 'warning',
      explains: 'The server runs without a live twin.',
      remedy:
        'Turn it off before the move; use two servers in a group: `openstack server group create --policy anti-affinity NAME`.',
    },
  },
  find: ({ facts }) =>
    facts.faultTolerance
      ? [
          finding('vm.fault_tolerance', 'warning', 'vm', {
            message: 'Fault Tolerance is configured; the server runs without a live twin.',
            remedy:
              'Turn Fault Tolerance off before the move. In OpenStack use two servers in a group with anti-affinity (openstack server group create --policy anti-affinity NAME) and clustering in the guest.',
          }),
        ]
      : [],
};
