import { StackferryError, UsageError } from '../core/index.js';
import { selectVms, withoutSkipped, type Inventory, type VmRecord } from '../esxi/index.js';
import type { Cloud } from '../openstack/index.js';
import { chooseParts, findingOf, noParts, settleParts } from './check-choices.js';
import { judge, type CheckResult, type Found } from './check-result.js';
import { readTargetFacts } from './check-target.js';
import { readCloudFacts, type CloudFacts } from './cloud-facts.js';
import { attachProblem, readConverterFacts } from './converter-facts.js';
import { assertSameCloud, readPlanned } from './diff-plan.js';
import { chosenSkipped, withoutExcluded } from './exclude.js';
import { assertAcceptable, idle } from './findings/accept.js';
import { finding } from './findings/finding.js';
import { findingsOf, type Finding } from './findings/index.js';
import { readHostFacts, unreadHost, type HostFacts } from './host-facts.js';
import {
  assertNames,
  ofProject,
  optionsOf,
  readHost,
  tellIdle,
  tellIdleDatastores,
  type PlanRequest,
} from './make-plan.js';
import type { SourceAddress } from './migrate.js';
import { changesOf, seenOf, type PlanDocument, type PlannedVm } from './plan/document/index.js';
import { preflight, quotaNeed, quotaRows, stagingNeed, type PreflightVm, type TargetFacts } from './preflight/index.js';
import { chooseDisks, isOnWhatMoves, weighed } from './read-source.js';
import { daysSince, savedWhen } from './saved-age.js';
import type { SessionBase } from './session.js';

export type { CheckFinding, CheckResult, CheckState } from './check-result.js';

/** What is to be checked: the VMs of a plan, or VMs of the host with the options that `plan` and `migrate` take. */
export type CheckSubject =
  | { plan: PlanDocument; /** Only those of the plan that fit. */ selectors?: readonly string[] }
  | Pick<PlanRequest, 'selectors' | 'options' | 'skipDisks' | 'rules'>;

export interface CheckRequest {
  subject: CheckSubject;
  /** As of `--exclude`: none of these. */
  exclude?: readonly string[];
  address: SourceAddress;
  /** Saved before; the host is read where it is unset. */
  inventory?: Inventory;
  /** When that was read (ISO 8601); null or unset where nobody knows. */
  savedAt?: string | null;
  /** `CODE` or `CODE:SUBJECT`, beside those of the plan. */
  accept: readonly string[];
  /** `migrate` is going to be allowed to shut running VMs down. */
  powerOff: boolean;
  forceOff: boolean;
  /** Absolute; where disks are going to be staged. */
  stagingDir: string;
}

const ACCEPT_SOURCES = ['--accept', 'accept in the plan:'] as const;

/** Whether disks are to be written to attached volumes (`--via cinder`). */
function wantsAttached(subject: CheckSubject): boolean {
  return 'plan' in subject ? subject.plan.vms.some(({ via }) => via === 'cinder') : subject.options.via === 'cinder';
}

/** One VM as far as it could be settled, and what was found on it so far. */
interface Looked {
  item: PreflightVm;
  findings: Finding[];
}

/**
 * Looks at everything that a migration depends on, for all VMs together: sources, host, cloud and this machine. Reads,
 * and changes nothing. What stands in the way is told in the result, all of it at once.
 * @throws StackferryError where nothing can be said: no such VM, a login that the host refuses, a plan for another
 *   cloud, `accept.refused`.
 */
export async function check(base: SessionBase, request: CheckRequest): Promise<CheckResult> {
  const { subject } = request;
  const said = { '--accept': request.accept, 'accept in the plan:': 'plan' in subject ? subject.plan.accept : [] };
  for (const source of ACCEPT_SOURCES) assertAcceptable(said[source], source);
  const source = await readSourceSide(base, request);
  const cloudSide = await readCloudSide(base, subject);
  const looked =
    'plan' in subject
      ? lookAtPlan(base, { ...subject, exclude: request.exclude ?? [] }, source.inventory, cloudSide)
      : lookAtVms(base, request, subject, source.inventory, cloudSide);
  const items = looked.map(({ item }) => item);
  const target = await readTarget(cloudSide, items);
  const here = await readConverterFacts(base.ctx, request.stagingDir);
  const attach = cloudSide.cloud && wantsAttached(subject) ? await attachProblem(cloudSide.cloud, base.ctx) : null;
  const converter = attach ? { ...here, attach } : here;
  const found = preflight({ vms: items, target, host: source.host, converter });
  const of = (side: 'cloud' | 'host' | 'converter') =>
    found.filter(({ place }) => place === side).map((item) => item.finding);
  const { dir, freeBytes } = converter.staging;
  const all = {
    vms: looked.map(({ item, findings }) => ({
      vm: item.name,
      id: item.id,
      findings: [
        ...findings.map((one) =>
          weighed(one, { powerOff: request.powerOff || request.forceOff, forceOff: request.forceOff }),
        ),
        ...found.flatMap(({ place, finding: one }) => (typeof place === 'object' && place.vm === item.id ? [one] : [])),
      ],
    })),
    cloud: {
      name: cloudSide.cloud?.name ?? null,
      project: cloudSide.cloud?.project.name ?? null,
      findings: [...cloudSide.findings, ...of('cloud')],
      quota: target ? quotaRows(target.limits, quotaNeed(target, items)) : [],
    },
    host: { name: request.address.host, saved: savedOf(base, request), findings: of('host') },
    converter: {
      node: converter.node,
      qemu_img: converter.qemuImg,
      staging: { path: dir, free_bytes: freeBytes, needed_bytes: stagingNeed(items).bytes },
      findings: of('converter'),
    },
  };
  const findings = [...all.vms, all.cloud, all.host, all.converter].flatMap((side) => side.findings);
  // What a plan accepts may be for VMs of it that are not looked at now.
  const isPart = 'plan' in subject && (subject.selectors ?? request.exclude) !== undefined;
  for (const source of isPart ? (['--accept'] as const) : ACCEPT_SOURCES) {
    for (const text of idle(said[source], findings)) {
      base.ctx.events.emit({ kind: 'notice', message: `${source} ${text} fits nothing that was found.` });
    }
  }
  return judge(all, Object.values(said).flat());
}

/** The saved inventory that is looked at, by its age. */
function savedOf(base: SessionBase, { inventory, savedAt = null }: CheckRequest): Found['host']['saved'] {
  return inventory ? { at: savedAt, when: savedWhen(savedAt, base.ctx.clock.now()) } : null;
}

async function readSourceSide(
  base: SessionBase,
  { subject, inventory, savedAt = null }: CheckRequest,
): Promise<{ inventory: Inventory | null; host: HostFacts }> {
  if (inventory) {
    const { license } = inventory.host;
    const days = daysSince(savedAt, base.ctx.clock.now());
    const host = { license, shellSeconds: null, ssh: null, datastores: inventory.datastores, problem: null };
    return { inventory, host: { ...host, ...(days === null ? {} : { savedDays: days }) } };
  }
  try {
    const host = await base.doors.host(base.ctx);
    const read =
      'plan' in subject ? await readPlanned(base, subject.plan) : await readHost(base, [...subject.selectors]);
    return { inventory: read, host: await readHostFacts(host, read) };
  } catch (error) {
    const isFinding =
      error instanceof StackferryError && ['host.no_ssh', 'esxi.legacy_algorithms'].includes(error.code);
    if (!isFinding) throw error;
    return { inventory: null, host: unreadHost(error) };
  }
}

interface CloudSide {
  cloud: Cloud | null;
  facts: CloudFacts | null;
  /** Why it could not be read. */
  findings: Finding[];
}

async function readCloudSide(base: SessionBase, subject: CheckSubject): Promise<CloudSide> {
  let cloud: Cloud | null = null;
  try {
    cloud = await base.doors.cloud(base.ctx);
    if ('plan' in subject) assertSameCloud(subject.plan, cloud);
    return {
      cloud,
      facts: await readCloudFacts(cloud, { keypairs: wantsKeypairs(subject), measured: base.store.measured }),
      findings: [],
    };
  } catch (error) {
    return { cloud, facts: null, findings: [cloudProblem(error)] };
  }
}

/** A cloud that refuses or does not answer is a finding; a configuration that cannot be meant is an error as ever. */
function cloudProblem(error: unknown): Finding {
  if (!(error instanceof StackferryError) || !error.code.startsWith('cloud.')) throw error;
  return findingOf(error, 'cloud');
}

function wantsKeypairs(subject: CheckSubject): boolean {
  if ('plan' in subject) return subject.plan.vms.some(({ server }) => server.key_name !== null);
  return (
    subject.options.keyName !== undefined || subject.rules?.vms.some((rule) => rule.key_name !== undefined) === true
  );
}

async function readTarget(side: CloudSide, items: readonly PreflightVm[]): Promise<TargetFacts | null> {
  if (!side.cloud || !side.facts) return null;
  try {
    return await readTargetFacts(side.cloud, side.facts, items);
  } catch (error) {
    side.findings.push(cloudProblem(error));
    return null;
  }
}

function lookAtPlan(
  base: SessionBase,
  { plan, selectors, exclude }: { plan: PlanDocument; selectors?: readonly string[]; exclude: readonly string[] },
  inventory: Inventory | null,
  { facts }: CloudSide,
): Looked[] {
  const all = plan.vms.map(({ vm }) => vm);
  const chosen = selectors === undefined ? all : selectVms({ vms: all }, selectors);
  const ids = withoutExcluded(base, chosen, exclude).map(({ id }) => id);
  return plan.vms
    .filter(({ vm }) => ids.includes(vm.id))
    .map((planned) => {
      const now = inventory?.vms.find(({ id }) => id === planned.vm.id);
      const labels = planned.vm.disks.map(({ label }) => label).filter((label) => !planned.skip_disks.includes(label));
      const settled = facts
        ? settleParts(planned, facts)
        : { item: noParts(planned.vm, labels), findings: [] as Finding[] };
      return {
        // What the rules look at is the VM as it is; its entry in the plan says what becomes of it.
        item: { ...settled.item, vm: now ? seenOf(now) : planned.vm },
        findings: [
          ...(inventory ? since(planned, now, inventory) : []),
          ...(inventory && now ? sourceFindings(now, labels, inventory) : []),
          ...settled.findings,
        ],
      };
    });
}

/** What has changed on the host so that the plan no longer fits. */
function since(planned: PlannedVm, now: VmRecord | undefined, inventory: Inventory): Finding[] {
  const outdated = (subject: string, message: string) =>
    finding('plan.outdated', 'blocker', subject, {
      message: `It has changed since the plan was made: ${message}.`,
      remedy: `See all changes: stackferry plan --diff PLAN. Make the plan anew: stackferry plan --vm id:${planned.vm.id} -o FILE`,
    });
  if (now) {
    return changesOf(planned, now)
      .filter(({ material }) => material)
      .map(({ subject, message }) => outdated(subject, message));
  }
  const skipped = inventory.skipped.find(({ id }) => id === planned.vm.id);
  return skipped ? [unreadable(skipped.reason)] : [outdated('vm', 'it is no longer on the host')];
}

function unreadable(reason: string): Finding {
  return finding('vm.unreadable', 'blocker', 'vm', {
    message: `The host's entry of it cannot be read. ${reason}`,
    remedy: 'Repair or register it anew on the host, then try again.',
  });
}

/** What the host says of the VM, as far as it moves. */
function sourceFindings(vm: VmRecord, labels: readonly string[], inventory: Inventory): Finding[] {
  const findings = findingsOf(vm, inventory);
  return findings.filter((one) => isOnWhatMoves({ inventory, vm, findings }, labels, one));
}

function lookAtVms(
  base: SessionBase,
  { address, exclude = [] }: CheckRequest,
  subject: Pick<PlanRequest, 'selectors' | 'options' | 'skipDisks' | 'rules'>,
  inventory: Inventory | null,
  { cloud, facts }: CloudSide,
): Looked[] {
  if (!inventory) return [];
  // One that cannot be read is told among the others below.
  const readable = withoutSkipped(inventory, subject.selectors);
  const chosen = withoutExcluded(base, selectVms(inventory, readable), exclude);
  const skip = subject.skipDisks ?? [];
  if (chosen.length > 1 && skip.length > 0) {
    throw new UsageError(
      '--skip-disk names a disk of one VM, and several are checked.',
      'Check a plan instead: there it is skip_disks of each VM.',
    );
  }
  assertNames(subject.options.name, chosen.length);
  tellIdle(base, subject.rules, chosen);
  tellIdleDatastores(base, subject.options, chosen);
  const vms = cloud && chosen.length > 0 ? ofProject(base, chosen, subject.rules, cloud.project) : chosen;
  const context = { host: address.host, now: new Date(base.ctx.clock.now()) };
  const looked = vms.map((vm) => {
    const { labels, findings } = movingDisks(vm, skip);
    const found = [...sourceFindings(vm, labels, inventory), ...findings];
    if (!facts) return { item: noParts(seenOf(vm), labels), findings: found };
    const options = optionsOf(vm, { options: subject.options, address, ...rulesOf(subject) }, facts);
    const { item, findings: open } = chooseParts(vm, labels, options, facts, context);
    return { item, findings: [...found, ...open] };
  });
  return [...looked, ...skipped(inventory, subject.selectors, exclude)];
}

/** VMs that were chosen and that the inventory had to leave out. */
function skipped(inventory: Inventory, selectors: readonly string[], exclude: readonly string[]): Looked[] {
  return chosenSkipped(inventory, selectors, exclude).map(({ id, name, reason }) => {
    const unknown = { uuid: null, power_state: null, guest_id: null, cpus: null, memory_mib: null, firmware: null };
    const parts = { secure_boot: null, snapshots: 0, disks: [], nics: [] };
    const vm = { id, name: name ?? `id:${id}`, ...unknown, ...parts };
    return { item: noParts(vm, []), findings: [unreadable(reason)] };
  });
}

const rulesOf = ({ rules }: Pick<PlanRequest, 'rules'>) => (rules === undefined ? {} : { rules });

/** The disks that move. A VM without any has its finding from the source; one whose disks are all left out gets one. */
function movingDisks(vm: VmRecord, skip: readonly string[]): { labels: string[]; findings: Finding[] } {
  try {
    return { labels: chooseDisks(vm, { skip }), findings: [] };
  } catch (error) {
    return { labels: [], findings: vm.disks.length === 0 ? [] : [findingOf(error, 'vm')] };
  }
}
