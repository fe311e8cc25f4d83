import type { InventoryVm, InventoryWithFindings } from '../migration/read-inventory.js';
import { printable, render, type Format } from '../ui/index.js';
import { chosenColumns, keyOf, sorted, standardColumns } from './inventory-columns.js';

interface InventoryView {
  format: Format;
  long: boolean;
  /** Only these columns, in this order. */
  columns: readonly string[] | undefined;
  /** `COLUMN[:asc|desc]` */
  sort: readonly string[] | undefined;
}

/**
 * Prints the inventory: whole for programs, a line a VM for a person and for spreadsheets. With columns a program gets
 * what openstackclient gives it: a list of objects that hold these alone.
 */
export async function printInventory(
  out: (text: string) => void,
  inventory: InventoryWithFindings,
  { format, long, columns: names, sort }: InventoryView,
  width: number | null,
): Promise<void> {
  const lines = format === 'csv' ? 'csv' : 'table';
  const columns =
    names === undefined ? standardColumns(lines, long) : chosenColumns(wordsOf(format), names, '--column');
  const vms = sort === undefined ? inventory.vms : sorted(inventory.vms, wordsOf(format), sort);
  const data =
    names === undefined
      ? { ...inventory, vms }
      : vms.map((vm) =>
          Object.fromEntries(columns.map(({ name, value }) => [keyOf(name), field(vm, name) ?? value(vm)])),
        );
  out(await render(format, data, columns, vms, width));
}

/** Names a wrong column before anything is asked of a host. */
export function checkView({ format, columns, sort }: InventoryView): void {
  if (columns !== undefined) chosenColumns(wordsOf(format), columns, '--column');
  if (sort !== undefined) sorted([], wordsOf(format), sort);
}

/** Programs are told in the words of the JSON. */
function wordsOf(format: Format): 'table' | 'csv' {
  return format === 'table' ? 'table' : 'csv';
}

/** A field of the contract as it is: a list of disks, and not their labels. */
function field(vm: InventoryVm, name: string): unknown {
  return name in vm ? vm[name as keyof InventoryVm] : undefined;
}

/** A VM that was left out, with why; some entries have no name. */
export function skippedLine({ id, name, reason }: InventoryWithFindings['skipped'][number]): string {
  const who = name === null || name.trim() === '' ? `id:${id}` : `id:${id} ${printable(name)}`;
  return `skipped  ${who}: ${printable(reason)}\n`;
}
