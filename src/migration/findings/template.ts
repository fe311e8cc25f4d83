import { finding, type FindingRule } from './finding.js';

export const template: FindingRule = {
  codes: ['vm.template'],
  explains: {
    'vm.template': {
      title: 'it is a template',
      severity: 'warning',
      explains: '`migrate` makes a server of it.',
      remedy: 'Where an image is wanted, stop after it: `export`, `convert`, `upload`.',
    },
  },
  find: ({ facts }) =>
    facts.template
      ? [
          finding('vm.template', 'warning', 'vm', {
            message: 'This is a template; migrate makes a server of it.',
            remedy:
              'Where an image is wanted instead, stop after the image: stackferry export, then stackferry convert, then stackferry upload.',
          }),
        ]
      : [],
};
