import { MIB } from '../../core/index.js';
import { convertResult } from '../steps/convert.js';
import { exportResult } from '../steps/export.js';
import { imageResult } from '../steps/image.js';
import { volumeResult } from '../steps/volume.js';
import { section } from '../steps/step.js';
import type { RunState } from '../state/fold.js';
import { cloudSection } from '../plan/sections.js';

/** A figure and where it comes from. */
export interface Figure {
  value: number;
  /** `given`, `measured` now, `earlier runs`, or `assumed`: what a person should believe of it. */
  source: 'given' | 'measured' | 'earlier runs' | 'assumed';
}

/** What the time of a migration is made of. Rates are bytes per second. */
export interface Rates {
  /** From the host to this machine. */
  copy: Figure;
  /** `qemu-img convert` and the proof after it, of the disk's capacity. */
  convert: Figure;
  /** From this machine into the image service. */
  upload: Figure;
  /** Seconds for each GiB of a volume that is made of an image. */
  volumePerGib: Figure;
  /** Seconds for the rest of one VM: looks at the source, ports, server, boot. */
  fixed: Figure;
}

/** Where nothing is known: figures of a gigabit network and a spinning store, on the slow side. */
export const assumed: Rates = {
  copy: { value: 90 * MIB, source: 'assumed' },
  convert: { value: 200 * MIB, source: 'assumed' },
  upload: { value: 90 * MIB, source: 'assumed' },
  volumePerGib: { value: 5, source: 'assumed' },
  fixed: { value: 90, source: 'assumed' },
};

/** A sample below this size tells more of the overhead than of the rate. */
const LEAST_BYTES = 32 * MIB;

/**
 * Rates that earlier runs on this machine have seen, of this host and this cloud (of any, where none is named): medians
 * over their steps. What they do not tell is left out.
 */
export function ratesOfRuns(
  runs: readonly RunState[],
  where: { host: string | null; cloud: string | null },
): Partial<Rates> {
  const ofHost = runs.filter((run) => where.host === null || section(run, 'source')?.host === where.host);
  const ofCloud = runs.filter(
    (run) => where.cloud === null || cloudSection.safeParse(run.plan.get('cloud')).data?.name === where.cloud,
  );
  const copy = [
    ...samples(ofHost, 'export:', (result) => exportResult.safeParse(result).data?.bytes),
    // In one pass the step reads as it sends: a lower bound of both rates.
    ...samples(ofHost, 'image:', (result) => imageResult.safeParse(result).data?.read_bytes ?? undefined),
  ];
  const convert = samples(ofHost, 'convert:', (result) => {
    const { capacity_bytes: bytes, read_bytes: read } = convertResult.safeParse(result).data ?? {};
    return read === null ? bytes : undefined; // one that was read from the host went at the pace of that
  });
  const upload = samples(ofCloud, 'image:', (result) => imageResult.safeParse(result).data?.bytes);
  const volumes = ofCloud.flatMap((run) =>
    [...run.steps]
      .filter(([key, step]) => key.startsWith('volume:') && step.state === 'done')
      .flatMap(([, step]) => {
        const size = volumeResult.safeParse(step.result).data?.size_gib;
        return size === undefined || step.seconds === null ? [] : [step.seconds / size];
      }),
  );
  return {
    ...figure('copy', copy),
    ...figure('convert', convert),
    ...figure('upload', upload),
    ...figure('volumePerGib', volumes),
  };
}

/** Bytes per second of each step that moved enough to tell. */
function samples(
  runs: readonly RunState[],
  prefix: string,
  bytesOf: (result: unknown) => number | undefined,
): number[] {
  return runs.flatMap((run) =>
    [...run.steps]
      .filter(([key, step]) => key.startsWith(prefix) && step.state === 'done')
      .flatMap(([, step]) => {
        const bytes = bytesOf(step.result);
        if (bytes === undefined || bytes < LEAST_BYTES || step.seconds === null || step.seconds <= 0) return [];
        return [bytes / step.seconds];
      }),
  );
}

function figure(name: keyof Rates, values: readonly number[]): Partial<Rates> {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  return middle === undefined ? {} : { [name]: { value: middle, source: 'earlier runs' } };
}
