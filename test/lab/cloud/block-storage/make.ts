/** Cinder's volume manager: making a volume's bytes, and removing them. */
import { open, truncate, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import type { Core } from '../core.js';
import { Refusal } from '../http.js';
import { HEAD_BYTES, inspect } from '../image/formats.js';
import type { Image, Volume } from '../state.js';
import { cinderTime, newId } from '../values.js';

const GB = 1024 ** 3;

function setStatus(volume: Volume, status: string): void {
  volume.status = status;
  volume.updated_at = cinderTime();
}

/** Makes the bytes in the background: `creating`, with an image then `downloading`, in the end `available` or `error`. */
export function makeVolume(
  core: Core,
  volume: Volume,
  image: Image | null,
  metadata: Record<string, string>,
  requestId: string,
): void {
  const { volumeOutcome, volumeErrorMessage, delays } = core.settings;
  if (volumeOutcome === 'stuck') return;
  const fail = (message: string) => {
    setStatus(volume, 'error');
    core.state.messages.push({
      id: newId(),
      project_id: volume.project_id,
      event_id: `VOLUME_VOLUME_${image ? '005' : '001'}_001`,
      user_message: message,
      message_level: 'ERROR',
      resource_type: 'VOLUME',
      resource_uuid: volume.id,
      request_id: requestId,
      created_at: cinderTime(),
      guaranteed_until: cinderTime(Date.now() + 30 * 24 * 3600 * 1000),
    });
  };
  core.background(
    async () => {
      await core.sleep(delays.volume / 2);
      if (volumeOutcome === 'error') {
        fail(volumeErrorMessage);
        return;
      }
      const path = core.volumeFile(volume.id);
      if (image) {
        setStatus(volume, 'downloading');
        await core.sleep(delays.volume / 2);
        await copyImage(core, image, volume, path);
        volume.source_image_id = image.id;
        volume.image_metadata = metadata;
        volume.bootable = true;
      } else {
        await core.sleep(delays.volume / 2);
        await writeFile(path, '');
        await truncate(path, volume.size * GB);
      }
      setStatus(volume, 'available');
    },
    () => fail('copy image to volume:An unknown error occurred.'),
  );
}

/** The image as the guest sees it, raw and sparse. A qcow2 that refers to other files is never followed. */
async function copyImage(core: Core, image: Image, volume: Volume, path: string): Promise<void> {
  const source = core.imageFile(image.id);
  const file = await open(source, 'r');
  const head = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0).finally(() => file.close());
  if (inspect(head.subarray(0, bytesRead), image.size ?? 0).unsafe) throw new Error('the image refers to another file');
  const format = image.disk_format ?? 'raw';
  await execa('qemu-img', ['convert', '-f', format, '-O', 'raw', source, path], {
    cancelSignal: core.signal,
    stdin: 'ignore',
  });
  await truncate(path, volume.size * GB);
}

const DELETABLE = ['available', 'error', 'error_restoring', 'error_extending', 'error_managing'];

/**
 * Deletes in the background.
 * @throws Refusal 400 when the volume is in another state, with Cinder's words (volume/api.py, delete)
 */
export function deleteVolume(core: Core, volume: Volume): void {
  if (volume.status === 'deleting') return;
  const attached = core.state.attachments.some((one) => one.volume_id === volume.id);
  if (!DELETABLE.includes(volume.status) || attached) {
    throw new Refusal(
      400,
      `Invalid volume: Volume status must be ${DELETABLE.join(' or ')} and must not be migrating, attached, belong to a ` +
        'group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.',
    );
  }
  setStatus(volume, 'deleting');
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      await core.removeFile(core.volumeFile(volume.id));
      core.state.volumes = core.state.volumes.filter((one) => one !== volume);
    },
    () => setStatus(volume, 'error_deleting'),
  );
}
