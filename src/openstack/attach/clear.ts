import type { Context } from '../../core/index.js';
import { StackferryError } from '../../core/index.js';
import type { Cloud } from '../cloud.js';
import { BackendDoor } from './backend-door.js';
import { ServerDoor, serverAttachmentId } from './server-door.js';

/**
 * Ends the attachments to a converter that a volume still has: those by which a host attaches it itself, and the one at
 * the server that the run's converter is. Any other is an error: it is somebody's use of the volume.
 * @param serverId the server that the run's converter is (or was), if any
 * @returns ids of what was ended, as the journal has them
 * @throws StackferryError `cloud.volume_in_use` where a server has it that is none of ours
 */
export async function clearAttachments(
  cloud: Cloud,
  ctx: Context,
  volumeId: string,
  serverId: string | null,
): Promise<string[]> {
  const ended: string[] = [];
  const volume = await cloud.volumes.find(volumeId);
  if (!volume || volume.status === 'available') return ended;
  for (const attachment of await cloud.attachments.of(volumeId)) {
    const { id, instance } = attachment;
    if (!instance) {
      await new BackendDoor(cloud, ctx).clear(attachment);
      ended.push(id);
    } else if (instance === serverId) {
      await new ServerDoor(cloud, ctx, serverId).release(volumeId);
      ended.push(serverAttachmentId(serverId, volumeId));
    } else {
      throw new StackferryError('cloud.volume_in_use', `Volume ${volumeId} is attached to server ${instance}.`, {
        hint: 'Delete that server, or detach the volume there, and run this again.',
      });
    }
  }
  return ended;
}
