import type { Limits } from '../openstack/index.js';
import { checkImageSize, checkQuota, defaultSecurityGroupWarning } from './preflight/index.js';
import { needSection, section, type RunContext } from './steps/step.js';

/**
 * Looks at the target before a byte moves: quota for what is still to be made, image sizes, security groups. A blocker
 * is thrown (exit code 3), the rest is told as warnings.
 */
export async function checkTarget(rc: RunContext): Promise<void> {
  const cloud = await rc.cloud();
  const limits: Limits = await cloud.limits();
  const server = needSection(rc.state, 'server');
  const isMade = (key: string) =>
    rc.state.resources.some((item) => item.step === key && item.id !== null && !item.gone);
  const volumes = needSection(rc.state, 'volumes').filter((volume) => !isMade(`volume:${volume.label}`));
  const ports = needSection(rc.state, 'ports').filter((port) => !isMade(`port:${port.label}`));
  const startsServer = server.start && !isMade('server');
  const flavor = startsServer ? (await cloud.flavors.list()).find((item) => item.id === server.flavor_id) : undefined;
  const byType: Record<string, { volumes: number; gigabytes: number }> = {};
  for (const volume of volumes) {
    const type = volume.type ?? (await cloud.volumeTypes.default())?.name;
    if (type === undefined) continue;
    const sum = (byType[type] ??= { volumes: 0, gigabytes: 0 });
    sum.volumes += 1;
    sum.gigabytes += volume.size_gib;
  }
  const source = section(rc.state, 'source');
  for (const disk of source?.vm.disks.filter((item) => source.labels.includes(item.label)) ?? []) {
    const warning = disk.capacity_bytes === null ? null : checkImageSize(disk.label, disk.capacity_bytes);
    if (warning) rc.ctx.events.emit({ kind: 'warning', ...warning });
  }
  const planned = needSection(rc.state, 'ports');
  const warning = defaultSecurityGroupWarning(planned.some((port) => port.security_group_ids === null));
  if (warning) rc.ctx.events.emit({ kind: 'warning', ...warning });
  checkQuota(limits, {
    instances: startsServer ? 1 : 0,
    cores: flavor?.vcpus ?? 0,
    ramMib: flavor?.ram ?? 0,
    volumes: volumes.length,
    gigabytes: volumes.reduce((sum, volume) => sum + volume.size_gib, 0),
    byType,
    ports: ports.length,
    largestVolumeGib: Math.max(0, ...volumes.map((volume) => volume.size_gib)),
  });
}
