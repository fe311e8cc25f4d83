import { selectVms, type EsxiHost, type Inventory, type VmRecord } from '../esxi/index.js';
import { findingsOf, type Finding } from './findings/index.js';

/** A VM as the contract shows it: without the facts that only rules read, with what the rules found. */
export type InventoryVm = Omit<VmRecord, 'facts'> & { findings: Finding[] };

/** The contract's `inventory -f json`. */
export type InventoryWithFindings = Omit<Inventory, 'vms'> & { vms: InventoryVm[] };

/** Reads a host's inventory and judges each VM. With selectors, only the VMs that fit are kept. */
export async function readInventory(host: EsxiHost, selectors?: string[]): Promise<InventoryWithFindings> {
  return chosenOf(judgedInventory(await host.inventory(selectors === undefined ? {} : { only: selectors })), selectors);
}

/** Each VM with what the rules find on it, the other VMs of the host known. */
export function judgedInventory(inventory: Inventory): InventoryWithFindings {
  return {
    host: inventory.host,
    datastores: inventory.datastores,
    networks: inventory.networks,
    vms: inventory.vms.map((vm) => ({ ...shown(vm), findings: findingsOf(vm, inventory) })),
    skipped: inventory.skipped,
  };
}

/** Only the VMs that selectors fit (all of them without selectors); what was skipped is told only of a whole host. */
export function chosenOf(inventory: InventoryWithFindings, selectors?: readonly string[]): InventoryWithFindings {
  if (selectors === undefined) return inventory;
  return { ...inventory, vms: selectVms(inventory, selectors), skipped: [] };
}

/** The fields of the contract. */
function shown(vm: VmRecord): Omit<VmRecord, 'facts'> {
  const copy: Partial<VmRecord> & Omit<VmRecord, 'facts'> = { ...vm };
  delete copy.facts;
  return copy;
}
