/** Whether a volume still lives off an image. On a copy-on-write store (Ceph) the image cannot go before it. */
import type { CloudState } from '../state.js';

export function cinderInUse(state: CloudState, imageId: string): boolean {
  return state.volumes.some((volume) => volume.source_image_id === imageId);
}
