import { StackferryError } from '../core/index.js';
import type { Inventory } from '../esxi/index.js';
import type { Cloud, Port } from '../openstack/index.js';
import { settleParts } from './check-choices.js';
import { readTargetFacts } from './check-target.js';
import { readCloudFacts } from './cloud-facts.js';
import { standing } from './findings/accept.js';
import type { Finding } from './findings/index.js';
import { readHost } from './make-plan.js';
import { changesOf, type PlanDocument } from './plan/document/index.js';
import { preflight } from './preflight/index.js';
import type { SessionBase } from './session.js';

/** What has changed since a plan was made. */
export interface PlanDifference {
  /** Null for what all VMs of the plan share: quota, roles. */
  vm: string | null;
  id: string | null;
  /** `host` or `cloud`: where it changed. */
  side: 'host' | 'cloud';
  subject: string;
  change: string;
  /** The code by which `check` tells it; null for a change of the host. */
  code: string | null;
  /** `migrate` would refuse the plan because of it. */
  material: boolean;
}

/** Compares a plan with the host and the cloud as they are now. Reads, and changes nothing. */
export async function diffPlan(base: SessionBase, plan: PlanDocument): Promise<PlanDifference[]> {
  const inventory = await readPlanned(base, plan);
  const cloud = await base.doors.cloud(base.ctx);
  assertSameCloud(plan, cloud);
  const inCloud = await cloudChanges(cloud, plan);
  const ofVms = plan.vms.flatMap((planned): PlanDifference[] => {
    const { id, name } = planned.vm;
    const vm = inventory.vms.find((item) => item.id === id);
    const onHost = vm
      ? changesOf(planned, vm)
      : [{ subject: 'vm', message: 'it is no longer on the host', material: true }];
    return [
      ...onHost.map(({ subject, message, material }): PlanDifference => ({
        vm: name,
        id,
        side: 'host',
        subject,
        change: message,
        code: null,
        material,
      })),
      ...inCloud.filter((change) => change.id === id),
    ];
  });
  return [...ofVms, ...inCloud.filter(({ id }) => id === null)];
}

/** The inventory of the VMs of a plan. One that is gone from the host, or cannot be read, is only not in it. */
export async function readPlanned(base: SessionBase, plan: PlanDocument): Promise<Inventory> {
  const ids = plan.vms.map(({ vm }) => `id:${vm.id}`);
  return readHost(base, ids).catch((error: unknown) => {
    // That is a difference, not a failure: all are read then, and looked up.
    const away = ['vm.not_found', 'vm.unreadable'];
    if (error instanceof StackferryError && away.includes(error.code)) return readHost(base, ['*']);
    throw error;
  });
}

/** Warnings of `check` that tell a change; others (the default security group, say) held when the plan was made, too. */
const CHANGES = ['cloud.mac_taken', 'cloud.small_flavor'];

/**
 * What the plan asks of the cloud and can no longer have, by the rules of `check` for all its VMs together. What the plan
 * accepts is left out.
 */
async function cloudChanges(cloud: Cloud, plan: PlanDocument): Promise<PlanDifference[]> {
  const facts = await readCloudFacts(cloud, { keypairs: plan.vms.some(({ server }) => server.key_name !== null) });
  const settled = plan.vms.map((planned) => settleParts(planned, facts));
  const items = settled.map(({ item }) => item);
  const read = await readTargetFacts(cloud, facts, items);
  // The ports that the plan itself has made since are not in its way.
  const names = new Set(plan.vms.flatMap(({ ports }) => ports.map(({ name }) => name)));
  const isOwn = ({ name, description }: Port) => names.has(name) && description.startsWith('stackferry_run=');
  const target = { ...read, ports: read.ports.filter((port) => !isOwn(port)) };
  const found = preflight({ vms: items, target, host: null, converter: null });
  const told = [
    ...settled.flatMap(({ item, findings }) => findings.map((one) => ({ of: item, one }))),
    ...found.flatMap(({ place, finding: one }) => {
      const of = typeof place === 'object' ? items.find(({ id }) => id === place.vm) : undefined;
      return [{ of: of ?? null, one }];
    }),
  ].filter(({ one }) => one.severity === 'blocker' || CHANGES.includes(one.code));
  const stands = new Set<Finding>(
    standing(
      told.map(({ one }) => one),
      plan.accept,
    ).standing,
  );
  return told.flatMap(({ of, one }): PlanDifference[] =>
    stands.has(one)
      ? [
          {
            vm: of?.name ?? null,
            id: of?.id ?? null,
            side: 'cloud',
            // On the host's side `vm` is the VM.
            subject: one.subject === 'vm' ? 'server' : one.subject,
            change: one.message,
            code: one.code,
            material: one.severity === 'blocker',
          },
        ]
      : [],
  );
}

/** A plan belongs to one project of one cloud: its names mean other things elsewhere. */
export function assertSameCloud(plan: PlanDocument, cloud: Pick<Cloud, 'authUrl' | 'project'>): void {
  if (plan.cloud.project_id === cloud.project.id) return;
  throw new StackferryError(
    'plan.other_cloud',
    `The plan is for project ${plan.cloud.project_name} of ${plan.cloud.auth_url}, not for ${cloud.project.name} of ${cloud.authUrl}.`,
    { hint: 'Use --os-cloud (or the OS_* variables) of that project, or make the plan anew.', exitCode: 3 },
  );
}
