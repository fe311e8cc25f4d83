import { finding, type FindingRule } from './finding.js';

/** vSphere's levels are low, normal (the default), medium and high: the last two ask the host for something. */
export const latency: FindingRule = {
  codes: ['vm.latency_sensitivity'],
  explains: {
    'vm.latency_sensitivity': {
      title: 'it is sensitive to latency',
      severity: 'warning',
      explains: 'The host reserves processors for it.',
      remedy: 'Choose a flavor with dedicated cores: `SCS-nC-…`, or one with `hw:cpu_policy=dedicated`.',
    },
  },
  find: ({ facts: { latencySensitivity } }) => {
    const level = latencySensitivity?.toLowerCase();
    if (level !== 'high' && level !== 'medium') return [];
    return [
      finding('vm.latency_sensitivity', 'warning', 'vm', {
        message: `Latency sensitivity is ${level}: the host reserves processors for the VM.`,
        remedy:
          'Choose a flavor with dedicated cores (--flavor): on SCS clouds the names with C, as SCS-4C-16; elsewhere those with hw:cpu_policy=dedicated.',
      }),
    ];
  },
};
