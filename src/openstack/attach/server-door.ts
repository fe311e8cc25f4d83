import { StackferryError, messageOf, poll, type Context } from '../../core/index.js';
import type { Cloud } from '../cloud.js';
import { deviceRoots, findDevice, type DeviceRoots, type FoundDevice } from './device.js';
import { DEVICE_MS, attachFailed, throughAnImage, type AttachedVolume, type VolumeDoor } from './door.js';

/** This machine is a server of the cloud: Nova attaches the volume, and its device is known by its serial. */
export class ServerDoor implements VolumeDoor {
  readonly kind = 'server';
  readonly #cloud: Cloud;
  readonly #ctx: Context;
  readonly #serverId: string;
  readonly #roots: DeviceRoots;
  readonly #deviceMs: number;

  constructor(cloud: Cloud, ctx: Context, serverId: string, roots: DeviceRoots = deviceRoots, deviceMs = DEVICE_MS) {
    this.#cloud = cloud;
    this.#ctx = ctx;
    this.#serverId = serverId;
    this.#roots = roots;
    this.#deviceMs = deviceMs;
  }

  async attach(volume: { id: string; bytes: number }, made: (id: string) => Promise<void>): Promise<AttachedVolume> {
    const before = await findDevice(volume.id, this.#roots);
    if (before) throw attachFailed(volume.id, `${before.path} says that it is it, before it was attached`, HINT);
    await this.#cloud.servers.attachVolume(this.#serverId, volume.id);
    const id = serverAttachmentId(this.#serverId, volume.id);
    this.#ctx.events.emit({ kind: 'resource.created', resource: 'attachment', id, name: volume.id });
    const release = () => this.release(volume.id);
    try {
      await made(id);
      const device = await this.#device(volume.id);
      if (device.bytes !== volume.bytes) {
        const sizes = `${device.path} has ${device.bytes} bytes, and the volume ${volume.bytes}`;
        throw attachFailed(volume.id, `${sizes}; nothing was written`, HINT);
      }
      return { id, path: device.path, release };
    } catch (error) {
      await release().catch((more: unknown) => {
        this.#ctx.log.debug(`volume ${volume.id} stays attached: ${messageOf(more)}`);
      });
      throw error;
    }
  }

  /** Takes the volume from the server, and waits until it is free. */
  async release(volumeId: string): Promise<void> {
    const cloud = this.#cloud.withContext({ ...this.#ctx, signal: AbortSignal.timeout(600_000) });
    await cloud.servers.detachVolume(this.#serverId, volumeId);
    await cloud.volumes.waitAvailable(volumeId, {
      timeoutMs: 300_000,
      label: `volume ${volumeId} to be free again`,
    });
    const id = serverAttachmentId(this.#serverId, volumeId);
    this.#ctx.events.emit({ kind: 'resource.deleted', resource: 'attachment', id, name: volumeId });
  }

  async #device(volumeId: string): Promise<FoundDevice> {
    const seen = await poll<FoundDevice | null>(this.#ctx, {
      task: `device:${volumeId}`,
      label: `volume ${volumeId} to appear as a disk of this machine`,
      timeoutMs: this.#deviceMs,
      intervalMs: Math.min(1_000, this.#deviceMs / 4),
      timeout: {
        code: 'cloud.attach_timeout',
        hint: `Nova has attached it; is this machine server ${this.#serverId}, and does its kernel take new disks while it runs? Otherwise ${throughAnImage}`,
      },
      look: async () => {
        const volume = await this.#cloud.volumes.get(volumeId);
        if (volume.status.startsWith('error') || volume.status === 'available') {
          throw attachFailed(volumeId, `Nova gave up; the volume is ${volume.status}`, HINT);
        }
        const device = await findDevice(volumeId, this.#roots);
        // One that is not whole yet shows no size.
        return volume.status === 'in-use' && device !== null && device.bytes > 0 ? device : null;
      },
      done: (device) => device !== null,
      describe: (device) => ({ state: device?.path ?? 'not there' }),
    });
    if (!seen) throw new StackferryError('internal', 'a wait ended without what it waited for');
    return seen;
  }
}

const HINT = `The operator finds the reason by the ids of the server and the volume; or ${throughAnImage}`;

/** An attachment that Nova made, as the journal names it. */
export function serverAttachmentId(serverId: string, volumeId: string): string {
  return `${serverId}/${volumeId}`;
}
