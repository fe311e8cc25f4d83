import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { StackferryError, quoteForHint } from '../core/index.js';
import { diskFolder } from '../esxi/export/index.js';
import { isUnfinished } from './find-run.js';
import type { RunState } from './state/fold.js';
import { section } from './steps/step.js';

/** A VM that is about to stage disks in a folder of the user's. */
export interface FolderClaim {
  name: string;
  /** Whether a run is of this VM: it may use its own files again. */
  owns: (state: RunState) => boolean;
  /** Absolute; unset where each run has a folder of its own. */
  outputDir: string | undefined;
  labels: readonly string[];
}

/**
 * Refuses a folder in which another VM's disks lie by the same names: files of two VMs would be taken for one another.
 * Those of a run that has ended count as long as they are there, those of one that has not count in any case.
 * @throws StackferryError `output.in_use` (exit code 2).
 */
export function assertFolderFree(runs: readonly RunState[], { name, owns, outputDir, labels }: FolderClaim): void {
  if (outputDir === undefined) return;
  const dir = realPath(outputDir);
  for (const state of runs) {
    const source = section(state, 'source');
    if (!source || source.ownDir || owns(state) || realPath(source.outputDir) !== dir) continue;
    const shared = source.labels.filter((label) => labels.includes(label));
    const there = isUnfinished(state) ? shared : shared.filter((label) => isThere(outputDir, label));
    if (there.length === 0) continue;
    const other = quoteForHint(join(outputDir, name.replaceAll('/', '_')));
    const names = there.map(diskFolder).join(', ');
    throw new StackferryError(
      'output.in_use',
      `${outputDir} holds disks of ${source.vm.name} (run ${state.run}), and those of ${name} would have the same names there: ${names}.`,
      { hint: `Give each VM a folder of its own: --output ${other}`, exitCode: 2 },
    );
  }
}

/** The folder of a disk's copy, or an image made of it. */
function isThere(dir: string, label: string): boolean {
  const path = join(dir, diskFolder(label));
  return [path, `${path}.raw`, `${path}.qcow2`].some((file) => existsSync(file));
}

/** A folder that is not there yet is what its name says. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
