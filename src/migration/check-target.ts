import { StackferryError } from '../core/index.js';
import type { Cloud, Port } from '../openstack/index.js';
import { readCloudFacts, type CloudFacts } from './cloud-facts.js';
import { standing } from './findings/accept.js';
import type { Finding } from './findings/index.js';
import { seenOf } from './plan/document/index.js';
import { preflight, type PreflightVm, type TargetFacts } from './preflight/index.js';
import { needSection, section, type RunContext } from './steps/step.js';
import { transferOf } from './steps/transfer.js';

/** Warnings that the step itself gives once it knows more (the new MAC): before it they are only told. */
const TOLD_AGAIN = ['cloud.mac_taken', 'cloud.port_policy'];

/**
 * Looks at the target before a byte moves, by the rules of `check`, for what of this run is still to be made. A blocker
 * is thrown (exit code 3), the rest is told as warnings.
 */
export async function checkTarget(rc: RunContext, accept: readonly string[] = []): Promise<void> {
  const { standing: stands } = standing(await targetFindings(rc), accept);
  for (const { code, severity, subject, message, remedy } of stands) {
    if (severity !== 'warning') continue;
    const text = `${on(subject)}${message}`;
    if (TOLD_AGAIN.includes(code)) rc.ctx.events.emit({ kind: 'notice', message: `${text} (${code})` });
    else rc.ctx.events.emit({ kind: 'warning', code, message: text, hint: remedy });
  }
  const blocked = targetBlocker(stands);
  if (blocked) throw blocked;
}

/** The error (exit code 3) of the first blocker among these; it names the others. */
export function targetBlocker(findings: readonly Finding[]): StackferryError | null {
  const [first, ...more] = findings.filter(({ severity }) => severity === 'blocker');
  if (!first) return null;
  const also = more.length === 0 ? '' : ` (and ${more.length} more: ${more.map(({ code }) => code).join(', ')})`;
  const text = `${on(first.subject)}${first.message}${also}`;
  return new StackferryError(first.code, text, { hint: first.remedy, exitCode: 3 });
}

const on = (subject: string) => (/^(ethernet\d+|[a-z]+\d+:\d+)$/.test(subject) ? `${subject}: ` : '');

/** What the rules find on the target of this run. */
export async function targetFindings(rc: RunContext): Promise<Finding[]> {
  const cloud = await rc.cloud();
  const item = toBeMade(rc);
  const facts = await readCloudFacts(cloud, { keypairs: false });
  // A port that was made and not yet noted is this run's own.
  const isOwn = ({ description }: Port) => description.startsWith(`stackferry_run=${rc.run} `);
  const target = await readTargetFacts(cloud, facts, [item]);
  const others = { ...target, ports: target.ports.filter((port) => !isOwn(port)) };
  return preflight({ vms: [item], target: others, host: null, converter: null }).map(({ finding }) => finding);
}

/** The parts of the run that are still to be made. */
function toBeMade({ state }: RunContext): PreflightVm {
  const isMade = (key: string) =>
    state.resources.some((resource) => resource.step === key && resource.id !== null && !resource.gone);
  const isLeft = (kind: string) => (part: { label: string }) => !isMade(`${kind}:${part.label}`);
  const source = section(state, 'source');
  const server = needSection(state, 'server');
  if (!source) throw new Error(`run ${state.run} has no source`);
  const volumes = needSection(state, 'volumes').filter(isLeft('volume'));
  return {
    id: source.vm.id,
    name: source.vm.name,
    vm: seenOf(source.vm),
    labels: source.labels,
    images: (transferOf(state) === 'attached' ? [] : needSection(state, 'images')).filter(
      (image) => isLeft('image')(image) && volumes.some(({ label }) => label === image.label),
    ),
    volumes,
    ports: needSection(state, 'ports').filter(isLeft('port')),
    server: server.start && !isMade('server') ? server : null,
    hasFlavor: true,
  };
}

/** The cloud's side for these VMs: what the choices were made from, and what only the rules ask for. */
export async function readTargetFacts(
  cloud: Cloud,
  facts: CloudFacts,
  vms: readonly Pick<PreflightVm, 'ports'>[],
): Promise<TargetFacts> {
  const used = [...new Set(vms.flatMap(({ ports }) => ports.map(({ network_id }) => network_id)))];
  const [limits, defaultType, microversion, ...ports] = await Promise.all([
    cloud.limits(),
    cloud.volumeTypes.default(),
    cloud.computeMicroversion(),
    ...used.map((networkId) => cloud.ports.list({ networkId })),
  ]);
  return {
    ...facts,
    project: cloud.project,
    roles: cloud.roles,
    catalog: cloud.catalog,
    microversion,
    limits,
    defaultVolumeType: defaultType?.name ?? null,
    ports: ports.flat(),
  };
}
