import { createHash } from 'node:crypto';
import type { RangeList } from '../../disk/index.js';
import type { SourceDisk } from '../../esxi/index.js';

/**
 * What tells this reading of a disk from any other, in one word: the state of its files, what of it is read, and what
 * becomes of it where that is said.
 */
export function readingToken(disk: Pick<SourceDisk, 'tokens'>, data: RangeList, becomes = ''): string {
  const hash = createHash('sha256').update(JSON.stringify([disk.tokens, becomes]));
  for (const { offset, length } of data) hash.update(`${offset}+${length}\n`);
  return hash.digest('hex');
}
