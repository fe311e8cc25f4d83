import { formatBytes } from '../../../core/index.js';
import type { VmRecord } from '../../../esxi/index.js';
import { seenOf } from './describe.js';
import type { PlannedVm, SeenVm } from './schema.js';

/** A difference between the VM of a plan and the VM as it is. */
export interface VmChange {
  /** `vm`, or a disk's or NIC's label. */
  subject: string;
  /** `cpus 2 -> 4`. */
  message: string;
  /** The plan no longer fits it: `migrate` refuses. Others are only told by `plan --diff`. */
  material: boolean;
}

/** Fields whose change makes a plan wrong: what was chosen from them would be chosen otherwise now. */
const materialFields = ['uuid', 'cpus', 'memory_mib', 'firmware', 'secure_boot', 'guest_id'] as const;
const otherFields = ['name', 'power_state', 'snapshots'] as const;

/** What has changed on the host since a plan was made. Empty when nothing has. */
export function changesOf(planned: PlannedVm, now: VmRecord): VmChange[] {
  const before = planned.vm;
  const after = seenOf(now);
  return [
    ...materialFields.flatMap((key) => change('vm', key, before[key], after[key], true)),
    ...otherFields.flatMap((key) => change('vm', key, before[key], after[key], false)),
    ...disks(before, after),
    ...nics(before, after),
  ];
}

function disks(before: SeenVm, after: SeenVm): VmChange[] {
  return pairs(before.disks, after.disks).flatMap(({ label, old, now }) => {
    if (!old) return [{ subject: label, message: `a new disk of ${size(now?.capacity_bytes)}`, material: true }];
    if (!now) return [{ subject: label, message: 'the disk is gone', material: true }];
    return [
      ...change(label, 'capacity_bytes', old.capacity_bytes, now.capacity_bytes, true),
      ...files(label, old, now),
      ...change(label, 'allocated_bytes', old.allocated_bytes, now.allocated_bytes, false),
    ];
  });
}

type SeenDisk = SeenVm['disks'][number];

/**
 * Another file at the bottom is another disk, whatever its label and size. Snapshots on the same one are told: the copy
 * reads what is there then.
 */
function files(label: string, old: SeenDisk, now: SeenDisk): VmChange[] {
  const [from, to] = [baseOf(old), baseOf(now)];
  if (from !== to) {
    const message = `another disk: its base is ${to ?? 'unknown'}, and was ${from ?? 'unknown'}`;
    return [{ subject: label, message, material: true }];
  }
  // Plans did not always hold the chain.
  if (old.chain.length === 0) return change(label, 'path', old.path, now.path, false);
  return change(label, 'chain', linksOf(old), linksOf(now), false);
}

/** The file at the bottom; where only the newest is known, that without the number of its snapshot (`web-000002.vmdk`). */
function baseOf({ path, chain: [base] }: SeenDisk): string | null {
  return (base ?? path)?.replace(/-\d{6}(\.vmdk)$/i, '$1') ?? null;
}

/** `web01.vmdk, web01-000001.vmdk` */
const linksOf = ({ chain }: SeenDisk) => chain.map((file) => file.replace(/^.*\//, '')).join(', ');

function nics(before: SeenVm, after: SeenVm): VmChange[] {
  return pairs(before.nics, after.nics).flatMap(({ label, old, now }) => {
    if (!old) return [{ subject: label, message: `a new NIC on ${now?.network ?? 'no port group'}`, material: true }];
    if (!now) return [{ subject: label, message: 'the NIC is gone', material: true }];
    return [
      ...change(label, 'mac', old.mac, now.mac, true),
      ...change(label, 'network', old.network, now.network, true),
      ...change(label, 'vlan_id', old.vlan_id, now.vlan_id, true),
      ...change(label, 'model', old.model, now.model, false),
      // A VM that is off has no addresses to tell.
      ...(now.ip_addresses.length === 0
        ? []
        : change(label, 'ip_addresses', sorted(old.ip_addresses), sorted(now.ip_addresses), false)),
    ];
  });
}

function pairs<T extends { label: string }>(
  before: readonly T[],
  after: readonly T[],
): { label: string; old: T | undefined; now: T | undefined }[] {
  const labels = new Set([...before, ...after].map((item) => item.label));
  return [...labels].map((label) => ({
    label,
    old: before.find((item) => item.label === label),
    now: after.find((item) => item.label === label),
  }));
}

type Value = string | number | boolean | null;

function change(subject: string, field: string, old: Value, now: Value, material: boolean): VmChange[] {
  if (old === now) return [];
  const show = (value: Value) =>
    field.endsWith('_bytes') && typeof value === 'number' ? size(value) : value === null ? 'unknown' : String(value);
  return [{ subject, message: `${field.replace(/_bytes$/, '')} ${show(old)} -> ${show(now)}`, material }];
}

const sorted = (items: readonly string[]) => [...items].sort().join(' ');
const size = (bytes: number | null | undefined) =>
  bytes === null || bytes === undefined ? 'unknown size' : `${formatBytes(bytes)} (${bytes} bytes)`;
