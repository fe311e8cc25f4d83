import { selectVms, type EsxiHost, type Inventory, type VmRecord } from '../esxi/index.js';
import { findingsOf, type Finding } from './findings/index.js';

/** A VM as the contract shows it: without the facts that only rules read, with what the rules found. */
export type InventoryVm = Omit<VmRecord, 'facts'> & { findings: Finding[] };

/** The contract's `inventory -f json`. */
export type InventoryWithFindings = Omit<Inventory, 'vms'> & { vms: InventoryVm[] };

/** Reads a host's inventory and judges each VM. With selectors, only the VMs that fit are kept. */
export async function readInventory(host: EsxiHost, selectors?: string[]): Promise<InventoryWithFindings> {
  const inventory = await host.inventory(selectors === undefined ? {} : { only: selectors });
  const wanted = selectors === undefined ? inventory.vms : selectVms(inventory, selectors);
  return {
    host: inventory.host,
    datastores: inventory.datastores,
    networks: inventory.networks,
    vms: wanted.map((vm) => ({ ...shown(vm), findings: findingsOf(vm, inventory) })),
    skipped: selectors === undefined ? inventory.skipped : [],
  };
}

/** The fields of the contract. */
function shown(vm: VmRecord): Omit<VmRecord, 'facts'> {
  const copy: Partial<VmRecord> & Omit<VmRecord, 'facts'> = { ...vm };
  delete copy.facts;
  return copy;
}
