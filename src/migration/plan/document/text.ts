import { Document, isMap, isScalar, isSeq, type Node } from 'yaml';
import { UsageError, ceilGib } from '../../../core/index.js';
import { readYaml } from '../read-yaml.js';
import type { Comment } from './explain.js';
import { PLAN_VERSION, planDocument, type PlanDocument } from './schema.js';

/** A plan beyond so many bytes is none of ours: 10,000 VMs make some 40 MB. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface PlanText {
  plan: PlanDocument;
  /** Comments by the index of the VM. */
  comments: readonly (readonly Comment[])[];
  /** Path of the schema's file, for editors. */
  schemaPath: string;
  /** What may be said of the plan as a whole, a line each. */
  head: readonly string[];
}

/** The text of a plan file: YAML, each choice with its reason above it. */
export function writePlan({ plan, comments, schemaPath, head }: PlanText): string {
  const document = new Document(plan, { aliasDuplicateObjects: false, compat: 'yaml-1.1' });
  document.commentBefore = [` yaml-language-server: $schema=${oneLine(schemaPath)}`, ...head.map(commentLine)].join(
    '\n',
  );
  for (const [index, ofVm] of comments.entries()) {
    for (const comment of ofVm) {
      const node = keyNode(document, ['vms', index, ...comment.path]);
      if (node) node.commentBefore = comment.text.split('\n').map(commentLine).join('\n');
    }
  }
  return document.toString({ lineWidth: 0 });
}

/** The node above which a comment on this path is written: a map's key, or a list's item. */
function keyNode(document: Document, path: (string | number)[]): Node | null {
  const last = path.at(-1);
  const parent = document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === last);
    return pair && isScalar(pair.key) ? pair.key : null;
  }
  if (isSeq(parent) && typeof last === 'number') return (parent.items[last] ?? null) as Node | null;
  return null;
}

/** A comment holds one line, whatever a host's names hold. */
const commentLine = (text: string) => ` ${oneLine(text)}`;
const oneLine = (text: string) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');

/**
 * Reads a plan file.
 * @throws UsageError that names the line and what is wrong with it.
 */
export function parsePlan(text: string, path: string): PlanDocument {
  const plan = readYaml(text, {
    schema: planDocument,
    maxBytes: MAX_BYTES,
    tooLarge: 'it is larger than any plan',
    version: PLAN_VERSION,
    newer: (version) =>
      new UsageError(
        `${path} is a plan of version ${version}; this program knows versions up to ${PLAN_VERSION}.`,
        'Use the newer stackferry that wrote it, or make the plan anew.',
      ),
    wrong: (why) => notPlan(path, why),
  });
  assertWhole(plan, path);
  return plan;
}

/** What no schema of one field can say: the disks of image, volume and VM are the same. */
function assertWhole(plan: PlanDocument, path: string): void {
  const seen = new Set<string>();
  for (const [index, { vm, skip_disks, images, volumes, ports }] of plan.vms.entries()) {
    const at = `vms.${index} (${vm.name})`;
    if (seen.has(vm.id)) throw notPlan(path, `${at}: id ${vm.id} is there twice`);
    seen.add(vm.id);
    const moving = vm.disks.map((disk) => disk.label).filter((label) => !skip_disks.includes(label));
    for (const [what, list] of [
      ['images', images],
      ['volumes', volumes],
    ] as const) {
      const labels = list.map((item) => item.label);
      const missing = moving.find((label) => !labels.includes(label));
      if (missing !== undefined) throw notPlan(path, `${at}: ${missing} is neither in ${what} nor in skip_disks`);
      const surplus = labels.find((label, place) => !moving.includes(label) || labels.indexOf(label) !== place);
      if (surplus !== undefined)
        throw notPlan(path, `${at}: ${what} name ${surplus}, which is no moving disk, or twice`);
    }
    if (volumes.filter((volume) => volume.boot).length !== 1 || volumes[0]?.boot !== true) {
      throw notPlan(path, `${at}: the first volume, and no other, has boot: true`);
    }
    const unknown = ports.find((port) => !vm.nics.some((nic) => nic.label === port.label));
    if (unknown) throw notPlan(path, `${at}: ports name ${unknown.label}, a NIC that the VM does not have`);
    const twice = ports.find((port, place) => ports.findIndex((other) => other.label === port.label) !== place);
    if (twice) throw notPlan(path, `${at}: ports name ${twice.label} twice`);
    for (const volume of volumes) {
      const disk = vm.disks.find((item) => item.label === volume.label);
      if (volume.size_gib < ceilGib(disk?.capacity_bytes ?? 0)) {
        throw notPlan(path, `${at}: volume ${volume.label} of ${volume.size_gib} GiB is smaller than its disk`);
      }
    }
  }
}

function notPlan(path: string, why: string): UsageError {
  return new UsageError(
    `${path} is no plan that can be run: ${oneLine(why)}.`,
    'What a plan holds: stackferry plan --schema. Make one: stackferry plan --vm NAME -o FILE',
  );
}
