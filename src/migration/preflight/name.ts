import { finding } from '../findings/finding.js';
import { cloudRule, namesOf, ofVm } from './rule.js';

/** Nova takes two servers of one name; people and scripts do not tell them apart. */
export const name = cloudRule({
  codes: ['cloud.duplicate_name'],
  find: (_, vms) =>
    vms.flatMap((item) => {
      const { server } = item;
      if (!server) return [];
      const twins = vms.filter((other) => other !== item && other.server?.name === server.name);
      if (twins.length === 0) return [];
      return ofVm(
        item,
        finding('cloud.duplicate_name', 'warning', 'vm', {
          message: `The server of ${namesOf(twins.map((twin) => `${twin.name} (id:${twin.id})`))} gets the name ${server.name} as well.`,
          remedy: "Give each its own: --name '{name}-{id}', or server.name in the plan.",
        }),
      );
    }),
});
