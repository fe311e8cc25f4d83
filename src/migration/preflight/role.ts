import { finding } from '../findings/finding.js';
import { cloudRule, ofVm, type PreflightFinding } from './rule.js';

/** Roles that may look and no more, by Keystone's default roles and their usual names. */
const READERS = /^(reader|auditor|observer|viewer|.*_(reader|auditor|viewer))$/i;

/** What the roles of the login allow, as far as that can be told without trying: policies are the operator's. */
export const role = cloudRule({
  codes: ['cloud.role'],
  overridable: ['cloud.role'],
  find: ({ roles, project, flavors }, vms) => {
    const found: PreflightFinding[] = [];
    if (vms.length > 0 && roles.length > 0 && roles.every((name) => READERS.test(name))) {
      const message = `The login has only the role ${roles.join(', ')} in project ${project.name}, which may look and make nothing: images, volumes, ports and servers want the role member.`;
      const remedy = `Ask for it: openstack role add --project ${project.id} --user USER member`;
      found.push({ place: 'cloud', finding: finding('cloud.role', 'blocker', 'cloud', { message, remedy }) });
    }
    if (roles.includes('admin')) return found;
    return [
      ...found,
      ...vms
        .filter(({ hasFlavor, server }) => hasFlavor && server?.create_flavor !== undefined)
        // Another run may have made it by now.
        .filter(({ server }) => !flavors.some(({ id }) => id === server?.flavor_id))
        .map((item) =>
          ofVm(
            item,
            finding('cloud.role', 'blocker', 'vm', {
              message: `Flavor ${item.server?.flavor_name ?? ''} is to be made, which by Nova's default policy only administrators may; the login has ${roles.join(', ') || 'no role'}.`,
              remedy: 'Leave out --create-flavor, or let an administrator make the flavor beforehand.',
            }),
          ),
        ),
    ];
  },
});
