import type { Inventory, VmRecord } from '../../esxi/index.js';
import { diskFiles } from './disk-files.js';
import { diskMode } from './disk-mode.js';
import { diskNvme } from './disk-nvme.js';
import { diskPlace } from './disk-place.js';
import { diskRdm } from './disk-rdm.js';
import { diskShared } from './disk-shared.js';
import { diskSize } from './disk-size.js';
import { diskUuid } from './disk-uuid.js';
import { duplicateName } from './duplicate-name.js';
import { empty } from './empty.js';
import { encryption } from './encryption.js';
import { faultTolerance } from './fault-tolerance.js';
import type { Finding, FindingRule } from './finding.js';
import { firmware } from './firmware.js';
import { guest } from './guest.js';
import { hostDevices } from './host-devices.js';
import { hotAdd } from './hot-add.js';
import { latency } from './latency.js';
import { nicAttachment } from './nic-attachment.js';
import { nicMac } from './nic-mac.js';
import { nicModel } from './nic-model.js';
import { oldHardware } from './old-hardware.js';
import { power } from './power.js';
import { question } from './question.js';
import { removable } from './removable.js';
import { snapshots } from './snapshots.js';
import { template } from './template.js';
import { tools } from './tools.js';
import { vtpm } from './vtpm.js';

export type { Finding, FindingRule, Severity } from './finding.js';

/** Every rule, in the order in which a person reads what they found. A new rule is a file and a line here. */
export const findingRules: readonly FindingRule[] = [
  power,
  question,
  encryption,
  empty,
  guest,
  tools,
  snapshots,
  firmware,
  vtpm,
  template,
  duplicateName,
  faultTolerance,
  oldHardware,
  hotAdd,
  latency,
  diskFiles,
  diskRdm,
  diskShared,
  diskMode,
  diskNvme,
  diskUuid,
  diskPlace,
  diskSize,
  nicModel,
  nicAttachment,
  nicMac,
  hostDevices,
  removable,
];

/** What stands in the way of a VM or is good to know before it moves. `inventory` is of the host that holds it. */
export function findingsOf(vm: VmRecord, inventory: Inventory): Finding[] {
  return findingRules.flatMap((rule) => rule.find(vm, inventory));
}

/**
 * The inventory's READY column: `yes`, or what to do about the first blocker, else about the first warning that has an
 * advice. Other warnings are left to the list of findings, for they do not ask for anything before the move.
 */
export function readiness(findings: readonly Finding[]): string {
  const blockers = findings.filter(({ severity }) => severity === 'blocker');
  const [first] = blockers;
  if (first) {
    const label = first.subject === 'vm' ? '' : `${first.subject}: `;
    const more = blockers.length === 1 ? '' : `, and ${blockers.length - 1} more`;
    return `${label}${adviceFor(first) ?? 'see its findings'} (${first.code})${more}`;
  }
  for (const warning of findings.filter(({ severity }) => severity === 'warning')) {
    const advice = adviceFor(warning);
    if (advice !== undefined) return `${advice} (${warning.code})`;
  }
  return 'yes';
}

function adviceFor({ code }: Finding): string | undefined {
  return findingRules.find(({ codes }) => codes.includes(code))?.advice?.[code];
}
