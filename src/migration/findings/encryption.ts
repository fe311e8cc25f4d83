import { finding, type FindingRule } from './finding.js';

/** The host gives encrypted disks out only as they lie; the keys are with its key provider. */
export const encryption: FindingRule = {
  codes: ['vm.encrypted'],
  explains: {
    'vm.encrypted': {
      title: 'it is encrypted',
      severity: 'blocker',
      explains: 'The host gives out encrypted disks only as they lie; the keys are with its key provider.',
      remedy:
        'Give the VM a storage policy without encryption where its key provider is. On the cloud choose an encrypted volume type: `--volume-type TYPE`.',
    },
  },
  advice: { 'vm.encrypted': 'decrypt it first' },
  find: ({ encrypted }) =>
    encrypted === true
      ? [
          finding('vm.encrypted', 'blocker', 'vm', {
            message: 'The VM is encrypted; what can be read of its files is of no use elsewhere.',
            remedy:
              'Decrypt it where its key provider is: give it a storage policy without encryption (a vTPM has to be removed first, with BitLocker suspended). On the cloud, choose an encrypted volume type with --volume-type.',
          }),
        ]
      : [],
};
