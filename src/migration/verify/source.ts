import { ChunkMarks, DiskHasher, releaseChunkBuffer } from '../../disk/index.js';
import { withProgress } from '../steps/progress.js';
import { openDisk } from '../steps/reading.js';
import { earlierTokens, readSourceFiles } from '../steps/source.js';
import { sourceVm, type RunContext } from '../steps/step.js';
import { compared, notVerified, type Check, type Expected, type Subject } from './check.js';

/** Reads a disk on the host once more, as the run read it: what holds data, and the rest as zeros. */
export async function checkSourceDisk(
  rc: RunContext,
  label: string,
  subject: Subject,
  expected: Expected,
): Promise<Check> {
  const vm = sourceVm(rc.state);
  const power = await (await rc.host()).powerState(vm.id);
  if (power !== 'off') {
    const now = power === 'on' ? 'it is running' : 'it is suspended';
    return notVerified(
      subject,
      `${now}, and what a VM writes changes its disks by nature`,
      'Shut it down first; a VM that ran since it was copied differs from its copy all the same.',
    );
  }
  const { plan, data, read } = await openDisk(rc, label);
  const { capacityBytes } = plan;
  const marks = new ChunkMarks(capacityBytes);
  const hasher = new DiskHasher(capacityBytes, (index, digest) => {
    marks.note(index, digest);
  });
  const task = { task: `verify:${label}`, label: `read ${label} of ${vm.name}`, total: data.bytes };
  try {
    const contentHash = await withProgress(rc, task, (onBytes) =>
      readSourceFiles(rc, async () => {
        for await (const { offset, bytes } of read(data)) {
          await hasher.update({ offset, bytes });
          releaseChunkBuffer(bytes);
          onBytes(bytes.length);
        }
        return hasher.digest();
      }),
    );
    marks.noteRest();
    const check = compared(subject, { capacityBytes, contentHash, marks, format: plan.kind }, expected);
    const before = earlierTokens(rc) ?? {};
    const touched = plan.tokens.find(([path, token]) => before[path] !== undefined && before[path] !== token);
    if (check.state !== 'differs' || touched === undefined) return check;
    return { ...check, reason: `${check.reason ?? ''}; ${touched[0]} was written to since the run read it` };
  } finally {
    await hasher.close();
  }
}
