import { Pacer } from '../../core/index.js';
import type { ReadOptions, TrustMap } from '../../esxi/read/index.js';
import type { RunContext } from './step.js';

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
