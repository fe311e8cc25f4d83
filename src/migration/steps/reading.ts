import type { DiskPiece, RangeList } from '../../disk/index.js';
import type { SourceDisk } from '../../esxi/index.js';
import type { ReadOptions } from '../../esxi/read/index.js';
import { readersFolder } from '../state/readers.js';
import { Courtesy } from './courtesy.js';
import { datastoresOf, readingWords } from './limits.js';
import { ReadingShare } from './share.js';
import { sourceDisks, readSourceFiles } from './source.js';
import { needSection, type RunContext } from './step.js';

/** A disk of the run's VM that is about to be read from the host. */
export interface OpenedDisk {
  plan: SourceDisk;
  /** What may hold something else than zeros. */
  data: RangeList;
  /** Reads ranges of it, as this run reads. */
  read: (wanted: RangeList) => AsyncGenerator<DiskPiece>;
}

/** Looks where the data of a disk lies; what was relied upon is told in the debug log. */
export async function openDisk(rc: RunContext, label: string): Promise<OpenedDisk> {
  const plan = (await sourceDisks(rc)).disks.find((item) => item.label === label);
  if (!plan) throw new Error(`no plan for disk ${label} of ${needSection(rc.state, 'source').vm.name}`);
  const remote = await readSourceFiles(rc, () => plan.open(rc.ctx, rc.settings));
  for (const note of remote.notes) rc.ctx.log.debug(`disk ${label}: ${note}`);
  const data = await readSourceFiles(rc, () => remote.dataRanges());
  const read = async function* (wanted: RangeList): AsyncGenerator<DiskPiece> {
    const reading = await beginReading(rc, plan);
    try {
      yield* remote.pieces(wanted, reading.options);
    } finally {
      await reading.end();
    }
  };
  return { plan, data, read };
}

/** A disk that is being read from the host: what it may take of it. */
export interface Reading {
  options: Required<Pick<ReadOptions, 'pace' | 'onAnswer'>> & { mostStreams: () => number; streams?: number };
  end(): Promise<void>;
}

/** Commands that have said how they read. */
const told = new WeakSet<RunContext['settings']>();

/** Begins to read a disk, as one of all that read from its host, by this command and by others on this machine. */
export async function beginReading(rc: RunContext, plan: SourceDisk): Promise<Reading> {
  const { streams, bandwidth, lowPriority } = rc.settings;
  const words = readingWords(rc.settings);
  if (words !== null && !told.has(rc.settings)) {
    told.add(rc.settings);
    rc.ctx.events.emit({ kind: 'notice', message: `Reading from the host: ${words}.` });
  }
  const names = datastoresOf({ path: plan.chain.at(-1) ?? null, chain: [...plan.chain] });
  const share = await ReadingShare.take(rc.ctx, readersFolder(rc.stateDir, needSection(rc.state, 'source')), {
    bandwidth: bandwidth.host,
    datastores: Object.fromEntries(
      names.map((name) => [
        name,
        Object.hasOwn(bandwidth.datastores, name) ? (bandwidth.datastores[name] ?? null) : null,
      ]),
    ),
  });
  const courtesy = lowPriority ? new Courtesy(rc.ctx, plan.label) : null;
  return {
    options: {
      ...(streams === null ? {} : { streams }),
      mostStreams: () => share.streams,
      pace: (bytes) => {
        const wait = share.pace(bytes);
        if (wait !== undefined) courtesy?.held();
        return wait;
      },
      onAnswer: (answered) => courtesy?.answered(answered),
    },
    end: async () => {
      courtesy?.tell();
      await share.leave();
    },
  };
}
