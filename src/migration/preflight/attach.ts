import { finding } from '../findings/finding.js';
import type { PreflightRule } from './rule.js';

/** `--via cinder` where no volume can be attached to this machine. */
export const attach: PreflightRule = {
  codes: ['converter.no_attach'],
  find: ({ converter }) => {
    const problem = converter?.attach;
    if (!problem) return [];
    const text = { message: problem.message, remedy: problem.hint };
    return [{ place: 'converter', finding: finding('converter.no_attach', 'blocker', 'converter', text) }];
  },
};
