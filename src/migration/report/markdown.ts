import { formatBytes, formatRate, formatSeconds } from '../../core/index.js';
import { ageWarning, allMoved, basisText, readinessWords, shortTime, sourceText } from './words.js';
import type { Report, ReportRun, ReportVm } from './types.js';

/** The report for a wiki: GitHub's Markdown. Everything that a host or cloud said is escaped. */
export function renderMarkdown(report: Report): string {
  const { totals, host } = report;
  const old = ageWarning(report);
  const product = [host?.product, host?.version].flatMap((part) => part ?? []).join(' ');
  const parts: string[][] = [
    [`# Migration report${host === null || host.name === null ? '' : `: ${text(host.name)}`}`],
    [
      [
        product === '' ? [] : [`Host: ${text(product)}.`],
        `Made on ${shortTime(report.generated_at)} by stackferry ${text(report.program)} from ${text(report.source.name)}${report.source.kind === 'file' ? `, ${sourceText(report)}` : ''}.`,
      ]
        .flat()
        .join(' '),
    ],
    old === null ? [] : [`**Warning**: ${text(old)}`],
    report.runs.flatMap((run) => [...runLines(run), '']),
    [
      '## Totals',
      '',
      ...table(
        ['', ''],
        [
          ['VMs', String(totals.vms)],
          ['vCPUs', String(totals.vcpus)],
          ['Memory', formatBytes(totals.memory_mib * 1024 ** 2)],
          ['Disks', String(totals.disks)],
          ['Provisioned', formatBytes(totals.capacity_bytes)],
          ['Held by the datastores', formatBytes(totals.allocated_bytes)],
          ['To move', formatBytes(totals.to_move_bytes)],
          ...(totals.moved === 0 ? [] : [['Moved', String(totals.moved)]]),
        ],
        'lr',
      ),
    ],
    allMoved(report) ? ['All VMs of this report were moved.'] : readinessLines(report),
    findingLines(report),
    vmLines(report.vms),
    ...report.vms.map(detailLines),
    report.skipped.length === 0
      ? []
      : [
          '## Not readable',
          '',
          ...table(
            ['Id', 'Name', 'Why'],
            report.skipped.map((vm) => [vm.id, vm.name ?? '-', vm.reason]),
          ),
        ],
  ];
  return `${parts
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n').trimEnd())
    .join('\n\n')}\n`;
}

function readinessLines({ totals, estimate }: Report): string[] {
  const rows = (['ready', 'remedies', 'blocked'] as const).map((key) => {
    const { to_move_bytes, seconds } = estimate.by_readiness[key];
    return [readinessWords[key], String(totals[key]), formatBytes(to_move_bytes), formatSeconds(seconds)];
  });
  return [
    '## Readiness',
    '',
    ...table(['', 'VMs', 'To move', 'Copying'], rows, 'lrrr'),
    '',
    `All of it: ${formatSeconds(estimate.seconds)} at ${formatRate(estimate.rate_bytes_per_second)}. ${basisText(estimate)}`,
    ...(totals.blocked_by_power_only === 0
      ? []
      : ['', `Of the blocked, ${totals.blocked_by_power_only} only have to be shut down.`]),
  ];
}

function findingLines({ findings }: Report): string[] {
  if (findings.length === 0) return [];
  return [
    '## Findings',
    '',
    ...table(
      ['Severity', 'Code', 'VMs', 'For example'],
      findings.map(({ severity, code, vms, example }) => [severity, code, String(vms), example.message]),
      'llrl',
    ),
  ];
}

function vmLines(vms: readonly ReportVm[]): string[] {
  if (vms.length === 0) return [];
  return [
    '## VMs',
    '',
    ...table(
      ['Name', 'Id', 'Power', 'vCPUs', 'Memory', 'Provisioned', 'To move', 'Readiness', 'Next'],
      vms.map((vm) => [
        vm.name,
        vm.id,
        vm.power_state ?? '-',
        vm.cpus === null ? '-' : String(vm.cpus),
        vm.memory_mib === null ? '-' : formatBytes(vm.memory_mib * 1024 ** 2),
        formatBytes(vm.capacity_bytes),
        formatBytes(vm.to_move_bytes),
        vm.moved ? 'moved' : readinessWords[vm.readiness],
        vm.advice === 'yes' ? '' : vm.advice,
      ]),
      'lrlrrrrll',
    ),
  ];
}

function detailLines(vm: ReportVm): string[] {
  const size = (bytes: number | null) => (bytes === null ? '-' : formatBytes(bytes));
  const lines = [`### ${text(vm.name)} (id ${text(vm.id)})`];
  if (vm.findings.length > 0) {
    const rows = vm.findings.map((item) => [item.severity, item.code, item.subject, item.message, item.remedy]);
    lines.push('', ...table(['Severity', 'Code', 'On', 'Found', 'Remedy'], rows));
  } else lines.push('', 'Nothing was found that stands in its way.');
  if (vm.target) {
    const { server, volumes, ports } = vm.target;
    const rows = [
      ...(server ? [['server', server.name, server.flavor]] : []),
      ...volumes.map((volume) => [
        'volume',
        volume.label,
        `${volume.size_gib} GiB${volume.type ? `, ${volume.type}` : ''}`,
      ]),
      ...ports.map((port) => ['port', port.label, port.network ?? '-']),
    ];
    lines.push('', ...table(['Target', 'Name', 'What'], rows));
  }
  if (vm.disks.length > 0) {
    const rows = vm.disks.map((disk) => [
      disk.label,
      disk.path ?? '-',
      size(disk.capacity_bytes),
      size(disk.allocated_bytes),
      disk.kind ?? '-',
      disk.mode,
    ]);
    lines.push('', ...table(['Disk', 'Path', 'Size', 'Held', 'Kind', 'Mode'], rows, 'llrrll'));
  }
  if (vm.nics.length > 0) {
    const rows = vm.nics.map((nic) => [
      nic.label,
      nic.model ?? '-',
      nic.mac ?? '-',
      nic.network ?? '-',
      nic.ip_addresses.join(' ') || '-',
    ]);
    lines.push('', ...table(['NIC', 'Model', 'MAC', 'Network', 'Addresses'], rows));
  }
  return lines;
}

function runLines(run: ReportRun): string[] {
  const { target, timeline } = run;
  const place = [target.cloud, target.project, target.region].flatMap((part) => part ?? []).join(' / ');
  const lines = [
    `## Run ${text(run.run)}: ${text(run.vm?.name ?? run.command)}, ${run.state.replace('_', ' ')}`,
    '',
    `Began ${shortTime(run.opened_at)}, ${formatSeconds(timeline.active_seconds)} of work${place === '' ? '' : `, to ${text(place)}`}.`,
  ];
  if (run.error) {
    lines.push('', `**Error** ${text(run.error.code)}: ${text(run.error.message)}`);
    if (run.error.hint !== null) lines.push('', `What to do: ${text(run.error.hint)}`);
  }
  lines.push(
    '',
    ...table(
      ['Step', 'State', 'Began', 'Took', 'Bytes', 'Rate'],
      timeline.steps.map((step) => [
        step.title,
        step.state.replace('_', ' '),
        shortTime(step.started_at),
        formatSeconds(step.seconds),
        step.bytes === null ? '-' : formatBytes(step.bytes),
        step.rate_bytes_per_second === null ? '-' : formatRate(step.rate_bytes_per_second),
      ]),
      'lllrrr',
    ),
  );
  const made: string[][] = [];
  if (target.server) made.push(['server', target.server.name, target.server.server_id ?? '-', target.server.flavor]);
  for (const item of target.volumes)
    made.push([
      'volume',
      item.label,
      item.volume_id ?? '-',
      [`${item.size_gib} GiB`, item.type ?? ''].join(' ').trim(),
    ]);
  for (const item of target.ports)
    made.push(['port', item.label, item.port_id ?? '-', [item.network ?? '', ...item.ip_addresses].join(' ').trim()]);
  if (made.length > 0) lines.push('', ...table(['Target', 'Name', 'Id', ''], made));
  if (run.proofs.length > 0) {
    const rows = run.proofs.map((proof) => [
      proof.proved ? 'proved' : 'not proved',
      proof.subject,
      proof.claim,
      proof.detail,
    ]);
    lines.push('', ...table(['', 'On', 'Claim', 'How'], rows));
  }
  for (const warning of run.warnings) lines.push('', `Warning ${text(warning.code)}: ${text(warning.message)}`);
  return lines;
}

/** A table; `align` has a letter a column: l, r. The cells are escaped here. */
function table(head: string[], rows: string[][], align = ''): string[] {
  const line = (cells: string[]) => `| ${cells.map(text).join(' | ')} |`;
  const rule = head.map((_, index) => (align[index] === 'r' ? '---:' : '---'));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)];
}

/** What could begin a tag, an entity, code, emphasis, a formula, a link (bare ones, too), a cell, a heading or a list. */
const SPECIAL =
  /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\\`*[\]|~$<>&@#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=\/\/)|(?<=\bwww)\./gi;
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/**
 * Text that Markdown shows as it is. A line break becomes a blank; other control characters, and those that turn the
 * direction of text, are made visible.
 */
export function text(value: string): string {
  return value.replace(/\r\n|[\n\r\u2028\u2029]/g, ' ').replace(SPECIAL, (character) => {
    const entity = ENTITIES[character];
    if (entity !== undefined) return entity;
    if (/[\u0000-\u001f\u007f-\u009f\u200e-\u206f]/.test(character)) {
      return `\\\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    }
    return `\\${character}`;
  });
}
