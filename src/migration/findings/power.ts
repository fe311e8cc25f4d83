import { finding, type FindingRule } from './finding.js';

/** A disk is copied only of a VM that is off: while it runs, its files change and the host keeps them locked. */
export const power: FindingRule = {
  codes: ['vm.powered_on', 'vm.suspended'],
  explains: {
    'vm.powered_on': {
      title: 'it runs',
      severity: 'blocker',
      explains: 'A disk is copied of a VM that is off: while it runs, its files change and the host keeps them locked.',
      remedy:
        'Shut the guest down (on the host `vim-cmd vmsvc/power.shutdown ID`), or let `migrate --power-off` do it.',
    },
    'vm.suspended': {
      title: 'it is suspended',
      severity: 'blocker',
      explains: 'A part of its state is in its saved memory, which cannot move.',
      remedy: 'Resume it (`vim-cmd vmsvc/power.on ID`), then shut the guest down.',
    },
  },
  advice: { 'vm.powered_on': 'shut it down first', 'vm.suspended': 'resume it, then shut it down' },
  find: ({ id, power_state }) => {
    switch (power_state) {
      case 'on':
        return [
          finding('vm.powered_on', 'blocker', 'vm', {
            message: 'The VM is running.',
            remedy: `Shut the guest down (on the host: vim-cmd vmsvc/power.shutdown ${id}), or let stackferry do it with --power-off. A copy of it as it runs, which is no move: stackferry export --while-running.`,
          }),
        ];
      case 'suspended':
        return [
          finding('vm.suspended', 'blocker', 'vm', {
            message: 'The VM is suspended: a part of its state is in its saved memory, which cannot move.',
            remedy: `Resume it (on the host: vim-cmd vmsvc/power.on ${id}), then shut the guest down.`,
          }),
        ];
      default:
        return [];
    }
  },
};
