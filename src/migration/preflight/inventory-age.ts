import { finding } from '../findings/finding.js';
import { oldInventory } from '../saved-age.js';
import type { PreflightRule } from './rule.js';

/** A saved inventory that is looked at in the host's place may tell what is long over. */
export const inventoryAge: PreflightRule = {
  codes: ['inventory.old'],
  find: ({ host }) => {
    const old = oldInventory(host?.savedDays ?? null);
    if (!old) return [];
    return [
      { place: 'host', finding: finding(old.code, 'warning', 'host', { message: old.message, remedy: old.hint }) },
    ];
  },
};
