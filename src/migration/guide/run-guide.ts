import { z } from 'zod';
import { UsageError } from '../../core/index.js';
import { formatWaitFor } from '../plan/options.js';
import type { PortSection, ServerSection } from '../plan/sections.js';
import type { RunState } from '../state/fold.js';
import { portResult } from '../steps/port.js';
import { section } from '../steps/step.js';
import { transferOf } from '../steps/transfer.js';
import { filesAmong } from './disk-files.js';
import type { GuideOrigin } from './make-guide.js';
import type { GuideInput, GuideServer } from './types.js';

/**
 * The guide of what a run did, by hand, out of its journal alone: as far as the run had made its choices.
 * @throws UsageError for a run without a VM (`upload FILE` and the like).
 */
export function guideOfRun(state: RunState, origin: GuideOrigin): GuideInput {
  const source = section(state, 'source');
  if (!source) {
    throw new UsageError(
      `Run ${state.run} has no VM: it began with files, images or volumes.`,
      'A guide is for a VM of a host: stackferry guide --vm NAME',
    );
  }
  if (source.package) {
    throw new UsageError(
      `Run ${state.run} imports files, and the guide begins at a host.`,
      `By hand: qemu-img convert each disk, then stackferry upload FILE, volume --image and server; see guides/import.md.`,
    );
  }
  const cloud = section(state, 'cloud');
  const server = section(state, 'server');
  const boot = section(state, 'boot');
  const read = Object.keys(z.record(z.string(), z.unknown()).safeParse(state.plan.get('source_tokens')).data ?? {});
  const { vm, labels, host, port, user } = source;
  return {
    origin: `Made by ${origin.program}, from run ${state.run} (${state.command}, ${state.openedAt.slice(0, 10)}). Ids stand where the run has them.`,
    vm,
    host: { host, port, user, fingerprint: origin.fingerprint ?? null },
    cloud: cloud ? { ...cloud, variables: origin.variables, compute: null } : null,
    disks: vm.disks.filter(({ label }) => labels.includes(label)).map((disk) => filesAmong(disk, read)),
    skipped: vm.disks.map(({ label }) => label).filter((label) => !labels.includes(label)),
    images: (section(state, 'images') ?? []).map(({ label, name, format, min_disk_gib, properties }) => ({
      label,
      name,
      format,
      min_disk_gib,
      properties,
    })),
    volumes: (section(state, 'volumes') ?? []).map(({ label, name, size_gib, type, zone, boot: boots }) => ({
      label,
      name,
      size_gib,
      type,
      zone,
      boot: boots,
    })),
    ports: (section(state, 'ports') ?? []).map((item) => portOf(item, state)),
    server: server ? serverOf(server) : null,
    waitFor: boot ? formatWaitFor(boot.wait_for) : 'console',
    via: transferOf(state) === 'attached' ? 'cinder' : 'glance',
    findings: [],
    blockers: [],
  };
}

/** A port as it was made: without the MAC that was asked for, where another one came of it. */
function portOf(planned: PortSection, state: RunState): GuideInput['ports'][number] {
  const made = portResult.safeParse(state.steps.get(`port:${planned.label}`)?.result).data;
  return {
    label: planned.label,
    name: planned.name,
    network: planned.network_id,
    addresses:
      planned.fixed_ips?.map(({ subnet_id, ip_address }) => ({
        ...(subnet_id === undefined ? {} : { subnet: subnet_id }),
        ...(ip_address === undefined ? {} : { ip: ip_address }),
      })) ?? null,
    mac: made !== undefined && made.mac !== planned.mac ? null : planned.mac,
    mac_required: planned.mac_required,
    security_groups: planned.security_group_ids,
  };
}

function serverOf(planned: ServerSection): GuideServer {
  const { name, hostname, zone, key_name, config_drive, start, metadata } = planned;
  return {
    ...{ name, hostname, zone, key_name, config_drive, start, metadata },
    flavor: planned.flavor_id,
    tags: planned.tags ?? [],
    create_flavor: planned.create_flavor ?? null,
  };
}
