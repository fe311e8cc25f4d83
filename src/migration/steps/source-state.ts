import { createHash } from 'node:crypto';
import type { RangeList } from '../../disk/index.js';
import type { DiskPlan } from '../../esxi/export/index.js';

/** Paths on the host with the word that stands for their state: another one as soon as a file is written to. */
export function fileTokens(disk: DiskPlan): [path: string, token: string][] {
  return disk.links.flatMap((link) =>
    [link, ...link.extents].map(({ remotePath, token }): [string, string] => [remotePath, token]),
  );
}

/**
 * What tells this reading of a disk from any other, in one word: the state of its files, what of it is read, and what
 * becomes of it where that is said.
 */
export function readingToken(disk: DiskPlan, data: RangeList, becomes = ''): string {
  const hash = createHash('sha256').update(JSON.stringify([fileTokens(disk), becomes]));
  for (const { offset, length } of data) hash.update(`${offset}+${length}\n`);
  return hash.digest('hex');
}
