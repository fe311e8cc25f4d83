import { cloudSectionOf } from './plan/resolve.js';
import { defaultMapping, type WaitFor } from './plan/options.js';
import { resolveImages } from './plan/resolve-image.js';
import { resolvePorts } from './plan/resolve-ports.js';
import { resolveServer } from './plan/resolve-server.js';
import { resolveVolumes } from './plan/resolve-volumes.js';
import type { CloudSection, ImageSection, PortSection, ServerSection, VolumeSection } from './plan/sections.js';
import type { MigrateRequest } from './migrate.js';
import { assertNoBlocker, chooseDisks, readSource } from './read-source.js';
import type { SessionBase } from './session.js';
import type { Finding } from './findings/index.js';

/** What a migration would do, with every choice resolved. */
export interface DryRun {
  vm: { id: string; name: string; uuid: string | null };
  cloud: CloudSection;
  disks: { label: string; path: string | null; capacity_bytes: number | null; allocated_bytes: number | null }[];
  images: ImageSection[];
  volumes: VolumeSection[];
  ports: PortSection[];
  server: ServerSection;
  wait_for: WaitFor;
  findings: Finding[];
}

/** Resolves a migration as `migrate` would, and changes nothing: not on the host, not in the cloud, not on this disk. */
export async function dryRun(base: SessionBase, request: MigrateRequest): Promise<DryRun> {
  const host = await base.doors.host(base.ctx);
  const source = await readSource(host, request.source.selector);
  const { vm } = source;
  const labels = chooseDisks(vm, request.source.skipDisks === undefined ? {} : { skip: request.source.skipDisks });
  assertNoBlocker(source, labels, { powerOff: base.settings.powerOff || base.settings.forceOff });
  const disks = vm.disks.filter((disk) => labels.includes(disk.label));
  const options = { ...defaultMapping, ...request.options };
  const cloud = await base.doors.cloud(base.ctx);
  const [networks, subnets, securityGroups, volumeTypes, zones, flavors, keypairs] = await Promise.all([
    cloud.networks.list(),
    cloud.networks.subnets(),
    cloud.securityGroups.list(),
    cloud.volumeTypes.list(),
    cloud.zones(),
    cloud.flavors.list(),
    options.keyName === undefined ? [] : cloud.keypairs.list(),
  ]);
  const facts = { host: request.source.address.host, now: new Date(base.ctx.clock.now()) };
  return {
    vm: { id: vm.id, name: vm.name, uuid: vm.uuid },
    cloud: cloudSectionOf(cloud),
    disks: disks.map((disk) => ({
      label: disk.label,
      path: disk.path,
      capacity_bytes: disk.capacity_bytes,
      allocated_bytes: disk.allocated_bytes,
    })),
    images: resolveImages(vm, disks, options, facts),
    volumes: resolveVolumes(vm, disks, options, { volumeTypes, zones }),
    ports: resolvePorts(vm, options, { networks, subnets, securityGroups }),
    server: resolveServer(vm, options, { flavors, keypairs, zones }),
    wait_for: options.waitFor,
    findings: source.findings,
  };
}
