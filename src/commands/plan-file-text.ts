import { formatBytes } from '../core/index.js';
import type { MadePlan } from '../migration/make-plan.js';
import type { PlanDifference } from '../migration/diff-plan.js';
import type { Finding } from '../migration/findings/index.js';
import { writePlan, type PlanDocument, type PlannedVm } from '../migration/plan/document/index.js';
import { savedWhen } from '../migration/saved-age.js';
import { printable, render, renderJson, type Column, type Format } from '../ui/index.js';

/** The text of a plan in the format that was asked for; YAML is the file itself, with its comments. */
export async function renderPlan(format: Format, made: MadePlan, version: string, schemaPath: string): Promise<string> {
  if (format === 'yaml') {
    return writePlan({
      plan: made.plan,
      comments: made.items.map((item) => item.comments),
      schemaPath,
      head: [
        `Made by stackferry ${version}: ${made.items.length} VM(s) of ${made.plan.source.host} to project ${made.plan.cloud.project_name}.`,
        ...leftOutLines(made.leftOut),
        ...ofSaved(made.plan),
        'Edit what you like; names stand for ids. Then: stackferry check PLAN, stackferry migrate PLAN.',
        '`vm` is what a VM was when this was made: leave it; migrate refuses where it has changed materially since.',
      ],
    });
  }
  if (format === 'json') return renderJson(made.plan);
  return render(format, made.plan, partColumns, made.plan.vms.flatMap(partsOf));
}

/** What a reader of the plan would otherwise not miss. */
function leftOutLines(leftOut: MadePlan['leftOut']): string[] {
  return leftOut.map(({ id, name, code }) => `Left out: ${name} (id:${id}), ${code}.`);
}

/** How old that is what the plan rests on, where no host was asked. */
function ofSaved({ inventory_saved_at: savedAt, created_at }: PlanDocument): string[] {
  if (savedAt === undefined) return [];
  const when = savedWhen(savedAt, Date.parse(created_at));
  return [`Of an inventory that was saved on ${when}; the host was not asked.`];
}

interface PartRow {
  vm: string;
  part: string;
  name: string;
  what: string;
}

const partColumns: Column<PartRow>[] = [
  { name: 'vm', value: (row) => row.vm },
  { name: 'part', value: (row) => row.part },
  { name: 'name', value: (row) => row.name },
  { name: 'what', value: (row) => row.what },
];

function partsOf(planned: PlannedVm): PartRow[] {
  const { vm, server } = planned;
  const row = (part: string, name: string, what: string): PartRow => ({ vm: vm.name, part, name, what });
  return [
    ...planned.skip_disks.map((label) => row('disk', label, 'stays behind')),
    ...planned.volumes.map((volume) => {
      const image = planned.images.find((item) => item.label === volume.label);
      const disk = vm.disks.find((item) => item.label === volume.label);
      const held = disk?.allocated_bytes ?? disk?.capacity_bytes;
      const type = volume.type === null ? '' : `, type ${volume.type}`;
      const bytes = held === null || held === undefined ? '' : `, ${formatBytes(held)} held`;
      return row('volume', volume.name, `${volume.size_gib} GiB${type}, by ${image?.format ?? 'raw'} image${bytes}`);
    }),
    ...planned.ports.map((port) => {
      const addresses = port.addresses?.flatMap(({ ip }) => ip ?? []).join(' ') ?? '';
      return row('port', port.name, `${port.network}, MAC ${port.mac ?? 'new'}, ${addresses || 'any address'}`);
    }),
    row('server', server.name, server.start ? `${server.flavor}, waits for ${planned.wait_for}` : 'not made'),
  ];
}

const differenceColumns: Column<PlanDifference>[] = [
  { name: 'vm', value: (row) => row.vm ?? 'all' },
  { name: 'side', value: (row) => row.side },
  { name: 'subject', value: (row) => row.subject },
  { name: 'change', value: (row) => (row.code === null ? row.change : `${row.change} (${row.code})`) },
  { name: 'material', value: (row) => row.material },
];

export function renderDiff(format: Format, differences: readonly PlanDifference[]): Promise<string> {
  return render(format, differences, differenceColumns, differences);
}

/** A finding as a line for a person. */
export function findingLine(vm: string, finding: Finding): string {
  const on = finding.subject === 'vm' ? vm : `${finding.subject} of ${vm}`;
  return `${finding.severity.padEnd(8)} ${printable(on)}: ${printable(finding.message)} (${finding.code})\n         ${printable(finding.remedy)}\n`;
}
