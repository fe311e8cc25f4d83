import { finding, type FindingRule } from './finding.js';

/** Two VMs of one name: each of them is told, with the id that tells them apart. */
export const duplicateName: FindingRule = {
  codes: ['vm.duplicate_name'],
  explains: {
    'vm.duplicate_name': {
      title: 'two VMs have its name',
      severity: 'warning',
      explains: 'Both twins are told; a name alone does not choose one.',
      remedy: 'Name it as `--vm id:N`, and give the server a name of its own with `--name`.',
    },
  },
  find: (vm, host) => {
    const twins = [...host.vms, ...host.skipped].filter((other) => other.id !== vm.id && other.name === vm.name);
    if (twins.length === 0) return [];
    return [
      finding('vm.duplicate_name', 'warning', 'vm', {
        message: `The name also belongs to ${twins.map(({ id }) => `id:${id}`).join(', ')}.`,
        remedy: `Name this one as --vm id:${vm.id}, and give the server a name of its own with --name.`,
      }),
    ];
  },
};
