import { StackferryError } from '../core/index.js';
import type { Inventory } from '../esxi/index.js';
import type { Cloud } from '../openstack/index.js';
import { readCloudFacts, type CloudFacts } from './cloud-facts.js';
import { readHost } from './make-plan.js';
import {
  changesOf,
  settlePort,
  settleServer,
  settleVolume,
  type PlanDocument,
  type PlannedVm,
} from './plan/document/index.js';
import type { SessionBase } from './session.js';

/** What has changed since a plan was made. */
export interface PlanDifference {
  vm: string;
  id: string;
  /** `host` or `cloud`: where it changed. */
  side: 'host' | 'cloud';
  subject: string;
  change: string;
  /** `migrate` would refuse the plan because of it. */
  material: boolean;
}

/** Compares a plan with the host and the cloud as they are now. Reads, and changes nothing. */
export async function diffPlan(base: SessionBase, plan: PlanDocument): Promise<PlanDifference[]> {
  const inventory = await readPlanned(base, plan);
  const cloud = await base.doors.cloud(base.ctx);
  assertSameCloud(plan, cloud);
  const facts = await readCloudFacts(cloud, { keypairs: plan.vms.some(({ server }) => server.key_name !== null) });
  return plan.vms.flatMap((planned) => {
    const { id, name } = planned.vm;
    const vm = inventory.vms.find((item) => item.id === id);
    const onHost = vm
      ? changesOf(planned, vm)
      : [{ subject: 'vm', message: 'it is no longer on the host', material: true }];
    return [
      ...onHost.map(({ subject, message, material }) => ({
        vm: name,
        id,
        side: 'host' as const,
        subject,
        change: message,
        material,
      })),
      ...cloudChanges(planned, facts).map((change) => ({ vm: name, id, side: 'cloud' as const, ...change })),
    ];
  });
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

/** What of the plan the cloud no longer has: each is looked up by itself, so that all are told at once. */
function cloudChanges(planned: PlannedVm, facts: CloudFacts): { subject: string; change: string; material: boolean }[] {
  const { vm, server } = planned;
  const found: { subject: string; change: string; material: boolean }[] = [];
  const look = (subject: string, settle: () => unknown) => {
    try {
      settle();
    } catch (error) {
      if (!(error instanceof StackferryError)) throw error;
      found.push({ subject, change: error.message, material: true });
    }
  };
  for (const volume of planned.volumes) look(volume.label, () => settleVolume(volume, facts, vm.name));
  for (const port of planned.ports) look(port.label, () => settlePort(port, facts, vm.name));
  look('server', () => {
    const { flavor_id } = settleServer(server, facts, vm.name);
    const flavor = facts.flavors.find((item) => item.id === flavor_id);
    if (flavor && (flavor.vcpus < (vm.cpus ?? 0) || flavor.ram < (vm.memory_mib ?? 0))) {
      const change = `flavor ${flavor.name} has ${flavor.vcpus} vCPU and ${flavor.ram} MiB, less than the VM`;
      found.push({ subject: 'server', change, material: false });
    }
  });
  return found;
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
