import { rm } from 'node:fs/promises';
import { UsageError, formatBytes } from '../core/index.js';
import type { EsxiHost } from '../esxi/index.js';
import { ensureSections, takeOptions } from './plan/resolve.js';
import type { MappingOptions } from './plan/options.js';
import { checkTarget } from './check-target.js';
import { assertNoBlocker, chooseDisks, readSource } from './read-source.js';
import { runResult, type RunResult } from './result.js';
import { runSteps } from './runner.js';
import { withRun, type Session, type SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { RunStore } from './state/store.js';
import { listSteps } from './steps/list.js';
import { needSection, section, type RunContext } from './steps/step.js';

/** Where the source is, as the plan keeps it. */
export interface SourceAddress {
  host: string;
  port: number;
  user: string;
}

export interface SourceRequest {
  selector: string;
  address: SourceAddress;
  onlyDisks?: string[];
  skipDisks?: string[];
  /** Absolute; the run's own folder if unset. */
  outputDir?: string;
}

export interface MigrateRequest {
  source: SourceRequest;
  /** What was said on this command line. */
  options: Partial<MappingOptions>;
  /** Ask before the first change; the answer no ends with nothing made. */
  confirm: boolean;
  /** Go on with this run instead of beginning one. */
  resume?: string;
  /** Make another server though an earlier run has made one of this VM. */
  again: boolean;
}

/** The whole migration of one VM: all choices resolved first, then every step in order. */
export async function migrate(base: SessionBase, request: MigrateRequest): Promise<RunResult> {
  const which = await openOrBegin(base, request);
  if ('done' in which) return runResult(which.done);
  return withRun(base, which, async (session) => {
    const { rc } = session;
    await takeSource(session, request.source, { powerOff: mayPowerOff(rc) });
    const options = await takeOptions(rc, request.options);
    await ensureSections(rc, options, ['cloud', 'images', 'volumes', 'ports', 'server', 'boot']);
    await checkTarget(rc);
    if (request.confirm) await confirmGo(rc);
    await runSteps(rc, listSteps(rc.state));
    await dropStaging(rc);
    return 'done';
  });
}

/** Which run to work on: the one that was named, the VM's unfinished one, or a new one. */
async function openOrBegin(
  base: SessionBase,
  request: MigrateRequest,
): Promise<{ resume: string } | { vm: RunState['vm'] } | { done: RunState }> {
  if (request.resume !== undefined) return { resume: request.resume };
  const host = await base.doors.host(base.ctx);
  const { vm } = await readSource(host, request.source.selector);
  const key = { id: vm.id, uuid: vm.uuid, host: request.source.address.host };
  const done = request.again ? undefined : await standingRun(base, key);
  if (done) {
    const message = `${vm.name} was migrated by run ${done.run}, and what it made is there; nothing was made now. Another one: --again`;
    base.ctx.events.emit({ kind: 'notice', message });
    return { done };
  }
  if (request.again) return { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
  // A run that moves other disks, or stages them elsewhere, is not the one that is asked for now.
  const wanted = chooseDisks(vm, pick(request.source)).join();
  const { outputDir } = request.source;
  const open = (await openRunsOf(base, key)).filter((state) => {
    const source = section(state, 'source');
    return (
      source === undefined || (source.labels.join() === wanted && (outputDir ?? source.outputDir) === source.outputDir)
    );
  });
  const last = open.at(-1);
  if (open.length > 1) throw severalRuns(vm.name, open);
  if (last) {
    base.ctx.events.emit({
      kind: 'notice',
      message: `Going on with run ${last.run} of ${vm.name}, begun ${last.openedAt}.`,
    });
    return { resume: last.run };
  }
  return { vm: { id: vm.id, name: vm.name, uuid: vm.uuid } };
}

/** Unfinished runs of a VM of a host, oldest first. */
export async function openRunsOf(
  base: SessionBase,
  vm: { id: string; uuid: string | null; host: string },
): Promise<RunState[]> {
  const runs = await base.store.list();
  return runs.filter((state) => isUnfinished(state) && isRunOf(state, vm));
}

/** The newest finished migration of a VM into this project whose server still exists. */
async function standingRun(
  base: SessionBase,
  vm: { id: string; uuid: string | null; host: string },
): Promise<RunState | undefined> {
  const runs = (await base.store.list()).filter((state) => state.state === 'done' && isRunOf(state, vm));
  if (runs.length === 0) return undefined;
  const cloud = await base.doors.cloud(base.ctx);
  for (const state of runs.toReversed()) {
    if (section(state, 'cloud')?.project_id !== cloud.project.id) continue;
    const [vm] = runResult(state).vms;
    const server = vm?.server_id ?? null;
    const volume = vm?.volumes[0]?.volume_id;
    if (
      server !== null ? await cloud.servers.find(server) : volume !== undefined && (await cloud.volumes.find(volume))
    ) {
      return state;
    }
  }
  return undefined;
}

/** Whether a run can be gone on with. */
export function isUnfinished(state: RunState): boolean {
  return state.state !== 'done' && state.state !== 'rolled_back';
}

function isRunOf(state: RunState, vm: { id: string; uuid: string | null; host: string }): boolean {
  const source = section(state, 'source');
  return state.vm?.id === vm.id && state.vm.uuid === vm.uuid && (source === undefined || source.host === vm.host);
}

export function severalRuns(name: string, runs: readonly RunState[]): UsageError {
  return new UsageError(
    `${name} has ${runs.length} unfinished runs: ${runs.map((state) => state.run).join(', ')}.`,
    'Name one with --run ID, or undo one with: stackferry rollback ID',
  );
}

/** Reads the VM (again), and journals what moves where. A resumed run keeps its choice of disks and folder. */
export async function takeSource(
  session: Session,
  request: SourceRequest,
  allowed: { powerOff: boolean },
): Promise<void> {
  const { rc, paths } = session;
  const known = section(rc.state, 'source');
  const host: EsxiHost = await rc.host();
  const source = await readSource(host, known ? `id:${known.vm.id}` : request.selector);
  if (known && known.vm.uuid !== source.vm.uuid) {
    throw new UsageError(`id:${known.vm.id} of ${known.host} is another VM now than when run ${rc.run} began.`);
  }
  const labels = known?.labels ?? chooseDisks(source.vm, { ...pick(request) });
  assertNoBlocker(source, labels, allowed);
  for (const finding of source.findings) {
    if (finding.severity !== 'warning') continue;
    const on = finding.subject === 'vm' ? source.vm.name : `${finding.subject} of ${source.vm.name}`;
    rc.ctx.events.emit({
      kind: 'warning',
      code: finding.code,
      message: `${on}: ${finding.message}`,
      hint: finding.remedy,
    });
  }
  if (known) return;
  await rc.record({
    kind: 'plan',
    section: 'source',
    value: {
      ...request.address,
      vm: source.vm,
      labels,
      outputDir: request.outputDir ?? paths.disks,
      ownDir: request.outputDir === undefined,
    },
  });
}

function pick(request: SourceRequest): { only?: string[]; skip?: string[] } {
  return {
    ...(request.onlyDisks === undefined ? {} : { only: request.onlyDisks }),
    ...(request.skipDisks === undefined ? {} : { skip: request.skipDisks }),
  };
}

export function mayPowerOff(rc: RunContext): boolean {
  return rc.settings.powerOff || rc.settings.forceOff;
}

/** One line that says what will happen, and the question. */
async function confirmGo(rc: RunContext): Promise<void> {
  const { vm } = needSection(rc.state, 'source');
  const server = needSection(rc.state, 'server');
  const volumes = needSection(rc.state, 'volumes');
  const sizes = volumes.map((volume) => `${volume.size_gib} GiB`).join(' + ');
  const held = vm.disks.reduce((sum, disk) => sum + (disk.allocated_bytes ?? disk.capacity_bytes ?? 0), 0);
  const macs = (section(rc.state, 'ports') ?? []).some((port) => port.mac !== null) ? ', MAC kept' : '';
  const power = vm.power_state === 'on' ? 'The source is shut down' : 'The source stays off';
  const yes = await rc.ctx.events.ask({
    type: 'confirm',
    code: 'migrate.go',
    message: `${vm.name} -> ${server.flavor_name}, ${volumes.length} volume(s) of ${sizes}${macs}, ${formatBytes(held)} to copy. ${power} and is not deleted. Go?`,
    default: false,
    option: '--yes',
  });
  if (!yes) throw new UsageError('Not begun; nothing was changed.');
}

/** The staged files have served: the volumes hold what they held. Only the run's own folder is removed. */
async function dropStaging(rc: RunContext): Promise<void> {
  const source = section(rc.state, 'source');
  if (source?.ownDir !== true) return;
  await rm(source.outputDir, { recursive: true, force: true });
}

/** The run that `--resume` means: the one of `--run`, or the only unfinished one of the VM (or of all). */
export async function runToResume(
  store: RunStore,
  which: { run?: string | undefined; vm?: string | undefined },
): Promise<{ run: string; address: SourceAddress | undefined }> {
  const fits = (state: RunState) =>
    which.vm === undefined || state.vm?.name === which.vm || `id:${state.vm?.id ?? ''}` === which.vm;
  let state: RunState;
  if (which.run !== undefined) {
    state = await store.read(which.run);
  } else {
    const open = (await store.list()).filter((item) => item.vm !== null && isUnfinished(item) && fits(item));
    const [only, ...more] = open;
    if (!only) {
      const of = which.vm === undefined ? '' : ` of ${which.vm}`;
      throw new UsageError(`There is no unfinished run${of} to resume.`, 'List runs with: stackferry status');
    }
    if (more.length > 0) throw severalRuns(which.vm ?? 'This machine', open);
    state = only;
  }
  if (state.state === 'rolled_back')
    throw new UsageError(`Run ${state.run} was rolled back; there is nothing to resume.`);
  const source = section(state, 'source');
  return {
    run: state.run,
    address: source && { host: source.host, port: source.port, user: source.user },
  };
}
