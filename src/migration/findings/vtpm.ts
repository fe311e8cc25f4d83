import { finding, type FindingRule } from './finding.js';

/** The contents of a virtual TPM are sealed to the VM and do not move. */
export const vtpm: FindingRule = {
  codes: ['vm.vtpm'],
  explains: {
    'vm.vtpm': {
      title: 'it has a virtual TPM',
      severity: 'warning',
      explains: 'The contents of a TPM are sealed to the VM: what was sealed with it cannot be opened.',
      remedy:
        'Suspend BitLocker before the move. `hw_tpm_version=2.0` and `hw_tpm_model=tpm-crb` are set on the image: the server gets a new, empty TPM.',
    },
  },
  find: ({ vtpm: present }) =>
    present === true
      ? [
          finding('vm.vtpm', 'warning', 'vm', {
            message: 'The VM has a virtual TPM, whose contents do not move; what was sealed with it cannot be opened.',
            remedy:
              'Before the move suspend BitLocker (manage-bde -protectors -disable C: -RebootCount 0) or take the recovery key at hand. hw_tpm_version=2.0 and hw_tpm_model=tpm-crb are set on the image, so the server gets a new, empty TPM where the cloud has one to give.',
          }),
        ]
      : [],
};
