import { messageOf } from '../../core/index.js';
import type { Cloud } from '../../openstack/index.js';
import {
  BackendDoor,
  ServerDoor,
  VolumeTarget,
  clearAttachments,
  type AttachedVolume,
  type VolumeDoor,
} from '../../openstack/attach/index.js';
import { madeBy, needSection, type RunContext } from './step.js';

/** By which way volumes come to this machine in this run. */
export function doorOf(rc: RunContext, cloud: Cloud): VolumeDoor {
  const { server_id: server } = needSection(rc.state, 'via');
  return server === null ? new BackendDoor(cloud, rc.ctx) : new ServerDoor(cloud, rc.ctx, server);
}

/** Ends what an earlier session left attached: the lock of the run says that no other one is at it. */
export async function endAttachments(rc: RunContext, cloud: Cloud, key: string, volumeId: string): Promise<void> {
  const { server_id: server } = needSection(rc.state, 'via');
  for (const id of await clearAttachments(cloud, rc.ctx, volumeId, server)) {
    // One that was made and not noted is told of now, so that the journal has its end as well.
    await rc.record({ kind: 'made', step: key, resource: 'attachment', id, name: volumeId });
  }
  // Also those that ended before that was noted, or that went with their volume.
  for (const { id } of madeBy(rc.state, key, 'attachment')) {
    if (id !== null) await rc.record({ kind: 'gone', step: key, resource: 'attachment', id });
  }
}

/** Attaches the volume, opens it, and lets it go again, however the work ends. */
export async function withVolume<T>(
  rc: RunContext,
  door: VolumeDoor,
  volume: { key: string; id: string; name: string; bytes: number; readOnly?: boolean },
  work: (target: VolumeTarget) => Promise<T>,
): Promise<T> {
  const { key, id, name, bytes, readOnly = false } = volume;
  await rc.record({ kind: 'intent', step: key, resource: 'attachment', name: id });
  const attached = await door.attach({ id, bytes }, (made) =>
    rc.record({ kind: 'made', step: key, resource: 'attachment', id: made, name: id }),
  );
  let result: T;
  try {
    const target = await VolumeTarget.open(rc.ctx, attached.path, { name: `volume ${name}`, bytes, readOnly });
    try {
      result = await work(target);
    } finally {
      await target.close();
    }
  } catch (error) {
    await release(rc, key, attached).catch((more: unknown) => {
      rc.ctx.log.debug(`attachment ${attached.id} stays: ${messageOf(more)}`);
    });
    throw error;
  }
  await release(rc, key, attached);
  return result;
}

async function release(rc: RunContext, key: string, attached: AttachedVolume): Promise<void> {
  await attached.release();
  await rc.record({ kind: 'gone', step: key, resource: 'attachment', id: attached.id });
}
