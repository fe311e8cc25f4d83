import { address } from './address.js';
import { attach } from './attach.js';
import { converterSpace, converterTools } from './converter.js';
import { flavor } from './flavor.js';
import { hostAccess, hostSpace } from './host-access.js';
import { imageSize } from './image-size.js';
import { inventoryAge } from './inventory-age.js';
import { mac } from './mac.js';
import { microversion } from './microversion.js';
import { name } from './name.js';
import { network } from './network.js';
import { pool } from './pool.js';
import { quota } from './quota.js';
import { role } from './role.js';
import type { PreflightFacts, PreflightFinding, PreflightRule } from './rule.js';
import { securityGroup } from './security-group.js';
import { volumeType } from './volume-type.js';
import { zone } from './zone.js';

export { stagingNeed } from './converter.js';
export { quotaNeed, quotaRows, type QuotaRow } from './quota.js';
export type { Place, PreflightFacts, PreflightFinding, PreflightRule, PreflightVm, TargetFacts } from './rule.js';

/** Every rule on the target, the converter and the host. A new rule is a file and a line here. */
export const preflightRules: readonly PreflightRule[] = [
  role,
  quota,
  flavor,
  zone,
  imageSize,
  volumeType,
  network,
  pool,
  address,
  mac,
  securityGroup,
  name,
  microversion,
  converterTools,
  converterSpace,
  attach,
  hostAccess,
  hostSpace,
  inventoryAge,
];

/** What stands in the way of these VMs together, beside what is found on each source: `check` and `migrate` ask here. */
export function preflight(facts: PreflightFacts): PreflightFinding[] {
  return preflightRules.flatMap((rule) => rule.find(facts));
}
