import { finding, type FindingRule } from './finding.js';

export const faultTolerance: FindingRule = {
  codes: ['vm.fault_tolerance'],
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
