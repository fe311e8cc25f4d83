import { messageOf, isCode } from '../../core/index.js';
import { type VmdkExtent, readSparseHeader } from '../../disk/index.js';
import type { RemoteShell } from '../ssh/shell.js';
import { runOnFiles } from './batch.js';

/** What the header of a sparse file says, or why it cannot be right. */
export type SparseReading = { capacitySectors: number } | { problem: string };

export function isSparse({ type }: VmdkExtent): boolean {
  return type === 'VMFSSPARSE' || type === 'SESPARSE' || type === 'SPARSE';
}

/** Reads the headers of sparse files, by path. One that cannot be read (it is locked) or is of no known form is left out. */
export async function readSparseHeaders(
  shell: RemoteShell,
  paths: Iterable<string>,
): Promise<Map<string, SparseReading>> {
  const readings = new Map<string, SparseReading>();
  for (const [path, frame] of await runOnFiles(shell, 'n', paths)) {
    if (frame.status !== 0) continue;
    try {
      const header = readSparseHeader(frame.content, 'it');
      if (header) readings.set(path, { capacitySectors: header.capacitySectors });
    } catch (error) {
      if (!isCode(error, 'disk.bad_descriptor')) throw error;
      readings.set(path, {
        problem: messageOf(error)
          .replace(/^it is/, 'is')
          .replace(/\.$/, ''),
      });
    }
  }
  return readings;
}
