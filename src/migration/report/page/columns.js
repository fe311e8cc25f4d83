// The columns of the VMs: what a cell shows, and what it is sorted by.

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
/** @type {Record<string, number>} */
const powerOrder = { on: 0, suspended: 1, off: 2 };

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} text
 * @property {string} [class]
 * @property {(vm: PackedVm) => number | string | null} by what it is sorted by; null comes last
 * @property {(vm: PackedVm) => Child} cell
 */

/** @type {Column[]} */
const columns = [
  { key: 'name', text: 'Name', by: (vm) => vm.name, cell: (vm) => foreign(vm.name) },
  {
    key: 'readiness',
    text: 'Readiness',
    by: (vm) => (vm.moved ? -1 : READINESS.indexOf(vm.readiness)),
    cell: (vm) =>
      vm.moved ? badge('good', 'Moved') : badge(readinessKinds[vm.readiness], readinessWords[vm.readiness]),
  },
  {
    key: 'power',
    text: 'Power',
    class: 'wide',
    by: (vm) => powerOrder[vm.power_state ?? ''] ?? null,
    cell: (vm) => vm.power_state ?? '–',
  },
  { key: 'cpus', text: 'vCPUs', class: 'num wide', by: (vm) => vm.cpus, cell: (vm) => vm.cpus ?? '–' },
  {
    key: 'memory',
    text: 'Memory',
    class: 'num wide',
    by: (vm) => vm.memory_mib,
    cell: (vm) => (vm.memory_mib === null ? '–' : formatBytes(vm.memory_mib * 1024 * 1024)),
  },
  {
    key: 'capacity',
    text: 'Provisioned',
    class: 'num wide',
    by: (vm) => vm.capacity_bytes,
    cell: (vm) => formatBytes(vm.capacity_bytes),
  },
  {
    key: 'to_move',
    text: 'To move',
    class: 'num',
    by: (vm) => vm.to_move_bytes,
    cell: (vm) => formatBytes(vm.to_move_bytes),
  },
  {
    key: 'advice',
    text: 'First to do',
    class: 'wide advice',
    by: (vm) => (vm.moved || vm.advice === 'yes' ? null : vm.advice),
    cell: (vm) => (vm.moved || vm.advice === 'yes' ? '–' : foreign(vm.advice)),
  },
];

/**
 * What a search looks through: all that a person may know a VM by.
 * @param {PackedVm} vm
 * @param {readonly ReportFinding[]} findings all of the report
 */
function searchText(vm, findings) {
  return [
    vm.name,
    `id:${vm.id}`,
    vm.uuid,
    vm.guest_id,
    vm.power_state,
    vm.vmx_path,
    vm.moved ? 'moved' : readinessWords[vm.readiness],
    ...vm.disks.flatMap((disk) => [disk.path, disk.kind, disk.controller]),
    ...vm.nics.flatMap((nic) => [nic.network, nic.mac, nic.model, ...nic.ip_addresses]),
    ...vm.findings.map((place) => findings[place]?.code ?? ''),
  ]
    .join(' ')
    .toLowerCase();
}
