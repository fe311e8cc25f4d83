import { StackferryError, UsageError } from '../../core/index.js';
import { selectVms, type EsxiHost, type Inventory, type VmRecord } from '../../esxi/index.js';
import type { SshShell } from '../../esxi/ssh/index.js';
import type { Cloud } from '../../openstack/index.js';
import { readCloudFacts } from '../cloud-facts.js';
import { assertSameCloud } from '../diff-plan.js';
import { standing } from '../findings/accept.js';
import { findingsOf, type Finding } from '../findings/index.js';
import { makePlan, readHost, type PlanRequest } from '../make-plan.js';
import { changesOf, settleVm, type PlanDocument, type PlannedVm, type ResolvedVm } from '../plan/document/index.js';
import { isOnWhatMoves, standingBlockers } from '../read-source.js';
import { savedWhen } from '../saved-age.js';
import type { SessionBase } from '../session.js';
import { readDiskFiles, usualFiles } from './disk-files.js';
import type { GuideCloud, GuideInput } from './types.js';

/** Variables for the guide's shell, who makes it, and what of. */
export interface GuideOrigin {
  variables: GuideCloud['variables'];
  program: string;
  /** `SHA256:…` of the host's SSH key, where it was said and the host is not asked. */
  fingerprint?: string;
  /** Made of this, and the host is not asked: its files have their usual names. `at` (ISO 8601) is when it was read. */
  saved?: { inventory: Inventory; at: string | null };
}

/** The guide of one VM of the host, with the choices that a plan would hold. Reads, and changes nothing. */
export async function guideOfVm(base: SessionBase, request: PlanRequest, origin: GuideOrigin): Promise<GuideInput> {
  const inventory = origin.saved?.inventory ?? (await readHost(base, request.selectors));
  oneOf(selectVms(inventory, request.selectors), (vm) => `${vm.name} (id:${vm.id})`, request.selectors.join(', '));
  const made = await makePlan(base, { ...request, inventory });
  const [item] = made.items;
  if (!item) throw new Error('a plan without a VM');
  return inputOf(base, item.vm, item.planned, item.resolved, {
    ...origin,
    program: `${origin.program}, on ${made.plan.created_at.slice(0, 10)}`,
    address: request.address,
    inventory,
    accept: request.accept ?? [],
  });
}

/**
 * The guide of one VM of a plan file.
 * @throws StackferryError `plan.outdated` where the VM is no longer what the plan was made for; `plan.other_cloud`.
 */
export async function guideOfPlan(
  base: SessionBase,
  plan: PlanDocument,
  selector: string | undefined,
  origin: GuideOrigin,
): Promise<GuideInput> {
  const planned = oneOf(
    plan.vms.filter(({ vm }) => selector === undefined || isMeant(vm, selector)),
    ({ vm }) => `${vm.name} (id:${vm.id})`,
    selector,
  );
  const inventory = origin.saved?.inventory ?? (await readHost(base, [`id:${planned.vm.id}`]));
  const vm = inventory.vms.find(({ id }) => id === planned.vm.id);
  if (!vm) {
    const where = origin.saved ? 'not in the saved inventory' : 'no longer on the host';
    throw new UsageError(`VM ${planned.vm.name} (id:${planned.vm.id}) of the plan is ${where}.`);
  }
  const changes = changesOf(planned, vm).filter(({ material }) => material);
  if (changes.length > 0) {
    const what = changes.map(({ subject, message }) => (subject === 'vm' ? message : `${subject}: ${message}`));
    throw new StackferryError('plan.outdated', `${vm.name} has changed since the plan was made: ${what.join('; ')}.`, {
      hint: 'Make the plan anew: stackferry plan --vm NAME -o FILE',
      exitCode: 3,
    });
  }
  const cloud = await base.doors.cloud(base.ctx);
  assertSameCloud(plan, cloud);
  const facts = await readCloudFacts(cloud, { keypairs: planned.server.key_name !== null });
  return inputOf(base, vm, planned, settleVm(planned, facts), {
    ...origin,
    program: `${origin.program}, from the plan of ${plan.created_at.slice(0, 10)}`,
    address: plan.source,
    inventory,
    accept: plan.accept,
  });
}

function isMeant(vm: PlannedVm['vm'], selector: string): boolean {
  return vm.name === selector || `id:${vm.id}` === selector || `uuid:${vm.uuid ?? ''}` === selector.toLowerCase();
}

function oneOf<T>(found: readonly T[], name: (item: T) => string, selector: string | undefined): T {
  const [only, ...more] = found;
  if (!only) throw new UsageError(`No VM fits --vm ${selector ?? ''}.`, 'List them with: stackferry inventory');
  if (more.length === 0) return only;
  const names = found.map(name);
  const shown = names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ');
  throw new UsageError(`A guide is for one VM, and these are ${found.length}: ${shown}.`, 'Name one: --vm id:N');
}

async function inputOf(
  base: SessionBase,
  vm: VmRecord,
  planned: PlannedVm,
  resolved: ResolvedVm,
  given: GuideOrigin & { address: PlanRequest['address']; inventory: Inventory; accept: readonly string[] },
): Promise<GuideInput> {
  const { saved } = given;
  const [host, cloud] = await Promise.all([saved ? undefined : base.doors.host(base.ctx), base.doors.cloud(base.ctx)]);
  const labels = planned.volumes.map(({ label }) => label);
  const moving = vm.disks.filter(({ label }) => labels.includes(label));
  const gone = labels.find((label) => !moving.some((disk) => disk.label === label));
  if (gone !== undefined) throw new UsageError(`The plan names disk ${gone}, which ${vm.name} does not have.`);
  return {
    origin: `Made by ${given.program}${saved ? ofSaved(saved, base.ctx.clock.now()) : ''}. Nothing was changed to make it.`,
    vm,
    host: { ...given.address, fingerprint: host ? fingerprintOf(host) : (given.fingerprint ?? null) },
    cloud: {
      name: cloud.name,
      project_id: cloud.project.id,
      project_name: cloud.project.name,
      variables: given.variables,
      compute: await computeVersion(cloud),
    },
    disks: host ? await readDiskFiles(host.shell, moving, base.ctx) : moving.map(usualFiles),
    skipped: vm.disks.map(({ label }) => label).filter((label) => !labels.includes(label)),
    images: planned.images,
    volumes: planned.volumes,
    ports: planned.ports.map((port, index) => speakable(port, resolved.ports[index]?.fixed_ips ?? null)),
    server: { ...planned.server, create_flavor: resolved.server.create_flavor ?? null },
    waitFor: planned.wait_for,
    via: planned.via === 'cinder' ? 'cinder' : 'glance',
    ...judged(vm, labels, given),
  };
}

/** What is found on what moves, and what of it stands in the way. The guide's own steps shut a running VM down. */
function judged(
  vm: VmRecord,
  labels: readonly string[],
  { inventory, accept }: { inventory: Inventory; accept: readonly string[] },
): { findings: Finding[]; blockers: Finding[] } {
  const source = { inventory, vm, findings: findingsOf(vm, inventory) };
  const blockers = standing(standingBlockers(source, labels, { powerOff: true }), accept).standing;
  return { findings: source.findings.filter((one) => isOnWhatMoves(source, labels, one)), blockers };
}

function ofSaved({ at }: NonNullable<GuideOrigin['saved']>, now: number): string {
  return `, of a saved inventory of ${savedWhen(at, now)}: the host was not asked, and the disks' data files have the names that ESXi gives them`;
}

/** The client splits `--fixed-ip` at commas: a subnet whose name holds one is called by its id. */
function speakable(
  port: GuideInput['ports'][number],
  fixed: ResolvedVm['ports'][number]['fixed_ips'],
): GuideInput['ports'][number] {
  const addresses = port.addresses?.map((address, index) => {
    const id = fixed?.[index]?.subnet_id;
    return address.subnet !== undefined && /[,=]/.test(address.subnet) && id !== undefined
      ? { ...address, subnet: id }
      : address;
  });
  return { ...port, addresses: addresses ?? null };
}

/** The key by which the host has just been recognised; one that nobody compared with anything proves nothing. */
function fingerprintOf({ shell }: EsxiHost): string | null {
  if (!('facts' in shell)) return null;
  const { facts } = shell as SshShell;
  return facts.hostKeyTrust === 'insecure' ? null : facts.hostKeyFingerprint;
}

async function computeVersion(cloud: Cloud): Promise<string | null> {
  return (await cloud.services()).find(({ type }) => type === 'compute')?.microversion ?? null;
}
