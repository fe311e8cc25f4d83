import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { StackferryError, UsageError, formatBytes, quoteForHint } from '../core/index.js';
import { changesOf, type PlannedVm } from './plan/document/index.js';
import { ensureSections, followPlan, takeOptions } from './plan/resolve.js';
import type { MappingOptions } from './plan/options.js';
import { assertLimited, type LimitedDisk } from './steps/limits.js';
import { canRead } from '../esxi/read/index.js';
import { checkTarget } from './check-target.js';
import { assertAcceptable, isOverridable, standing } from './findings/accept.js';
import { assertDisksOfRun, diskChoice, openOrBegin } from './choose-run.js';
import {
  blockerError,
  chooseDisks,
  isOnWhatMoves,
  readSource,
  standingBlockers,
  type PowerLeave,
  type Source,
} from './read-source.js';
import type { PackageAddress } from './import/address.js';
import { runResult, type RunResult } from './result.js';
import { runSteps } from './runner.js';
import { withRun, type Session, type SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import { listSteps } from './steps/list.js';
import { assertNoLiveCopy } from './steps/running.js';
import { needSection, section, type RunContext } from './steps/step.js';
import { TRANSFER, type Transfer } from './steps/transfer.js';

/** Where the source is, as the plan keeps it. */
export interface SourceAddress {
  host: string;
  port: number;
  user: string;
  /** Files in the place of a host. */
  package?: PackageAddress;
}

export interface SourceRequest {
  selector: string;
  address: SourceAddress;
  onlyDisks?: string[];
  skipDisks?: string[];
  /** Absolute; the run's own folder if unset. */
  outputDir?: string;
  /** The disks of all VMs that move by this command, on which limits by datastore may be; those of this VM if unset. */
  limited?: readonly LimitedDisk[];
}

export interface MigrateRequest {
  source: SourceRequest;
  /** What was said on this command line. */
  options: Partial<MappingOptions>;
  /** Ask before the first change; the answer no ends with nothing made. */
  confirm: boolean;
  /** Go on with this run instead of beginning one. */
  resume?: string;
  /** The VM's entry of a plan file, which decides what goes where; `options` is empty then. */
  planned?: PlannedVm;
  /** Findings that are taken knowingly: `CODE` or `CODE:SUBJECT`. The run keeps them. */
  accept?: readonly string[];
  /** Make another server though an earlier run has made one of this VM. */
  again: boolean;
}

/** The whole migration of one VM: all choices resolved first, then every step in order. */
export async function migrate(base: SessionBase, request: MigrateRequest): Promise<RunResult> {
  const which = await openOrBegin(base, request);
  if ('done' in which) return runResult(which.done);
  return withRun(base, which, async (session) => {
    const { rc } = session;
    assertNoLiveCopy(rc.state);
    const accept = await takeAccepted(rc, request.accept ?? []);
    await takeSource(session, request.source, { ...powerLeave(rc), accept });
    if (request.planned) await takePlan(rc, request.planned);
    const options = await takeOptions(rc, saidOf(rc, which, request));
    await ensureSections(rc, options, ['cloud', 'via', 'images', 'volumes', 'ports', 'server', 'boot']);
    tellWay(rc);
    await checkTarget(rc, accept);
    if (request.confirm) await confirmGo(rc);
    await runSteps(rc, listSteps(rc.state));
    await dropStaging(rc);
    return 'done';
  });
}

/**
 * What was taken knowingly, on this command line and on those before it.
 * @throws UsageError for what no finding is called.
 */
export async function takeAccepted(rc: RunContext, given: readonly string[]): Promise<string[]> {
  assertAcceptable(given);
  const saved = z.array(z.string()).safeParse(rc.state.plan.get('accept')).data ?? [];
  const all = [...new Set([...saved, ...given])];
  if (all.length > saved.length) await rc.record({ kind: 'plan', section: 'accept', value: all });
  return all;
}

/** What counts of the command line; a run that follows a plan file takes nothing but that. */
export function saidOf(
  rc: RunContext,
  which: Awaited<ReturnType<typeof openOrBegin>>,
  request: MigrateRequest,
): Partial<MappingOptions> {
  if (rc.state.plan.has('planned')) return request.options;
  return { ...('options' in which ? which.options : {}), ...request.options };
}

/** Reads the VM (again), and journals what moves where. A resumed run keeps its choice of disks and folder. */
export async function takeSource(
  session: Session,
  request: SourceRequest,
  allowed: PowerLeave & { accept?: readonly string[]; staged?: boolean; toFile?: boolean },
): Promise<void> {
  const { rc, paths } = session;
  const accept = allowed.accept ?? [];
  const { source, labels } = await lookAtSource(rc, request);
  const blockers = standing(standingBlockers(source, labels, allowed), accept).standing;
  const blocked = blockerError(source.vm.name, blockers);
  if (blocked) throw blocked;
  for (const finding of standing(source.findings.filter(isOverridable), accept).standing) {
    if (finding.severity !== 'warning' || !isOnWhatMoves(source, labels, finding)) continue;
    const on = finding.subject === 'vm' ? source.vm.name : `${finding.subject} of ${source.vm.name}`;
    rc.ctx.events.emit({
      kind: 'warning',
      code: finding.code,
      message: `${on}: ${finding.message}`,
      hint: finding.remedy,
    });
  }
  const staged = allowed.staged === true || request.outputDir !== undefined;
  await noteSource(rc, request, { source, labels, ownFolder: paths.disks, staged, toFile: allowed.toFile === true });
}

/** The VM as the host has it now, and the labels of the disks that move. */
export async function lookAtSource(
  rc: RunContext,
  request: SourceRequest,
): Promise<{ source: Source; labels: string[] }> {
  const known = section(rc.state, 'source');
  const source = await readSource(await rc.host(), known ? `id:${known.vm.id}` : request.selector);
  if (known && known.vm.uuid !== source.vm.uuid) {
    throw new UsageError(`id:${known.vm.id} of ${known.host} is another VM now than when run ${rc.run} began.`);
  }
  assertDisksOfRun(rc.state, source.vm, request);
  const labels = known?.labels ?? chooseDisks(source.vm, { ...diskChoice(request) });
  assertLimited(
    rc.settings.bandwidth,
    request.limited ?? source.vm.disks.filter(({ label }) => labels.includes(label)),
  );
  return { source, labels };
}

/** Journals what moves where, once a run. */
export async function noteSource(
  rc: RunContext,
  request: SourceRequest,
  of: { source: Source; labels: string[]; ownFolder: string; staged: boolean; toFile?: boolean },
): Promise<void> {
  if (section(rc.state, 'source')) return;
  const { source, labels, ownFolder, staged, toFile = false } = of;
  await rc.record({
    kind: 'plan',
    section: 'source',
    value: {
      ...request.address,
      vm: source.vm,
      labels,
      outputDir: request.outputDir ?? ownFolder,
      ownDir: request.outputDir === undefined,
    },
  });
  const moving = source.vm.disks.filter((disk) => labels.includes(disk.label));
  // Hosted sparse and stream-optimized files are read by qemu-img, which wants them here.
  const onePass: Transfer = toFile ? 'file' : staged ? 'staged' : 'direct';
  const isReadable = request.address.package !== undefined || moving.every((disk) => canRead(disk.kind));
  const transfer = isReadable ? onePass : 'staged';
  await rc.record({ kind: 'plan', section: TRANSFER, value: transfer });
}

/**
 * Lets the run follow a plan file's entry.
 * @throws StackferryError `plan.outdated` (exit code 3) where the VM has changed so that the plan no longer fits.
 */
export async function takePlan(rc: RunContext, planned: PlannedVm): Promise<void> {
  const material = changesOf(planned, needSection(rc.state, 'source').vm).filter((change) => change.material);
  if (material.length > 0) {
    const list = material.map(({ subject, message }) => (subject === 'vm' ? message : `${subject}: ${message}`));
    throw new StackferryError(
      'plan.outdated',
      `${planned.vm.name} is not what it was when it was planned: ${list.join('; ')}.`,
      {
        hint: `Make the plan anew: stackferry plan --vm ${quoteForHint(planned.vm.name)} -o FILE`,
        exitCode: 3,
      },
    );
  }
  await followPlan(rc, planned);
}

export function powerLeave({ settings }: Pick<RunContext, 'settings'>): PowerLeave {
  return { powerOff: settings.powerOff || settings.forceOff, forceOff: settings.forceOff };
}

/** How the bytes go, and why so. */
function tellWay(rc: RunContext): void {
  const tell = (message: string) => rc.ctx.events.emit({ kind: 'notice', message });
  const { way, reason } = needSection(rc.state, 'via');
  if (way === 'cinder') {
    tell(`The disks are written straight to the attached volumes: ${reason}.`);
    return;
  }
  const images = needSection(rc.state, 'images');
  for (const said of new Set(images.map(({ format, format_reason: why }) => `as ${format}: ${why}`))) {
    const labels = images.filter(({ format, format_reason: why }) => `as ${format}: ${why}` === said);
    tell(`${labels.map(({ label }) => label).join(', ')} ${labels.length === 1 ? 'goes' : 'go'} ${said}.`);
  }
}

/** One line that says what will happen, and the question. */
async function confirmGo(rc: RunContext): Promise<void> {
  const yes = await rc.ctx.events.ask({
    type: 'confirm',
    code: 'migrate.go',
    message: `${goText(rc.state)} Go?`,
    default: false,
    option: '--yes',
  });
  if (yes) return;
  throw new StackferryError(
    'declined',
    'Not begun, as you said. Nothing was changed, neither on the host nor in the cloud.',
    {
      hint: 'See all of it beforehand with --dry-run; --yes answers the question.',
    },
  );
}

/** What `Go?` is asked of: only the disks that move count. */
export function goText(state: RunState): string {
  const { vm, labels } = needSection(state, 'source');
  const server = needSection(state, 'server');
  const volumes = needSection(state, 'volumes');
  const disks = vm.disks.filter((disk) => labels.includes(disk.label));
  const left = vm.disks.length - disks.length;
  const sizes = volumes.map((volume) => `${volume.size_gib} GiB`).join(' + ');
  const held = disks.reduce((sum, disk) => sum + (disk.allocated_bytes ?? disk.capacity_bytes ?? 0), 0);
  const macs = (section(state, 'ports') ?? []).some((port) => port.mac !== null) ? ', MAC kept' : '';
  const behind = left === 0 ? '' : `, ${left} disk(s) left behind`;
  const isPackage = section(state, 'source')?.package !== undefined;
  const power =
    vm.power_state === 'on'
      ? 'The source is shut down'
      : isPackage
        ? 'What is given is only read'
        : 'The source stays off';
  return `${vm.name} -> ${server.flavor_name}, ${volumes.length} volume(s) of ${sizes}${macs}, ${formatBytes(held)} to copy${behind}. ${power} and is not deleted.`;
}

/** The staged files have served: the volumes hold what they held. Only the run's own folder is removed. */
async function dropStaging(rc: RunContext): Promise<void> {
  const source = section(rc.state, 'source');
  if (source?.ownDir !== true) return;
  await rm(source.outputDir, { recursive: true, force: true });
}
