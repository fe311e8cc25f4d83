import { finding, type FindingRule } from './finding.js';

/** Without Tools nobody outside the guest can ask it to shut down, and its addresses are not known. */
export const tools: FindingRule = {
  codes: ['vm.tools_missing'],
  explains: {
    'vm.tools_missing': {
      title: 'it runs without Tools',
      severity: 'warning',
      explains: 'Nobody outside the guest can ask it to shut down, and its addresses are not known.',
      remedy: 'Shut it down from within, or install open-vm-tools; `--force-off` pulls the plug.',
    },
  },
  find: ({ power_state, facts: { toolsRunning, toolsInstalled } }) => {
    const missing = toolsRunning === false || (toolsRunning === null && toolsInstalled === false);
    if (power_state !== 'on' || !missing) return [];
    return [
      finding('vm.tools_missing', 'warning', 'vm', {
        message:
          toolsInstalled === true
            ? 'VMware Tools are installed but do not run, so the guest cannot be shut down from outside.'
            : 'The VM runs without VMware Tools, so the guest cannot be shut down from outside.',
        remedy:
          'Shut it down from within the guest, or install open-vm-tools there; --power-off alone will not do (with --force-off the plug is pulled).',
      }),
    ];
  },
};
