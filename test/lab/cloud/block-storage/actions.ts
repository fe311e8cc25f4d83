/** Cinder: POST /v3/PROJECT/volumes/ID/action. */
import { truncate } from 'node:fs/promises';
import { Refusal, projectOf, type Call, type Reply, type Route } from '../http.js';
import { asBoolean, cinderTime, isObject, isStringMap, objectIn, textIn, type Json } from '../values.js';
import { checkVolumeQuota } from './quotas.js';
import { checkMetadata, volumeOf } from './volumes.js';

const GB = 1024 ** 3;

type Action = (call: Call, argument: Json) => Reply | Promise<Reply>;

const ACTIONS: Record<string, Action> = {
  'os-set_bootable': (call, argument) => {
    const value = argument['bootable'];
    if (value === undefined)
      throw new Refusal(
        400,
        "Invalid input for field/attribute os-set_bootable. Value: {}. 'bootable' is a required property",
      );
    volumeOf(call).bootable = asBoolean(value);
    return { status: 200 };
  },
  'os-set_image_metadata': (call, argument) => {
    const metadata = argument['metadata'];
    if (!isStringMap(metadata)) throw new Refusal(400, 'Malformed request body.');
    checkMetadata(metadata);
    const volume = volumeOf(call);
    volume.image_metadata = { ...volume.image_metadata, ...metadata };
    volume.updated_at = cinderTime();
    return { status: 200, body: { metadata: volume.image_metadata } };
  },
  'os-unset_image_metadata': (call, argument) => {
    const volume = volumeOf(call);
    const key = textIn(argument, 'key') ?? '';
    if (!(key in volume.image_metadata)) {
      throw new Refusal(404, `Glance metadata for volume/snapshot ${volume.id} cannot be found.`);
    }
    volume.image_metadata = Object.fromEntries(Object.entries(volume.image_metadata).filter(([name]) => name !== key));
    return { status: 200 };
  },
  'os-show_image_metadata': (call) => ({ status: 200, body: { metadata: volumeOf(call).image_metadata } }),
  'os-extend': async (call, argument) => {
    const volume = volumeOf(call);
    const size = argument['new_size'];
    if (typeof size !== 'number' || size <= volume.size) {
      const shown = JSON.stringify(size);
      throw new Refusal(
        400,
        `Invalid input received: New size for extend must be greater than current size. (current: ${volume.size}, extended: ${shown}).`,
      );
    }
    if (volume.status !== 'available') {
      throw new Refusal(
        400,
        `Invalid volume: Volume ${volume.id} status must be 'available' to extend, currently ${volume.status}.`,
      );
    }
    const type = call.core.state.volumeTypes.find((one) => one.id === volume.volume_type_id);
    if (type) checkVolumeQuota(call.core.state, projectOf(call), type, size - volume.size, 0);
    await truncate(call.core.volumeFile(volume.id), size * GB);
    volume.size = size;
    volume.updated_at = cinderTime();
    return { status: 202 };
  },
  'os-reset_status': (call, argument) => {
    if (call.scope?.admin !== true) {
      throw new Refusal(
        403,
        "Policy doesn't allow volume_extension:volume_admin_actions:reset_status to be performed.",
      );
    }
    const status = textIn(argument, 'status');
    if (status !== undefined) volumeOf(call).status = status;
    return { status: 202 };
  },
};

export const actionRoutes: Route[] = [
  {
    method: 'POST',
    pattern: '/v3/:project/volumes/:id/action',
    handle: (call) => {
      const name = isObject(call.body) ? (Object.keys(call.body)[0] ?? '') : '';
      const action = ACTIONS[name];
      if (!action)
        throw new Refusal(
          400,
          `There is no such action: ${name}. Verify the request body and Content-Type header and try again.`,
        );
      return action(call, objectIn(call.body, name) ?? {});
    },
  },
];
