import { MIB } from '../../core/index.js';
import { selectVms } from '../../esxi/index.js';
import { diskBytes, isStaged } from '../estimate/disk-bytes.js';
import { assumed } from '../estimate/rates.js';
import { readiness as adviceOf } from '../findings/index.js';
import type { InventoryVm, InventoryWithFindings } from '../read-inventory.js';
import { countFindings } from './count-findings.js';
import { inventoryVmOf, reportRun, type RunInput } from './run.js';
import type { Readiness, Report, ReportEstimate, ReportRun, ReportTarget, ReportTotals, ReportVm } from './types.js';

/** What a report is made of. At least one of `inventory` and `runs` holds something. */
export interface ReportInput {
  /** Milliseconds since the epoch. */
  now: number;
  /** Version of the program. */
  program: string;
  source: Report['source'];
  inventory: InventoryWithFindings | null;
  runs: readonly RunInput[];
  /** `--vm`: only these, and only their runs. */
  selectors?: readonly string[];
  /** Bytes a second, where a person said so. */
  rate?: number;
  /** What a plan makes of VMs, by their ids. */
  planned?: ReadonlyMap<string, ReportTarget>;
}

/** Bytes a second where nobody said and nothing was measured: a line of 1 Gbit/s, on the slow side. */
export const ASSUMED_RATE = assumed.copy.value;
/** Less than this tells of waits, not of a rate. */
const ENOUGH_TO_MEASURE = 256 * MIB;

interface Item {
  vm: InventoryVm;
  runs: ReportRun[];
}

/**
 * Makes the report. Pure: the same input gives the same report.
 * @throws StackferryError `vm.not_found` or `vm.ambiguous` where a selector fits nothing, or a name fits two VMs.
 */
export function buildReport(input: ReportInput): Report {
  const items: Item[] = (input.inventory?.vms ?? []).map((vm) => ({ vm, runs: [] }));
  const ofNoVm: ReportRun[] = [];
  for (const given of input.runs) {
    const run = reportRun(given);
    const item = items.find(({ vm }) => isOf(run, vm)) ?? addVm(items, given);
    if (item) item.runs.push(run);
    else ofNoVm.push(run);
  }
  const { selectors } = input;
  const chosen = selectors === undefined ? items : select(items, input.inventory?.skipped ?? [], selectors);
  const measured = measuredRate([...items.flatMap((item) => item.runs), ...ofNoVm]);
  const rate = input.rate ?? measured ?? ASSUMED_RATE;
  const basis = input.rate !== undefined ? 'given' : measured !== undefined ? 'measured' : 'assumed';
  const vms = chosen.map((item) => reportVm(item, rate, input.planned?.get(item.vm.id) ?? null));
  const skipped = selectors === undefined ? (input.inventory?.skipped ?? []) : [];
  // In the order in which they were named, which is the order of the VMs for those that came with a run alone.
  const kept = new Set([...chosen.flatMap((item) => item.runs), ...(selectors === undefined ? ofNoVm : [])]);
  const runs = [...items.flatMap((item) => item.runs), ...ofNoVm].filter((run) => kept.has(run));
  return {
    version: 1,
    generated_at: new Date(input.now).toISOString(),
    program: input.program,
    source: input.source,
    host: input.inventory?.host ?? hostOfRuns(runs),
    totals: totalsOf(vms, skipped.length),
    estimate: estimateOf(vms, rate, basis),
    findings: countFindings(vms),
    vms,
    skipped,
    run: runs.at(-1) ?? null,
    runs,
  };
}

/** A VM may be registered anew and so change its id, and a copy may carry the same uuid: both have to fit. */
function isOf(run: ReportRun, vm: InventoryVm): boolean {
  if (run.vm === null) return false;
  return run.vm.uuid === null || vm.uuid === null ? run.vm.id === vm.id : run.vm.uuid === vm.uuid && sameName(run, vm);
}

function sameName(run: ReportRun, vm: InventoryVm): boolean {
  return run.vm?.id === vm.id || run.vm?.name === vm.name;
}

/** The VM as the run's journal knows it, where the inventory does not hold it. */
function addVm(items: Item[], given: RunInput): Item | undefined {
  const vm = inventoryVmOf(given.state);
  if (!vm) return undefined;
  const item: Item = { vm, runs: [] };
  items.push(item);
  return item;
}

function select(
  items: readonly Item[],
  skipped: InventoryWithFindings['skipped'],
  selectors: readonly string[],
): Item[] {
  const chosen = new Set(selectVms({ vms: items.map(({ vm }) => vm), skipped }, selectors));
  return items.filter(({ vm }) => chosen.has(vm));
}

function hostOfRuns(runs: readonly ReportRun[]): Report['host'] {
  const names = new Set(runs.flatMap((run) => run.source_host ?? []));
  const [name] = names;
  if (name === undefined || names.size > 1) return null;
  return { name, product: null, version: null, build: null, uuid: null, license: null };
}

/** What the steps that read the host's disks tell of its rate. */
function measuredRate(runs: readonly ReportRun[]): number | undefined {
  const copies = runs
    .flatMap((run) => run.timeline.steps)
    .filter((step) => step.from_host && step.state === 'done' && step.seconds > 0);
  const bytes = sum(copies, (step) => step.bytes ?? 0);
  return bytes < ENOUGH_TO_MEASURE ? undefined : bytes / sum(copies, (step) => step.seconds);
}

/** `blocked` with a blocker, `remedies` with a warning, else `ready`. */
export function readinessOf(findings: readonly { severity: string }[]): Readiness {
  if (findings.some(({ severity }) => severity === 'blocker')) return 'blocked';
  return findings.some(({ severity }) => severity === 'warning') ? 'remedies' : 'ready';
}

function reportVm({ vm, runs }: Item, rate: number, planned: ReportTarget | null): ReportVm {
  const moved = runs.some((run) => run.state === 'done' && run.target.volumes.some((volume) => volume.volume_id));
  const staged = isStaged(vm.disks);
  const toMove = moved
    ? 0
    : sum(vm.disks, (disk) => diskBytes(disk, { isRaw: isRaw(vm, disk.label), isStaged: staged }).copy);
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    power_state: vm.power_state,
    guest_id: vm.guest_id,
    hardware_version: vm.hardware_version,
    firmware: vm.firmware,
    cpus: vm.cpus,
    memory_mib: vm.memory_mib,
    snapshots: vm.snapshots,
    vmx_path: vm.vmx_path,
    capacity_bytes: sum(vm.disks, (disk) => disk.capacity_bytes ?? 0),
    allocated_bytes: sum(vm.disks, (disk) => disk.allocated_bytes ?? 0),
    to_move_bytes: toMove,
    estimate_seconds: Math.ceil(toMove / rate),
    readiness: readinessOf(vm.findings),
    advice: adviceOf(vm.findings),
    moved,
    disks: vm.disks.map(({ label, controller, path, capacity_bytes, allocated_bytes, kind, mode, shared }) => ({
      label,
      controller,
      path,
      capacity_bytes,
      allocated_bytes,
      kind,
      mode,
      shared,
    })),
    nics: vm.nics.map(({ label, model, mac, network, vlan_id, connected, ip_addresses }) => ({
      label,
      model,
      mac,
      network,
      vlan_id,
      connected,
      ip_addresses,
    })),
    findings: vm.findings.map(({ code, severity, subject, message, remedy }) => ({
      code,
      severity,
      subject,
      message,
      remedy,
    })),
    target: runs.at(-1)?.target ?? planned,
    runs: runs.map(({ run }) => run),
  };
}

/** The host's findings tell it of snapshots over raw devices, too, whose own kind is another. */
function isRaw(vm: InventoryVm, label: string): boolean {
  return vm.findings.some(({ code, subject }) => subject === label && code.startsWith('disk.rdm_'));
}

function totalsOf(vms: readonly ReportVm[], skipped: number): ReportTotals {
  const count = (fits: (vm: ReportVm) => boolean) => vms.filter(fits).length;
  const disks = vms.flatMap((vm) => vm.disks);
  return {
    vms: vms.length,
    ready: count((vm) => vm.readiness === 'ready'),
    remedies: count((vm) => vm.readiness === 'remedies'),
    blocked: count((vm) => vm.readiness === 'blocked'),
    blocked_by_power_only: count(blockedByPowerOnly),
    moved: count((vm) => vm.moved),
    skipped,
    vcpus: sum(vms, (vm) => vm.cpus ?? 0),
    memory_mib: sum(vms, (vm) => vm.memory_mib ?? 0),
    disks: disks.length,
    capacity_bytes: sum(vms, (vm) => vm.capacity_bytes),
    allocated_bytes: sum(vms, (vm) => vm.allocated_bytes),
    to_move_bytes: sum(vms, (vm) => vm.to_move_bytes),
    disks_of_unknown_size: disks.filter((disk) => disk.capacity_bytes === null || disk.allocated_bytes === null).length,
  };
}

function blockedByPowerOnly(vm: ReportVm): boolean {
  const blockers = vm.findings.filter(({ severity }) => severity === 'blocker');
  return blockers.length > 0 && blockers.every(({ code }) => code === 'vm.powered_on');
}

function estimateOf(vms: readonly ReportVm[], rate: number, basis: ReportEstimate['basis']): ReportEstimate {
  const of = (readiness: Readiness) => {
    const some = vms.filter((vm) => vm.readiness === readiness && !vm.moved);
    const bytes = sum(some, (vm) => vm.to_move_bytes);
    return { vms: some.length, to_move_bytes: bytes, seconds: Math.ceil(bytes / rate) };
  };
  return {
    rate_bytes_per_second: Math.round(rate),
    basis,
    seconds: Math.ceil(sum(vms, (vm) => vm.to_move_bytes) / rate),
    by_readiness: { ready: of('ready'), remedies: of('remedies'), blocked: of('blocked') },
  };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
