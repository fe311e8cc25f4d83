import { UsageError, formatRate } from '../../core/index.js';
import { datastoreOf } from '../plan/resolve-volumes.js';
import type { Bandwidth, RunSettings } from './settings.js';

/** A disk as far as its places count: datastore forms of its files. */
export interface LimitedDisk {
  path: string | null;
  chain: readonly string[];
}

/** The datastores on which the files of a disk lie. */
export function datastoresOf({ path, chain }: LimitedDisk): string[] {
  const names = [path, ...chain].map((file) => datastoreOf({ path: file })).filter((name) => name !== null);
  return [...new Set(names)];
}

/**
 * Before a slip in a name leaves a datastore without its limit.
 * @throws UsageError where a datastore is named on which none of the disks that move lies
 */
export function assertLimited({ datastores }: Bandwidth, disks: readonly LimitedDisk[]): void {
  const there = [...new Set(disks.flatMap(datastoresOf))];
  const idle = Object.keys(datastores).find((name) => !there.includes(name));
  if (idle === undefined) return;
  throw new UsageError(
    `--bandwidth ${idle}=…: no disk that moves lies on such a datastore.`,
    `They lie on: ${there.join(', ') || 'none that is known'}.`,
  );
}

/** How the host is read, for a person; null where nothing was asked for. */
export function readingWords({ streams, bandwidth, lowPriority }: RunSettings): string | null {
  const words = [
    ...(lowPriority
      ? ['low priority: one stream, pauses while the host answers slower than usual, this program at nice 19']
      : streams === null
        ? []
        : [`${streams} stream(s)`]),
    ...(bandwidth.host === null ? [] : [`at most ${formatRate(bandwidth.host)} from the host`]),
    ...Object.entries(bandwidth.datastores).map(([name, rate]) => `at most ${formatRate(rate)} from datastore ${name}`),
  ];
  return words.length === 0 ? null : words.join(', ');
}
