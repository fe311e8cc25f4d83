import { GIB, isCode } from '../../core/index.js';
import { ChunkMarks, RangeList } from '../../disk/index.js';
import { runResult } from '../result.js';
import { lockRun } from '../state/lock.js';
import { doorOf, endAttachments, withVolume } from '../steps/attached-volume.js';
import { withProgress } from '../steps/progress.js';
import { readBack } from '../steps/read-back.js';
import type { RunContext } from '../steps/step.js';
import { transferOf } from '../steps/transfer.js';
import type { VolumeResult } from '../steps/volume.js';
import { compared, differs, notVerified, type Check, type Expected, type Subject } from './check.js';

/**
 * Reads a volume by the way by which it was written: attached to this machine, opened to read only, let go again however
 * it ends. The lock of the run is held meanwhile, so that nobody works on the volume.
 * @param lock see `lockRun`
 */
export async function checkVolume(
  rc: RunContext,
  volume: VolumeResult & { capacity_bytes: number | null },
  lock: string,
  subject: Subject,
  expected: Expected,
): Promise<Check> {
  const cloud = await rc.cloud();
  const there = await cloud.volumes.find(volume.volume_id);
  if (!there) return notVerified(subject, 'it is no longer in Cinder', 'It was deleted since.');
  if (rc.state.startedServers.size > 0) {
    return notVerified(
      subject,
      'its server has booted and writes to it, so it differs from the source by nature',
      `${provedBefore(rc, volume.label)} See its proof: stackferry status ${rc.run}`,
    );
  }
  if (transferOf(rc.state) !== 'attached' || volume.capacity_bytes === null) {
    return notVerified(
      subject,
      'Cinder made it of the image, and only where it is attached can it be read',
      `Before its server starts, attach it to another one, copy it to a file there, and: stackferry verify FILE --against ${expected.contentHash ?? 'HASH'}`,
    );
  }
  const { capacity_bytes: capacityBytes } = volume;
  const held = await lockRun(lock, rc.run);
  try {
    const key = `verify:${volume.label}`;
    // Of a look that was killed. An attachment to a server that is none of ours is an error.
    await endAttachments(rc, cloud, key, volume.volume_id);
    const marks = new ChunkMarks(capacityBytes);
    const place = { key, id: volume.volume_id, name: there.name ?? volume.volume_id, bytes: there.size * GIB };
    const contentHash = await withVolume(rc, doorOf(rc, cloud), { ...place, readOnly: true }, async (target) => {
      await target.forget();
      const task = { task: key, label: `read ${target.name}`, total: capacityBytes };
      return withProgress(rc, task, (onBytes) =>
        readBack(target, {
          capacityBytes,
          data: RangeList.from([{ offset: 0, length: capacityBytes }]),
          signal: rc.ctx.signal,
          onBytes,
          onChunk: (index, digest) => {
            marks.note(index, digest);
          },
        }),
      );
    }).catch((error: unknown) => {
      if (isCode(error, 'disk.target_differs')) return error;
      throw error;
    });
    marks.noteRest();
    if (typeof contentHash !== 'string') {
      const check = compared(subject, { capacityBytes, contentHash: null, marks: null }, expected);
      return differs(check, `${contentHash.message.replace(/\.$/, '')} (behind the end of the disk)`);
    }
    return compared(subject, { capacityBytes, contentHash, marks, format: 'raw' }, expected);
  } finally {
    await held.release();
  }
}

/** What the run itself has compared of the disk before its server started. */
function provedBefore(rc: RunContext, label: string): string {
  const proof = runResult(rc.state)
    .vms.flatMap((vm) => vm.proof)
    .find((item) => item.label === label);
  if (proof?.volume === 'equal') return 'Before the server started it was read back, and equal.';
  if (proof?.image === 'equal') return 'Its image was proved before; what Cinder made of the image was not read back.';
  return 'Nothing of its content was compared before.';
}
