import { z } from 'zod';
import type { Service } from '../service.js';

export const securityGroupSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullish(),
  project_id: z.string().nullish(),
  security_group_rules: z
    .array(
      z.object({
        id: z.string(),
        direction: z.string(),
        ethertype: z.string().nullish(),
        protocol: z.union([z.string(), z.number()]).nullish(),
        port_range_min: z.number().nullish(),
        port_range_max: z.number().nullish(),
        remote_ip_prefix: z.string().nullish(),
        remote_group_id: z.string().nullish(),
      }),
    )
    .default([]),
});
export type SecurityGroup = z.infer<typeof securityGroupSchema>;

export interface SecurityGroups {
  /** All groups of the project (and those shared with it). */
  list(): Promise<SecurityGroup[]>;
}

/** `seesAll` (an administrator) leaves out the groups of other projects. */
export function securityGroupsOf(service: Service, seesAll: boolean): SecurityGroups {
  return {
    async list() {
      const call = { what: 'list security groups', path: '/security-groups' };
      const groups = await service.list(call, 'security_groups', securityGroupSchema);
      return seesAll ? groups.filter(({ project_id }) => project_id === service.projectId) : groups;
    },
  };
}
