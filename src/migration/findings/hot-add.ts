import { finding, type FindingRule } from './finding.js';

export const hotAdd: FindingRule = {
  codes: ['vm.cpu_hotplug'],
  explains: {
    'vm.cpu_hotplug': {
      title: 'CPU or memory hot-add is on',
      severity: 'info',
      explains: 'A server gets more only with another flavor, and a restart.',
      remedy: 'Choose a flavor with room (`--flavor`), or later: `openstack server resize --flavor FLAVOR SERVER`.',
    },
  },
  find: ({ facts: { cpuHotAdd, memoryHotAdd } }) => {
    if (!cpuHotAdd && !memoryHotAdd) return [];
    const what = cpuHotAdd && memoryHotAdd ? 'CPU and memory' : cpuHotAdd ? 'CPU' : 'Memory';
    return [
      finding('vm.cpu_hotplug', 'info', 'vm', {
        message: `${what} hot-add is on; a server gets more only with another flavor.`,
        remedy:
          'Choose a flavor with room to grow (--flavor), or change it later, with a restart: openstack server resize --flavor FLAVOR SERVER',
      }),
    ];
  },
};
