import { finding, type FindingRule } from './finding.js';

/** An answer may start the VM at any moment, even in the middle of a copy; until then it cannot be shut down. */
export const question: FindingRule = {
  codes: ['vm.question_pending'],
  explains: {
    'vm.question_pending': {
      title: 'it waits for an answer',
      severity: 'blocker',
      explains: 'The answer may start the VM at any moment, even in the middle of a copy.',
      remedy: 'Show and answer it on the host: `vim-cmd vmsvc/message ID`.',
    },
  },
  overridable: ['vm.question_pending'],
  advice: { 'vm.question_pending': 'answer its question on the host' },
  find: ({ id, facts }) =>
    facts.questionPending
      ? [
          finding('vm.question_pending', 'blocker', 'vm', {
            message: 'The VM waits for the answer to a question; what becomes of it depends on that.',
            remedy: `Show the question on the host with: vim-cmd vmsvc/message ${id}; answer it with: vim-cmd vmsvc/message ${id} QUESTION CHOICE, or in the Host Client.`,
          }),
        ]
      : [],
};
