import type { PreflightWarning } from './warning.js';

/** Warns of a server that is to have the default group only (SCS-0115: it lets in nothing but its own members). */
export function defaultSecurityGroupWarning(onlyDefault: boolean): PreflightWarning | null {
  if (!onlyDefault) return null;
  return {
    code: 'cloud.default_security_group',
    message:
      'No security group is named, so the ports get the group "default": as a rule it lets in its own members only, and the server cannot be reached from elsewhere.',
    hint: 'Name groups with --security-group NAME (repeatable), or later: openstack port set --security-group NAME PORT',
  };
}
