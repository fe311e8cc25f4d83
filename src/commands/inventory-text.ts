import { GIB } from '../core/index.js';
import { readiness } from '../migration/findings/index.js';
import type { InventoryVm, InventoryWithFindings } from '../migration/read-inventory.js';
import { printable, render, type Column, type Format } from '../ui/index.js';

const tableColumns: Column<InventoryVm>[] = [
  { name: 'name', value: (vm) => vm.name, fit: true },
  { name: 'id', value: (vm) => vm.id, align: 'right' },
  { name: 'power', value: (vm) => vm.power_state },
  { name: 'used/size GiB', value: (vm) => `${gib(sum(vm, 'allocated_bytes'))}/${gib(sum(vm, 'capacity_bytes'))}` },
  { name: 'disks', value: (vm) => vm.disks.length, align: 'right' },
  { name: 'nics', value: (vm) => vm.nics.length, align: 'right' },
  { name: 'ready', value: (vm) => readiness(vm.findings), fit: true },
];

const csvColumns: Column<InventoryVm>[] = [
  { name: 'id', value: (vm) => vm.id },
  { name: 'name', value: (vm) => vm.name },
  { name: 'uuid', value: (vm) => vm.uuid },
  { name: 'vmx_path', value: (vm) => vm.vmx_path },
  { name: 'guest_id', value: (vm) => vm.guest_id },
  { name: 'hardware_version', value: (vm) => vm.hardware_version },
  { name: 'power_state', value: (vm) => vm.power_state },
  { name: 'cpus', value: (vm) => vm.cpus },
  { name: 'memory_mib', value: (vm) => vm.memory_mib },
  { name: 'firmware', value: (vm) => vm.firmware },
  { name: 'snapshots', value: (vm) => vm.snapshots },
  { name: 'disks', value: (vm) => vm.disks.map((disk) => disk.label).join(' ') },
  { name: 'capacity_bytes', value: (vm) => sum(vm, 'capacity_bytes') },
  { name: 'allocated_bytes', value: (vm) => sum(vm, 'allocated_bytes') },
  { name: 'nics', value: (vm) => vm.nics.map((nic) => nic.label).join(' ') },
  { name: 'networks', value: (vm) => vm.nics.map((nic) => nic.network ?? '').join('; ') },
  { name: 'findings', value: (vm) => vm.findings.map((finding) => finding.code).join(' ') },
];

/** Prints the inventory: whole for programs, a line a VM for a person and for spreadsheets. */
export async function printInventory(
  out: (text: string) => void,
  format: Format,
  inventory: InventoryWithFindings,
  width: number | null,
): Promise<void> {
  out(await render(format, inventory, format === 'csv' ? csvColumns : tableColumns, inventory.vms, width));
}

/** A VM that was left out, with why; some entries have no name. */
export function skippedLine({ id, name, reason }: InventoryWithFindings['skipped'][number]): string {
  const who = name === null || name.trim() === '' ? `id:${id}` : `id:${id} ${printable(name)}`;
  return `skipped  ${who}: ${printable(reason)}\n`;
}

function sum(vm: InventoryVm, field: 'capacity_bytes' | 'allocated_bytes'): number | null {
  return vm.disks.reduce<number | null>((total, disk) => {
    const bytes = disk[field];
    return total === null || bytes === null ? null : total + bytes;
  }, 0);
}

/** GiB with one decimal below 10, and two below 1; `?` when not known. */
function gib(bytes: number | null): string {
  if (bytes === null) return '?';
  const value = bytes / GIB;
  if (value >= 10) return String(Math.round(value));
  return value.toFixed(value < 1 ? 2 : 1).replace(/\.?0+$/, '');
}
