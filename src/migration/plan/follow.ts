import { UsageError } from '../../core/index.js';
import type { RunContext } from '../steps/step.js';
import { hasBegun, type MadePart } from './begun.js';
import { plannedVm, type PlannedVm } from './document/schema.js';
import { sections, type SectionName } from './sections.js';

/** The section that holds a plan file's entry of the VM, where the run follows one. */
export const PLANNED = 'planned';

/** What each part is in a plan file's entry. */
const parts: Readonly<Record<Exclude<MadePart, 'source' | 'cloud'>, (planned: PlannedVm) => unknown>> = {
  via: ({ via }) => ({ via }),
  images: ({ images }) => images,
  volumes: ({ volumes }) => volumes,
  ports: ({ ports }) => ports,
  flavor: ({ server: { flavor, create_flavor } }) => ({ flavor, create_flavor }),
  server: ({ server }) => server,
  boot: ({ wait_for }) => ({ wait_for }),
};

/**
 * Lets a run follow the entry of a plan file: from now on every part is settled from it, also when the run is resumed
 * without the file. The plan may have changed since the run began, as long as what was made by it stays as it is.
 * @param settle a part out of this entry, for a run that was begun without a plan
 * @throws UsageError that says what was made by other choices.
 */
export async function followPlan(
  rc: RunContext,
  planned: PlannedVm,
  settle: (name: SectionName) => Promise<unknown>,
): Promise<void> {
  const before = plannedVm.safeParse(rc.state.plan.get(PLANNED)).data;
  if (JSON.stringify(before) === JSON.stringify(planned)) return;
  for (const part of Object.keys(parts) as (keyof typeof parts)[]) {
    if (!(await hasBegun(rc, part))) continue;
    const name = part === 'flavor' ? 'server' : part;
    if (!before && !rc.state.plan.has(name)) continue;
    const [made, wanted] = before
      ? [parts[part](before), parts[part](planned)]
      : [choicesOf(part, rc.state.plan.get(name)), choicesOf(part, await settle(name))];
    const [first, ...more] = differences(made, wanted);
    if (first === undefined) continue;
    const list = [first, ...more.slice(0, 2)].join('; ') + (more.length > 2 ? `; and ${more.length - 2} more` : '');
    throw new UsageError(
      `Run ${rc.run} has made its ${part} already, and by this plan they would be others: ${list}.`,
      `Write into the plan what the run has, and run it again; or go on without the plan: stackferry migrate --resume --run ${rc.run}; or undo the run: stackferry rollback ${rc.run}`,
    );
  }
  await rc.record({ kind: 'plan', section: PLANNED, value: planned });
}

/** A part without its reasons and the time of its making, which say nothing of what is made. */
function choicesOf(part: keyof typeof parts, value: unknown): unknown {
  switch (part) {
    case 'via':
      return { way: sections.via.parse(value).way };
    case 'images':
      return sections.images.parse(value).map((image) => ({
        ...without(image, ['format_reason', 'property_reasons']),
        properties: without(image.properties, ['image_build_date']),
      }));
    case 'volumes':
      return sections.volumes.parse(value).map((volume) => without(volume, ['type_reason']));
    case 'ports':
      return sections.ports.parse(value).map((port) => without(port, ['reason']));
    case 'flavor':
      return { flavor_id: sections.server.parse(value).flavor_id };
    case 'server': {
      const server = sections.server.parse(value);
      return { tags: [], ...without(server, ['flavor_reason', 'create_flavor']) };
    }
    case 'boot':
      return value;
  }
}

function without(value: object, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** `scsi0:0 size_gib 1 -> 2` for everything that differs. The order of keys does not count. */
function differences(made: unknown, wanted: unknown, path: readonly string[] = []): string[] {
  if (JSON.stringify(made) === JSON.stringify(wanted)) return [];
  if (isObject(made) && isObject(wanted)) {
    return [...new Set([...Object.keys(made), ...Object.keys(wanted)])].flatMap((key) => {
      const [old, now] = [made[key], wanted[key]];
      return differences(old, now, [...path, labelOf(old) ?? labelOf(now) ?? key]);
    });
  }
  const show = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));
  return [`${path.join(' ')} ${show(made)} -> ${show(wanted)}`];
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const labelOf = (value: unknown) =>
  isObject(value) && typeof value['label'] === 'string' ? value['label'] : undefined;
