import { GIB, UsageError } from '../core/index.js';
import { readiness } from '../migration/findings/index.js';
import type { InventoryVm } from '../migration/read-inventory.js';
import type { Column } from '../ui/index.js';

type Cell = string | number | boolean | null;

/** A column of the inventory: what is shown, and what it is sorted by where that is something else. */
interface InventoryColumn extends Column<InventoryVm> {
  sortBy?: (vm: InventoryVm) => Cell;
}

const of = (name: string, value: (vm: InventoryVm) => Cell, more: Partial<InventoryColumn> = {}): InventoryColumn => ({
  name,
  value,
  ...more,
});
const right = { align: 'right' } as const;

/** What a person sees first. */
const TABLE: readonly InventoryColumn[] = [
  of('name', (vm) => vm.name, { fit: true }),
  of('id', (vm) => vm.id, { align: 'right', sortBy: (vm) => Number(vm.id) }),
  of('power', (vm) => vm.power_state),
  of('used/size GiB', (vm) => `${gib(sum(vm, 'allocated_bytes'))}/${gib(sum(vm, 'capacity_bytes'))}`, {
    sortBy: (vm) => sum(vm, 'allocated_bytes'),
  }),
  of('disks', (vm) => vm.disks.length, right),
  of('nics', (vm) => vm.nics.length, right),
  of('ready', (vm) => readiness(vm.findings), { fit: true, sortBy: weight }),
];

/** What `--long` shows beside: the size of the machine, the guest, where it hangs. */
const LONG: readonly InventoryColumn[] = [
  of('cpus', (vm) => vm.cpus, right),
  of('memory MiB', (vm) => vm.memory_mib, right),
  of('guest', (vm) => vm.guest_id),
  of('firmware', (vm) => vm.firmware),
  of('snapshots', (vm) => vm.snapshots, right),
  of('networks', (vm) => unique(vm.nics.map(({ network }) => network)).join(', '), { fit: true }),
  of('addresses', (vm) => unique(vm.nics.flatMap((nic) => nic.ip_addresses)).join(', '), { fit: true }),
  of('findings', findingWords, { fit: true }),
];

/** For spreadsheets: the words of the JSON, lists in one field. */
const CSV: readonly InventoryColumn[] = [
  of('id', (vm) => vm.id, { sortBy: (vm) => Number(vm.id) }),
  of('name', (vm) => vm.name),
  of('uuid', (vm) => vm.uuid),
  of('vmx_path', (vm) => vm.vmx_path),
  of('guest_id', (vm) => vm.guest_id),
  of('hardware_version', (vm) => vm.hardware_version),
  of('power_state', (vm) => vm.power_state),
  of('cpus', (vm) => vm.cpus),
  of('memory_mib', (vm) => vm.memory_mib),
  of('firmware', (vm) => vm.firmware),
  of('snapshots', (vm) => vm.snapshots),
  of('disks', (vm) => vm.disks.map((disk) => disk.label).join(' '), { sortBy: (vm) => vm.disks.length }),
  of('capacity_bytes', (vm) => sum(vm, 'capacity_bytes')),
  of('allocated_bytes', (vm) => sum(vm, 'allocated_bytes')),
  of('nics', (vm) => vm.nics.map((nic) => nic.label).join(' '), { sortBy: (vm) => vm.nics.length }),
  of('networks', (vm) => vm.nics.map((nic) => nic.network ?? '').join('; ')),
  of('findings', findingWords),
];

const CSV_LONG: readonly InventoryColumn[] = [
  of('annotation', (vm) => vm.annotation),
  of('cores_per_socket', (vm) => vm.cores_per_socket),
  of('secure_boot', (vm) => vm.secure_boot),
  of('vtpm', (vm) => vm.vtpm),
  of('encrypted', (vm) => vm.encrypted),
  of('change_tracking', (vm) => vm.change_tracking),
  of('disk_paths', (vm) => vm.disks.map((disk) => disk.path ?? '').join('; ')),
  of('macs', (vm) => vm.nics.map((nic) => nic.mac ?? '').join(' ')),
  of('ip_addresses', (vm) => vm.nics.flatMap((nic) => nic.ip_addresses).join(' ')),
  of('blockers', (vm) => withSeverity(vm, 'blocker')),
  of('warnings', (vm) => withSeverity(vm, 'warning')),
  of('ready', (vm) => readiness(vm.findings), { sortBy: weight }),
];

/** The columns that a format shows if none are chosen. */
export function standardColumns(format: 'table' | 'csv', long: boolean): readonly InventoryColumn[] {
  if (format === 'csv') return long ? [...CSV, ...CSV_LONG] : CSV;
  // READY is the last one, where it may be as long as it is.
  return long ? [...TABLE.slice(0, -1), ...LONG, ...TABLE.slice(-1)] : TABLE;
}

/** The columns of these names, in this order. A name counts without regard to case and to what is not a letter. */
export function chosenColumns(format: 'table' | 'csv', names: readonly string[], option: string): InventoryColumn[] {
  const known = format === 'csv' ? [...CSV, ...CSV_LONG, ...TABLE, ...LONG] : [...TABLE, ...LONG, ...CSV, ...CSV_LONG];
  return names.map((name) => {
    const column = known.find((one) => bare(one.name) === bare(name));
    if (column) return column;
    const all = unique(known.map((one) => keyOf(one.name)));
    const parts = name.split(',').map((part) => part.trim());
    const repeat = parts.length > 1 ? `Repeat the option: ${parts.map((part) => `${option} ${part}`).join(' ')}. ` : '';
    throw new UsageError(`${option} ${name} is no column of the inventory.`, `${repeat}Columns: ${all.join(', ')}.`);
  });
}

/** A column's name as a key of JSON: `used/size GiB` is `used_size_gib`. */
export function keyOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '_');
}

/**
 * The VMs in the order of `--sort-column COLUMN[:asc|desc]`, the first named first. What is not known comes last, equal
 * ones stay in the order of their ids.
 */
export function sorted(
  vms: readonly InventoryVm[],
  format: 'table' | 'csv',
  orders: readonly string[],
): readonly InventoryVm[] {
  const keys = orders.map((order) => {
    const [, name = order, direction = 'asc'] = /^(.*):(asc|desc)$/i.exec(order) ?? [];
    const [column] = chosenColumns(format, [name], '--sort-column');
    const value = column?.sortBy ?? column?.value ?? (() => null);
    return { value, sign: direction.toLowerCase() === 'desc' ? -1 : 1 };
  });
  return [...vms].sort((a, b) => {
    for (const { value, sign } of keys) {
      const [left, right] = [value(a), value(b)];
      if (left === null || right === null) {
        if (left !== right) return left === null ? 1 : -1;
        continue;
      }
      const order = sign * compare(left, right);
      if (order !== 0) return order;
    }
    return 0;
  });
}

const collator = new Intl.Collator('en', { numeric: true });

function compare(a: string | number | boolean, b: string | number | boolean): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}

function bare(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** `CODE`, or `CODE:SUBJECT` where it is about a disk or another part: the words that `--accept` takes. */
function findingWords({ findings }: InventoryVm): string {
  return findings.map(({ code, subject }) => (subject === 'vm' ? code : `${code}:${subject}`)).join(' ');
}

/** Ready first, then what needs a remedy, then what is blocked. */
function weight(vm: InventoryVm): number {
  return 1000 * withSeverity(vm, 'blocker') + withSeverity(vm, 'warning');
}

function withSeverity({ findings }: InventoryVm, severity: 'blocker' | 'warning'): number {
  return findings.filter((finding) => finding.severity === severity).length;
}

function unique(words: readonly (string | null)[]): string[] {
  return [...new Set(words.filter((word) => word !== null && word !== ''))].map(String);
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
