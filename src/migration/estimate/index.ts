import { StackferryError } from '../../core/index.js';
import { selectVms, type EsxiHost, type Inventory, type VmRecord } from '../../esxi/index.js';
import { standing } from '../findings/accept.js';
import { findingsOf } from '../findings/index.js';
import type { MappingOptions } from '../plan/options.js';
import { standingBlockers } from '../read-source.js';
import type { SessionBase } from '../session.js';
import { estimate, type Estimate, type EstimateItem } from './model.js';
import { assumed, ratesOfRuns, type Figure, type Rates } from './rates.js';

export type { Estimate, VmEstimate } from './model.js';
export type { Figure, Rates } from './rates.js';

export interface EstimateRequest {
  selectors: readonly string[];
  /** Saved before, or unset: then the host is read, and its read rate measured unless it is given. */
  inventory?: Inventory;
  /** The host's name in the journals of earlier runs. */
  host: string | null;
  /** Only earlier runs into this cloud tell its rates; null for any. */
  cloud: string | null;
  /** Bytes per second. */
  given: { copy?: number; upload?: number };
  budgetSeconds: number | null;
  options: Pick<MappingOptions, 'imageFormat'>;
  /** `CODE` or `CODE:SUBJECT` that a plan takes knowingly. */
  accept?: readonly string[];
  /** Labels of the disks that a plan leaves behind, by the VM's id. */
  skipDisks?: ReadonlyMap<string, readonly string[]>;
}

/** So many MiB are read to see how fast the host is; of a running VM nothing can be read. */
const SAMPLE_MIB = 32;

/** Estimates what a migration would take. Reads, and changes nothing; the cloud is not asked. */
export async function estimateVms(base: SessionBase, request: EstimateRequest): Promise<Estimate> {
  const host = request.inventory ? undefined : await base.doors.host(base.ctx);
  const inventory = request.inventory ?? (await host?.inventory({ only: [...request.selectors] }));
  if (!inventory) throw new Error('neither an inventory nor a host');
  const vms = selectVms(inventory, request.selectors);
  const rates: Rates = {
    ...assumed,
    ...ratesOfRuns(await base.store.list(), { host: request.host, cloud: request.cloud }),
  };
  const given = (value: number | undefined): Figure | undefined =>
    value === undefined ? undefined : { value, source: 'given' };
  const copy = given(request.given.copy) ?? (host && (await measure(host, vms)));
  return estimate(
    vms.map((vm) => itemOf(vm, inventory, request)),
    { ...rates, copy: copy ?? rates.copy, upload: given(request.given.upload) ?? rates.upload },
    request.options,
    request.budgetSeconds,
  );
}

/** What of the VM moves, and what `migrate` would refuse it for. That it runs is not among it: its downtime is estimated. */
function itemOf(
  vm: VmRecord,
  inventory: Inventory,
  { accept = [], skipDisks }: Pick<EstimateRequest, 'accept' | 'skipDisks'>,
): EstimateItem {
  const skipped = skipDisks?.get(vm.id) ?? [];
  const labels = vm.disks.map(({ label }) => label).filter((label) => !skipped.includes(label));
  const source = { inventory, vm, findings: findingsOf(vm, inventory) };
  const blockers = standing(standingBlockers(source, labels, { powerOff: true }), accept).standing;
  return { vm, labels, blocked: [...new Set(blockers.map(({ code }) => code))] };
}

/** The rate of one connection, read from a disk of one of the VMs; undefined where none can be read. */
async function measure(host: EsxiHost, vms: readonly VmRecord[]): Promise<Figure | undefined> {
  for (const vm of vms) {
    if (vm.power_state !== 'off') continue;
    const disk = vm.disks.find((item) => item.kind === 'flat' && item.chain.length === 1);
    const path = disk?.path?.replace(/\.vmdk$/i, '-flat.vmdk');
    if (path === undefined) continue;
    try {
      const { bytes, seconds } = await host.readRate(path, SAMPLE_MIB);
      // Less than a few MiB tell how quick a channel opens, not how fast it reads.
      if (bytes >= 8 * 1024 * 1024 && seconds > 0) return { value: bytes / seconds, source: 'measured' };
    } catch (error) {
      if (!(error instanceof StackferryError) || error.code !== 'esxi.read_failed') throw error;
    }
  }
  return undefined;
}
