import { Pacer } from '../../core/index.js';
import type { RangeList } from '../../disk/index.js';
import type { DiskPlan } from '../../esxi/export/index.js';
import type { ReadOptions, RemoteDisk, TrustMap } from '../../esxi/read/index.js';
import { exportPlan, readSourceFiles } from './source.js';
import { needSection, type RunContext } from './step.js';

/** More streams than this are never tried by ourselves; OpenSSH lets ten unauthenticated ones in at once. */
const MOST_STREAMS = 8;

const pacers = new WeakMap<RunContext['settings'], Pacer>();

/** How this run reads from the host: the number of streams, the limit of the rate, which all its disks share. */
export function readingOf(rc: RunContext): ReadOptions & { trustMap: TrustMap } {
  const { streams, bandwidth, trustMap } = rc.settings;
  let pacer = pacers.get(rc.settings);
  if (!pacer && bandwidth !== null) {
    pacer = new Pacer(rc.ctx.clock, bandwidth);
    pacers.set(rc.settings, pacer);
  }
  return {
    mostStreams: MOST_STREAMS,
    trustMap,
    ...(streams === null ? {} : { streams }),
    ...(pacer === undefined ? {} : { pace: (bytes) => pacer.take(bytes, rc.ctx.signal) }),
  };
}

/** A disk of the run's VM that is about to be read from the host. */
export interface OpenedDisk {
  plan: DiskPlan;
  /** What may hold something else than zeros. */
  data: RangeList;
  /** Reads ranges of it, as this run reads. */
  read: (wanted: RangeList) => ReturnType<RemoteDisk['pieces']>;
}

/** Looks where the data of a disk lies; what was relied upon is told in the debug log. */
export async function openDisk(rc: RunContext, label: string): Promise<OpenedDisk> {
  const plan = (await exportPlan(rc)).disks.find((item) => item.label === label);
  if (!plan) throw new Error(`no plan for disk ${label} of ${needSection(rc.state, 'source').vm.name}`);
  const { disks } = await rc.host();
  const reading = readingOf(rc);
  const remote = await readSourceFiles(rc, () => disks.open(plan, rc.ctx, reading));
  for (const note of remote.notes) rc.ctx.log.debug(`disk ${label}: ${note}`);
  const data = await readSourceFiles(rc, () => remote.layout.dataRanges());
  return { plan, data, read: (wanted) => remote.pieces(wanted, reading) };
}
