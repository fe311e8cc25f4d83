import type { PlanDocument } from '../plan/document/index.js';
import type { ReportTarget } from './types.js';

/** What a plan makes of each of its VMs, by the VM's id: the target of a VM that no run has moved yet. */
export function targetsOfPlan(plan: PlanDocument): ReadonlyMap<string, ReportTarget> {
  return new Map(
    plan.vms.map(({ vm, server, volumes, ports }) => [
      vm.id,
      {
        cloud: plan.cloud.name,
        project: plan.cloud.project_name,
        region: plan.cloud.region,
        server: { name: server.name, server_id: null, flavor: server.flavor, flavor_reason: '', zone: server.zone },
        images: [],
        volumes: volumes.map(({ label, name, size_gib, type }) => {
          const capacity = vm.disks.find((disk) => disk.label === label)?.capacity_bytes ?? null;
          return { label, name, volume_id: null, size_gib, type, capacity_bytes: capacity, content_hash: null };
        }),
        ports: ports.map(({ label, network, mac, addresses }) => ({
          label,
          network,
          port_id: null,
          mac,
          ip_addresses: (addresses ?? []).flatMap(({ ip }) => ip ?? []),
        })),
      },
    ]),
  );
}
