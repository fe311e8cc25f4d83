import { ceilGib } from '../../core/index.js';
import type { VmRecord } from '../../esxi/index.js';
import { chooseFormat } from '../plan/image-format.js';
import type { MappingOptions } from '../plan/options.js';
import { diskBytes, isStaged } from './disk-bytes.js';
import type { Rates } from './rates.js';

/** What one VM's migration would take. Bytes and seconds. */
export interface VmEstimate {
  vm: string;
  id: string;
  power_state: string | null;
  /** Read from the host. */
  copy_bytes: number;
  /** Sent to the image service. */
  upload_bytes: number;
  /** Free space that this machine needs meanwhile: the copy and what it is converted to; none in one pass. */
  staging_bytes: number;
  volume_gib: number;
  /** In one pass `copy` is the way from the host into the image; `convert` and `upload` are 0. */
  seconds: { copy: number; convert: number; upload: number; volume: number; fixed: number; total: number };
  /** The source stays off all the while: the copy is cold. */
  downtime_seconds: number;
  /** Codes of the blockers that stand, each once: as it is now it cannot move. That it runs is none, for it is shut down. */
  blocked: string[];
  /** Null without a budget; false for what is blocked, however small it is. */
  fits: boolean | null;
}

export interface Estimate {
  rates: Rates;
  vms: VmEstimate[];
  /** Of the VMs that can move. */
  totals: {
    vms: number;
    /** VMs that cannot, and are not counted in the rest. */
    blocked: number;
    copy_bytes: number;
    upload_bytes: number;
    /** The largest of them: VMs are moved one after another, and each leaves its space to the next. */
    staging_bytes: number;
    volume_gib: number;
    seconds: number;
  };
  budget: {
    seconds: number;
    /** VMs whose downtime is within the budget, each by itself. */
    fit_alone: string[];
    /** The most VMs that fit one after another, shortest first. */
    fit_together: string[];
  } | null;
}

/** A VM that is to be moved: which of its disks, and the codes of what stands in its way. */
export interface EstimateItem {
  vm: VmRecord;
  /** Labels of the disks that move. */
  labels: readonly string[];
  blocked: readonly string[];
}

/** Estimates VMs that are moved one after another, as `migrate` does. Pure. */
export function estimate(
  items: readonly EstimateItem[],
  rates: Rates,
  options: Pick<MappingOptions, 'imageFormat'>,
  budgetSeconds: number | null,
): Estimate {
  const all = items.map((item) => estimateVm(item, rates, options, budgetSeconds));
  const estimates = all.filter(({ blocked }) => blocked.length === 0);
  const sum = (pick: (item: VmEstimate) => number) => estimates.reduce((total, item) => total + pick(item), 0);
  return {
    rates,
    vms: all,
    totals: {
      vms: estimates.length,
      blocked: all.length - estimates.length,
      copy_bytes: sum((item) => item.copy_bytes),
      upload_bytes: sum((item) => item.upload_bytes),
      staging_bytes: Math.max(0, ...estimates.map((item) => item.staging_bytes)),
      volume_gib: sum((item) => item.volume_gib),
      seconds: sum((item) => item.seconds.total),
    },
    budget: budgetSeconds === null ? null : window(estimates, budgetSeconds),
  };
}

function estimateVm(
  { vm, labels, blocked }: EstimateItem,
  rates: Rates,
  options: Pick<MappingOptions, 'imageFormat'>,
  budgetSeconds: number | null,
): VmEstimate {
  const moving = vm.disks.filter(({ label }) => labels.includes(label));
  const staged = isStaged(moving);
  const disks = moving.map((disk) => {
    const { copy, held, staging } = diskBytes(disk, { isRaw: disk.label in vm.facts.rawDisks, isStaged: staged });
    const capacity = disk.capacity_bytes ?? 0;
    const { format } = chooseFormat(options.imageFormat, capacity, disk.allocated_bytes);
    // A raw device is not moved, so nothing of it is sent.
    return { disk, copy, staging, upload: copy > 0 && format === 'raw' ? capacity : held };
  });
  const sum = (pick: (item: (typeof disks)[number]) => number) => disks.reduce((total, item) => total + pick(item), 0);
  const copy = sum((item) => item.copy);
  const upload = sum((item) => item.upload);
  const gib = sum((item) => ceilGib(item.disk.capacity_bytes ?? 0));
  const seconds = {
    // In one pass reading and sending go on at once, and the slower of them is what takes the time.
    copy: round(staged ? copy / rates.copy.value : Math.max(copy / rates.copy.value, upload / rates.upload.value)),
    convert: staged ? round(sum((item) => item.disk.capacity_bytes ?? 0) / rates.convert.value) : 0,
    upload: staged ? round(upload / rates.upload.value) : 0,
    volume: round(gib * rates.volumePerGib.value),
    fixed: rates.fixed.value,
  };
  const total = round(Object.values(seconds).reduce((all, part) => all + part, 0));
  return {
    vm: vm.name,
    id: vm.id,
    power_state: vm.power_state,
    copy_bytes: copy,
    upload_bytes: upload,
    staging_bytes: sum((item) => item.staging),
    volume_gib: gib,
    seconds: { ...seconds, total },
    downtime_seconds: total,
    blocked: [...blocked],
    fits: budgetSeconds === null ? null : blocked.length === 0 && total <= budgetSeconds,
  };
}

/** Whole milliseconds: more would only look exact. */
const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

function window(estimates: readonly VmEstimate[], seconds: number): NonNullable<Estimate['budget']> {
  const shortest = [...estimates].sort((a, b) => a.seconds.total - b.seconds.total || a.id.localeCompare(b.id));
  let left = seconds;
  const together: string[] = [];
  for (const item of shortest) {
    if (item.seconds.total > left) break;
    left -= item.seconds.total;
    together.push(item.vm);
  }
  return {
    seconds,
    fit_alone: estimates.filter((item) => item.fits === true).map((item) => item.vm),
    fit_together: together,
  };
}
