import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { StackferryError, isCode, messageOf, type Context } from '../../core/index.js';
import type { Cloud } from '../cloud.js';
import type { Attachment } from '../block-storage/attachments.js';
import { Brick } from './brick.js';
import { attachFailed, throughAnImage, type AttachedVolume, type VolumeDoor } from './door.js';

/** Below it each attachment has a folder for what os-brick mounts; a file system in memory, as mounts are. */
const MOUNTS = '/run/stackferry';

/** A volume comes from the storage behind Cinder: an attachment of this host, connected by os-brick. */
export class BackendDoor implements VolumeDoor {
  readonly kind = 'backend';
  readonly #cloud: Cloud;
  readonly #ctx: Context;
  readonly #brick: Brick;

  constructor(cloud: Cloud, ctx: Context, brick = new Brick(ctx)) {
    this.#cloud = cloud;
    this.#ctx = ctx;
    this.#brick = brick;
  }

  async attach(volume: { id: string; bytes: number }, made: (id: string) => Promise<void>): Promise<AttachedVolume> {
    const { attachments } = this.#cloud;
    const { connector } = await connectorTo(await attachments.endpoint(), this.#brick);
    const attachment = await attachments.create(volume.id, connector);
    const multipath = connector['multipath'] === true;
    try {
      await made(attachment.id);
      assertPlain(attachment);
      const request = { connection: attachment.connection_info, multipath, mounts: mountsOf(attachment.id) };
      const { path, device } = await this.#connect(volume.id, request);
      await attachments.complete(attachment.id);
      const release = async () => {
        // What stopped the work does not stop the tidying up.
        const brick = this.#brickOf(this.#lasting());
        await brick.disconnect({ ...request, device });
        await this.#cloud.withContext(this.#lasting()).attachments.delete(attachment.id);
      };
      return { id: attachment.id, path, release };
    } catch (error) {
      await this.#drop(attachment, multipath).catch((more: unknown) => {
        this.#ctx.log.debug(`attachment ${attachment.id} stays: ${messageOf(more)}`);
      });
      throw error;
    }
  }

  /** Ends what a program that is gone left: its connection here, where there is one, and the attachment. */
  async clear(attachment: Attachment): Promise<void> {
    await this.#drop(attachment, false);
  }

  async #connect(volumeId: string, request: Parameters<Brick['connect']>[0]): ReturnType<Brick['connect']> {
    try {
      return await this.#brick.connect(request);
    } catch (error) {
      if (!isCode(error, 'cloud.attach_failed')) throw error;
      throw attachFailed(
        volumeId,
        error.message,
        `Does this machine reach the storage behind Cinder (${backendOf(request.connection)}), and are its tools installed? Otherwise ${throughAnImage}`,
        error,
      );
    }
  }

  async #drop(attachment: Attachment, multipath: boolean): Promise<void> {
    const ctx = this.#lasting();
    if (typeof attachment.connection_info['driver_volume_type'] === 'string') {
      const request = { connection: attachment.connection_info, multipath, mounts: mountsOf(attachment.id) };
      await this.#brickOf(ctx)
        .disconnect({ ...request, device: null })
        .catch((error: unknown) => {
          // A machine that has no os-brick, or no root, has nothing connected either.
          if (!isCode(error, 'converter')) throw error;
        });
    }
    await this.#cloud.withContext(ctx).attachments.delete(attachment.id);
  }

  #brickOf(ctx: Context): Brick {
    return this.#brick.withContext(ctx);
  }

  #lasting(): Context {
    return { ...this.#ctx, signal: AbortSignal.timeout(600_000) };
  }
}

export function mountsOf(attachmentId: string): string {
  if (!/^[\w-]+$/.test(attachmentId)) throw new RangeError(`"${attachmentId}" is no id of an attachment`);
  return `${MOUNTS}/${attachmentId}`;
}

/** Only what can be written as it lies: no layer of encryption, no file with a format of its own. */
function assertPlain({ volume_id: volume, connection_info: info }: Attachment): void {
  const unsupported = (why: string) =>
    new StackferryError('cloud.attach_unsupported', `Volume ${volume} cannot be written to from here: ${why}.`, {
      hint: `Choose another --volume-type, or ${throughAnImage}`,
    });
  if (typeof info['driver_volume_type'] !== 'string') {
    throw attachFailed(volume, 'Cinder gives no connection to it', `Ask the operator, or ${throughAnImage}`);
  }
  if (info['encrypted'] === true) throw unsupported('it is encrypted, and its key is for Nova alone');
  const format = info['format'];
  if (typeof format === 'string' && format !== 'raw') throw unsupported(`its backend keeps it as a ${format} file`);
  if (info['access_mode'] === 'ro') throw unsupported('it is read-only');
}

/** For a person: `nfs, 10.0.0.1:/cinder`. Nothing of it is secret. */
function backendOf(info: Record<string, unknown>): string {
  const address = info['export'] ?? info['target_portal'] ?? info['hosts'];
  const type = String(info['driver_volume_type']);
  return typeof address === 'string' ? `${type}, ${address}` : type;
}

/** What os-brick says of this machine, as a service at this URL sees it. Changes nothing. */
export async function connectorTo(endpoint: string, brick: Brick): ReturnType<Brick['connector']> {
  return brick.connector(await localAddress(endpoint));
}

/** The address of this machine on the way to a URL. Nothing is sent. */
async function localAddress(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(Number(port) || 443, host, () => resolve(socket.address().address));
    });
  } catch (error) {
    throw new StackferryError('cloud.unreachable', `No way to ${host}: ${messageOf(error)}.`, { cause: error });
  } finally {
    socket.close();
  }
}
