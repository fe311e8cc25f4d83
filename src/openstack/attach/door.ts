import { StackferryError } from '../../core/index.js';

/** A volume that this machine can write to. */
export interface AttachedVolume {
  /** What the journal keeps: see `attachmentIdOf`. */
  id: string;
  /** Of the device, or of the file on a share. Absolute. */
  path: string;
  /** Takes the volume from this machine again; waits until it is free. */
  release(): Promise<void>;
}

/** A way by which a volume of the project comes to this machine. */
export interface VolumeDoor {
  /** `server`: this machine is a server of the cloud. `backend`: it reaches the storage behind Cinder itself. */
  readonly kind: 'server' | 'backend';
  /**
   * Attaches a volume that is `available`.
   * @param volume its id and its size in bytes, by which the device is known
   * @param made called as soon as there is something to undo, with its id
   * @throws StackferryError `cloud.attach_failed`, `cloud.attach_timeout`, `cloud.attach_unsupported`,
   * `converter.no_os_brick`, and what the cloud throws. What was attached by then is released.
   */
  attach(volume: { id: string; bytes: number }, made: (id: string) => Promise<void>): Promise<AttachedVolume>;
}

/** How long a device may take to appear, and a volume to become free again. */
export const DEVICE_MS = 120_000;

export const throughAnImage = 'let the bytes go through an image instead: --via glance';

export function attachFailed(volumeId: string, why: string, hint: string, cause?: unknown): StackferryError {
  return new StackferryError(
    'cloud.attach_failed',
    `Volume ${volumeId} could not be attached to this machine: ${why.replace(/\.$/, '')}.`,
    { hint, ...(cause === undefined ? {} : { cause }) },
  );
}
