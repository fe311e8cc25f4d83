import { rm } from 'node:fs/promises';
import { UsageError, formatBytes } from '../core/index.js';
import type { EsxiHost } from '../esxi/index.js';
import { ensureSections, takeOptions } from './plan/resolve.js';
import type { MappingOptions } from './plan/options.js';
import { checkTarget } from './check-target.js';
import { diskChoice, openOrBegin } from './choose-run.js';
import { assertNoBlocker, chooseDisks, readSource } from './read-source.js';
import { runResult, type RunResult } from './result.js';
import { runSteps } from './runner.js';
import { withRun, type Session, type SessionBase } from './session.js';
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
  const labels = known?.labels ?? chooseDisks(source.vm, { ...diskChoice(request) });
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
