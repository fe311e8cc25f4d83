import { formatBytes, redactValue } from '../core/index.js';
import type { DryRun } from '../migration/dry-run.js';
import type { Finding } from '../migration/findings/index.js';
import { formatWaitFor } from '../migration/plan/options.js';
import { callsText } from './calls-text.js';
import { printable, render, type Column, type Format } from '../ui/index.js';

interface Line {
  step: string;
  what: string;
  how: string;
}

const columns: Column<Line>[] = [
  { name: 'step', value: (row) => row.step },
  { name: 'what', value: (row) => row.what },
  { name: 'how', value: (row) => row.how },
];

/** Prints what a migration would do, and what stands in its way. */
export async function printPlan(
  out: (text: string) => void,
  format: Format,
  { blocked, ...plan }: DryRun,
  width: number | null,
): Promise<void> {
  const { earlier } = plan;
  out(await render(format, redactValue(plan), columns, [...linesOf(plan), ...findingsOf(plan.findings)], width));
  if (format !== 'table') return;
  if (earlier?.would !== 'make_nothing') out(callsText(plan.calls));
  if (earlier?.would === 'go_on') {
    out(`migrate would go on with run ${earlier.run}, begun ${earlier.begun} (${earlier.state}).\n`);
  } else if (earlier) {
    out(`Run ${earlier.run} has migrated this VM already: migrate would make nothing, unless with --again.\n`);
  }
  out(`${blocked === null ? '' : 'It would not begin: see the blocker. '}Nothing was changed.\n`);
}

/** The same of several VMs: as data one list, for a person one after another. */
export async function printPlans(
  out: (text: string) => void,
  format: Format,
  plans: readonly DryRun[],
  width: number | null,
): Promise<void> {
  const [only, ...more] = plans;
  if (only && more.length === 0) {
    await printPlan(out, format, only, width);
    return;
  }
  if (format === 'json' || format === 'yaml') {
    const vms = plans.map(({ blocked, ...plan }) => ({ ...plan, blocked: blocked?.code ?? null }));
    out(await render(format, redactValue({ vms }), [], []));
    return;
  }
  for (const plan of plans) {
    if (format === 'table') out(`${printable(plan.vm.name)}\n`);
    await printPlan(out, format, plan, width);
  }
}

function findingsOf(findings: readonly Finding[]): Line[] {
  return findings.map(({ code, severity, subject, message, remedy }) => ({
    step: severity,
    what: `${code}${subject === 'vm' || subject === 'cloud' ? '' : ` ${subject}`}`,
    how: printable(`${message} ${remedy}`.trim()),
  }));
}

function linesOf(plan: Omit<DryRun, 'blocked'>): Line[] {
  const isAttached = plan.via.way === 'cinder';
  return [
    { step: 'via', what: plan.via.way, how: printable(plan.via.reason) },
    ...(plan.reading === null ? [] : [{ step: 'read', what: 'host', how: printable(plan.reading) }]),
    ...plan.disks.map((disk) => ({
      step: isAttached ? 'data' : 'export',
      what: `disk ${disk.label}`,
      how: `${disk.path ?? ''}, ${formatBytes(disk.allocated_bytes ?? disk.capacity_bytes ?? 0)} held`,
    })),
    ...(isAttached ? [] : plan.images).map((image) => ({
      step: 'image',
      what: printable(image.name),
      how: `${image.format} (${image.format_reason}), ${Object.keys(image.properties).length} properties`,
    })),
    ...plan.volumes.map((volume) => ({
      step: 'volume',
      what: printable(volume.name),
      how: `${volume.size_gib} GiB, type ${volume.type ?? 'default'}${volume.zone === null ? '' : `, zone ${volume.zone}`}${volume.boot ? ', boots' : ''}`,
    })),
    ...plan.ports.map((port) => ({
      step: 'port',
      what: printable(port.name),
      how: `${port.network_name} (${port.reason}), MAC ${port.mac ?? 'new'}, ${port.fixed_ips === null ? 'any address' : port.fixed_ips.map((ip) => ip.ip_address ?? 'any').join(' ')}`,
    })),
    {
      step: 'server',
      what: printable(plan.server.name),
      how: plan.server.start
        ? `${plan.server.flavor_name} (${plan.server.flavor_reason}), waits for ${formatWaitFor(plan.wait_for)}`
        : 'not made (--no-start)',
    },
  ];
}
