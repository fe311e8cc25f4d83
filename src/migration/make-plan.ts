import { StackferryError, UsageError } from '../core/index.js';
import { selectVms, type Inventory, type VmRecord } from '../esxi/index.js';
import { isStaged } from './estimate/disk-bytes.js';
import { chosenSkipped, withoutExcluded } from './exclude.js';
import { readCloudFacts, type CloudFacts } from './cloud-facts.js';
import { assertAcceptable, standing } from './findings/accept.js';
import { findingsOf, type Finding } from './findings/index.js';
import {
  PLAN_VERSION,
  describeVm,
  explainVm,
  type Comment,
  type PlanDocument,
  type PlannedVm,
  type ResolvedVm,
} from './plan/document/index.js';
import { defaultMapping, type MappingOptions } from './plan/options.js';
import { cloudSectionOf } from './plan/resolve.js';
import { viaForesight } from './plan/resolve-via.js';
import { idleDatastores } from './plan/resolve-volumes.js';
import { applyRules, expandTemplate, idleRules, projectOf, tellsApart, type MappingRules } from './plan/rules/index.js';
import { chooseDisks } from './read-source.js';
import { resolveVm } from './resolve-vm.js';
import type { SessionBase } from './session.js';
import type { SourceAddress } from './migrate.js';

export interface PlanRequest {
  /** As of `--vm`; `*` for all. */
  selectors: readonly string[];
  /** As of `--exclude`: none of these. */
  exclude?: readonly string[];
  address: SourceAddress;
  options: Partial<MappingOptions>;
  /** Of the one VM that is planned; with several it would be said of which. */
  skipDisks?: readonly string[];
  /** Saved before; the host is read where it is unset. */
  inventory?: Inventory;
  /** When that was read (ISO 8601); null where its file does not say. */
  savedAt?: string | null;
  accept?: readonly string[];
  rules?: MappingRules;
}

/** A VM of a plan with everything that was looked at for it. */
export interface PlanItem {
  vm: VmRecord;
  planned: PlannedVm;
  resolved: ResolvedVm;
  findings: Finding[];
  comments: Comment[];
}

export interface LeftOut {
  id: string;
  name: string;
  /** Of the error that says why. */
  code: string;
}

export interface MadePlan {
  plan: PlanDocument;
  items: PlanItem[];
  /** VMs that were chosen and are not in the plan, for something could not be chosen or read; each was told. */
  leftOut: LeftOut[];
  facts: CloudFacts;
  inventory: Inventory;
}

/**
 * Makes a plan: reads, and changes nothing. A VM with a blocker is planned, too, and its findings are told. One for which
 * a choice cannot be made is left out and told as a warning, and costs the others nothing.
 * @throws UsageError for an acceptance that no finding is called; StackferryError `accept.refused` (exit code 3) for one
 *   of a blocker that cannot be overridden; `plan.unresolved` (exit code 3) where no VM can be planned; with one VM, the
 *   choice's own error.
 */
export async function makePlan(base: SessionBase, request: PlanRequest): Promise<MadePlan> {
  const accept = request.accept ?? [];
  assertAcceptable(accept);
  const inventory = request.inventory ?? (await readHost(base, request.selectors));
  const exclude = request.exclude ?? [];
  const vms = withoutExcluded(base, selectVms(inventory, request.selectors), exclude);
  if (vms.length > 1 && (request.skipDisks ?? []).length > 0) {
    throw new UsageError(
      '--skip-disk names a disk of one VM, and several are planned.',
      'Make the plan, and move the label to skip_disks of its VM there.',
    );
  }
  const cloud = await base.doors.cloud(base.ctx);
  assertNames(request.options.name, vms.length);
  const rules = request.rules;
  const keys = request.options.keyName !== undefined || rules?.vms.some((rule) => rule.key_name !== undefined) === true;
  const facts = await readCloudFacts(cloud, { keypairs: keys, measured: base.store.measured });
  const now = new Date(base.ctx.clock.now());
  const foresee = viaForesight(cloud, base.ctx);
  const items: PlanItem[] = [];
  tellIdle(base, rules, vms);
  tellIdleDatastores(base, request.options, vms);
  const failed: Failed[] = unread(inventory, request.selectors, exclude);
  for (const vm of ofProject(base, vms, rules, cloud.project)) {
    const skip = request.skipDisks ?? [];
    try {
      const labels = chooseDisks(vm, { skip });
      const options = optionsOf(vm, request, facts);
      const resolved = resolveVm(vm, labels, options, facts, { host: request.address.host, now });
      const planned = describeVm(vm, skip, resolved, facts);
      const findings = findingsOf(vm, inventory);
      const moving = vm.disks.filter(({ label }) => labels.includes(label));
      const via = await foresee(options.via ?? 'auto', !isStaged(moving));
      items.push({ vm, planned, resolved, findings, comments: explainVm(vm, planned, resolved, facts, findings, via) });
    } catch (error) {
      if (!(error instanceof StackferryError)) throw error;
      if (vms.length + failed.length === 1) throw error;
      failed.push({ vm, error });
    }
  }
  standing(
    items.flatMap(({ findings }) => findings),
    accept,
  );
  const [wrong] = failed;
  // A wrong command line is wrong for all of them, and told once.
  if (wrong && items.length === 0 && failed.every(({ error }) => error instanceof UsageError)) throw wrong.error;
  for (const one of failed) tell(base, one);
  if (items.length === 0) throw unresolved(failed);
  return {
    plan: {
      version: PLAN_VERSION,
      created_at: now.toISOString(),
      ...(request.savedAt === undefined ? {} : { inventory_saved_at: request.savedAt }),
      source: { ...request.address },
      cloud: cloudSectionOf(cloud),
      accept: [...accept],
      vms: items.map((item) => item.planned),
    },
    items,
    leftOut: failed.map(({ vm, error }) => ({ id: vm.id, name: vm.name, code: error.code })),
    facts,
    inventory,
  };
}

/** The options of one VM: what was said, and for the rest the rules and the defaults. */
export function optionsOf(
  vm: VmRecord,
  request: Pick<PlanRequest, 'options' | 'address' | 'rules'>,
  facts: CloudFacts,
): MappingOptions {
  const { name, ...said } = request.options;
  const { host } = request.address;
  const given = { ...said, ...(name === undefined ? {} : { name: expandTemplate(name, vm, host) }) };
  const ruled = request.rules ? applyRules(vm, request.rules, given, facts, host) : given;
  return { ...defaultMapping, ...ruled };
}

/** The VMs that the rules give to this project, or to none. */
export function ofProject(
  base: SessionBase,
  vms: readonly VmRecord[],
  rules: MappingRules | undefined,
  project: { id: string; name: string },
): VmRecord[] {
  if (!rules) return [...vms];
  const here = vms.filter((vm) => {
    const found = projectOf(vm, rules);
    if (!found || found.project === project.name || found.project === project.id) return true;
    const message = `${vm.name} is left out: ${found.rule} gives it to project ${found.project}, and this is ${project.name}.`;
    base.ctx.events.emit({ kind: 'notice', message });
    return false;
  });
  if (here.length > 0) return here;
  throw new StackferryError('plan.empty', `The rules give none of the ${vms.length} VMs to project ${project.name}.`, {
    hint: 'Log in to their project (--os-project-name), or correct the rules.',
    exitCode: 3,
  });
}

/** Tells which rules do nothing: one that was meant to may have a slip in its conditions. */
export function tellIdle(base: SessionBase, rules: MappingRules | undefined, vms: readonly VmRecord[]): void {
  if (!rules) return;
  for (const message of idleRules(rules, vms)) base.ctx.events.emit({ kind: 'notice', message });
}

/** Tells which datastores of `--volume-type DATASTORE=TYPE` none of the VMs has a disk on. */
export function tellIdleDatastores(
  base: SessionBase,
  options: Partial<MappingOptions>,
  vms: readonly VmRecord[],
): void {
  const disks = vms.flatMap((vm) => vm.disks);
  for (const datastore of idleDatastores(disks, options)) {
    const message = `--volume-type ${datastore}=… fits no disk: none lies on such a datastore.`;
    base.ctx.events.emit({ kind: 'notice', message });
  }
}

/** Several servers must not come to bear one name. */
export function assertNames(name: string | undefined, count: number): void {
  if (name === undefined || count < 2 || tellsApart(name)) return;
  throw new UsageError(
    `--name ${name} would give ${count} servers the same name.`,
    "Make it a template: --name '{name}-new'. It may hold {name}, {id}, {uuid} and {host}.",
  );
}

/** The inventory of the VMs that fit. */
export async function readHost(base: SessionBase, selectors: readonly string[]): Promise<Inventory> {
  const host = await base.doors.host(base.ctx);
  return host.inventory({ only: [...selectors] });
}

interface Failed {
  vm: { id: string; name: string };
  error: StackferryError;
}

/** VMs that a glob fits and whose entry on the host could not be read. */
function unread(inventory: Inventory, selectors: readonly string[], exclude: readonly string[]): Failed[] {
  return chosenSkipped(inventory, selectors, exclude).map(({ id, name, reason }) => ({
    vm: { id, name: name ?? `id:${id}` },
    error: new StackferryError('vm.unreadable', `The host's entry of it cannot be read. ${reason}`, {
      hint: 'Repair or register it anew on the host.',
    }),
  }));
}

function tell(base: SessionBase, { vm, error }: Failed): void {
  base.ctx.events.emit({
    kind: 'warning',
    code: error.code,
    message: `${vm.name} is not in the plan: ${error.message}`,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

function unresolved(failed: readonly Failed[]): StackferryError {
  const names = failed.map(({ vm }) => vm.name);
  const shown = names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
  return new StackferryError('plan.unresolved', `None of ${failed.length} VMs can be planned: ${shown}.`, {
    hint: 'Each is explained above. No plan was written.',
    exitCode: 3,
  });
}
