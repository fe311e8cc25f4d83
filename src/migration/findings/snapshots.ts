import { count, finding, type FindingRule } from './finding.js';

/** A server gets the disks as they are now: the whole chain is copied and flattened. */
export const snapshots: FindingRule = {
  codes: ['vm.snapshots', 'vm.consolidation_needed'],
  explains: {
    'vm.snapshots': {
      title: 'it has snapshots',
      severity: 'warning',
      explains: 'The server gets the disks as they are now, each chain flattened; the snapshots stay with the source.',
      remedy:
        'Delete those that nobody needs before the move, and less is copied. In OpenStack: `openstack volume snapshot create`.',
    },
    'vm.consolidation_needed': {
      title: 'its disks need consolidation',
      severity: 'warning',
      explains: 'Deltas of deleted snapshots are left, which makes the copy slower.',
      remedy: 'Consolidate the disks in the Host Client before the move.',
    },
  },
  find: ({ snapshots: nodes, facts }) => [
    ...(nodes > 0
      ? [
          finding('vm.snapshots', 'warning', 'vm', {
            message: `The VM has ${count(nodes, 'snapshot')}; the server gets the disks as they are now, without ${nodes === 1 ? 'it' : 'them'}.`,
            remedy:
              'Nothing has to be done: each chain is copied whole and flattened, the source keeps its snapshots. Delete those that nobody needs before the move, and less is copied.',
          }),
        ]
      : []),
    ...(facts.consolidationNeeded
      ? [
          finding('vm.consolidation_needed', 'warning', 'vm', {
            message: 'The host says that the disks of the VM need consolidation: deltas of deleted snapshots are left.',
            remedy:
              'Consolidate before the move (Host Client: Snapshots, Consolidate disks). Without it the chain is copied as it lies, which takes longer.',
          }),
        ]
      : []),
  ],
};
