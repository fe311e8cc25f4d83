/** What a host prints, made from data: in the form of the recordings. */

export type Printed = string | number | boolean | null | { ref: string } | PrintedObject | Printed[];
export interface PrintedObject {
  $: string;
  [field: string]: Printed;
}

/** A data object as vim-cmd prints it. */
export function print(value: Printed, depth = 0): string {
  const pad = '   '.repeat(depth + 1);
  const end = '   '.repeat(depth);
  if (value === null) return '<unset>';
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) {
    const first = value[0];
    const type = typeof first === 'object' && first !== null && '$' in first ? first.$ : 'string';
    return `(${type}) [\n${value.map((item) => `${pad}${print(item, depth + 1)}`).join(',\n')}\n${end}]`;
  }
  if ('ref' in value) return `'${(value as { ref: string }).ref}'`;
  const fields = Object.entries(value).filter(([name]) => name !== '$');
  return `(${value.$}) {\n${fields.map(([name, item]) => `${pad}${name} = ${print(item, depth + 1)}`).join(',\n')}\n${end}}`;
}

export interface SummaryData {
  name: string;
  vmx: string;
  power?: 'poweredOn' | 'poweredOff' | 'suspended';
  annotation?: string;
  uuid?: string;
  guestId?: string;
  connectionState?: string;
  template?: boolean;
  ft?: string;
  consolidation?: boolean;
  question?: boolean;
  cpus?: number;
  memory?: number;
}

export function summaryText(id: number, data: SummaryData): string {
  const object = print({
    $: 'vim.vm.Summary',
    vm: { ref: `vim.VirtualMachine:${id}` },
    runtime: {
      $: 'vim.vm.RuntimeInfo',
      connectionState: data.connectionState ?? 'connected',
      powerState: data.power ?? 'poweredOff',
      faultToleranceState: data.ft ?? 'notConfigured',
      question: data.question ? { $: 'vim.vm.QuestionInfo', id: '1', text: 'Did you "move" it?' } : null,
      consolidationNeeded: data.consolidation ?? false,
    },
    guest: { $: 'vim.vm.Summary.GuestSummary', toolsStatus: 'toolsNotInstalled' },
    config: {
      $: 'vim.vm.Summary.ConfigSummary',
      name: data.name,
      template: data.template ?? false,
      vmPathName: data.vmx,
      memorySizeMB: data.memory ?? 2048,
      numCpu: data.cpus ?? 1,
      uuid: data.uuid ?? `564d0000-0000-0000-0000-${String(id).padStart(12, '0')}`,
      guestId: data.guestId ?? 'ubuntu64Guest',
      annotation: data.annotation ?? '',
      ftInfo: null,
    },
    overallStatus: 'green',
  });
  return `Listsummary:\n\n${object}\n`;
}

export function devicesText(devices: PrintedObject[], cpus = 1): string {
  const hardware = { $: 'vim.vm.VirtualHardware', numCPU: cpus, numCoresPerSocket: 1, memoryMB: 2048, device: devices };
  return `Devices:\n\n${print(hardware)}\n`;
}

export function guestText(fields: Record<string, Printed>): string {
  return `Guest information:\n\n${print({ $: 'vim.vm.GuestInfo', ...fields })}\n`;
}

export interface DescriptorData {
  cid?: string;
  parentCid?: string;
  parent?: string;
  createType?: string;
  /** Lines `RW SECTORS TYPE "NAME"`. */
  extents: string[];
  adapter?: string;
}

export function descriptorText(data: DescriptorData): string {
  return [
    '# Disk DescriptorFile',
    'version=1',
    'encoding="UTF-8"',
    `CID=${data.cid ?? '11111111'}`,
    `parentCID=${data.parentCid ?? 'ffffffff'}`,
    `createType="${data.createType ?? 'vmfs'}"`,
    ...(data.parent === undefined ? [] : [`parentFileNameHint="${data.parent}"`]),
    '',
    '# Extent description',
    ...data.extents,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    `ddb.adapterType = "${data.adapter ?? 'lsilogic'}"`,
    '',
  ].join('\n');
}

/** The table of getallvms, columns as wide as their widest cell. */
export function listText(
  rows: { id: number; name: string; vmx: string; version?: string; annotation?: string }[],
): string {
  const cells = [...rows]
    .sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
    .map(({ id, name, vmx, version, annotation }) => [
      String(id),
      name,
      vmx,
      'ubuntu64Guest',
      version ?? 'vmx-19',
      annotation ?? '',
    ]);
  const width = (i: number) =>
    Math.max(...cells.map((row) => (i === 5 ? (row[i] ?? '').split('\n')[0] : row[i])?.length ?? 0), 4);
  const lines = cells.map((row) => row.map((cell, i) => cell.padEnd(width(i))).join('   '));
  return ['Vmid      Name      File      Guest OS     Version   Annotation', ...lines].join('\n') + '\n';
}
