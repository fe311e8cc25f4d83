import { connectorTo } from './attach/backend-door.js';
import { Brick } from './attach/brick.js';
import { completeAttachmentCall, createAttachmentCall, deleteAttachmentCall } from './block-storage/attachments.js';
import { createVolumeCall, setBootableCall, setImageMetadataCall, type CreateVolume } from './block-storage/volumes.js';
import { createFlavorCall, flavorAccessCall, type CreateFlavor } from './compute/flavors.js';
import { attachVolumeCall, createServerCall, detachVolumeCall, type CreateServer } from './compute/servers.js';
import { createImageCall, uploadImageCall, type CreateImage } from './image/images.js';
import type { Marker } from './markers.js';
import { createPortCall, tagPortCall, type CreatePort } from './network/ports.js';
import type { Call, Service } from './service.js';
import type { ChangingRequest } from './session.js';

/**
 * The changing requests of this cloud as they would go out, and are not sent: method, path and body, made by the very
 * functions that make the real ones. For `--dry-run`.
 */
export interface Requests {
  createImage(input: CreateImage): Promise<ChangingRequest>;
  uploadImage(id: string): Promise<ChangingRequest>;
  createVolume(input: CreateVolume): Promise<ChangingRequest>;
  setBootable(id: string, bootable: boolean): Promise<ChangingRequest>;
  setImageMetadata(id: string, metadata: Readonly<Record<string, string>>): Promise<ChangingRequest>;
  /**
   * What attaches a volume to this machine, and takes it away again: by Nova where it is a server of the cloud, otherwise
   * with what os-brick says of this machine (and the errors of asking it).
   */
  attach(id: string, server: string | null, attachment: string): Promise<ChangingRequest[]>;
  detach(id: string, server: string | null, attachment: string): Promise<ChangingRequest[]>;
  createPort(input: CreatePort): Promise<ChangingRequest>;
  tagPort(id: string, marker: Marker): Promise<ChangingRequest>;
  createFlavor(input: CreateFlavor): Promise<ChangingRequest>;
  flavorAccess(id: string): Promise<ChangingRequest>;
  createServer(input: CreateServer): Promise<ChangingRequest>;
  remove(kind: 'image' | 'volume' | 'port' | 'flavor' | 'server', id: string): Promise<ChangingRequest>;
}

export function requestsOf(services: {
  image: Service;
  volume: Service;
  compute: Service;
  network: Service;
}): Requests {
  const { image, volume, compute, network } = services;
  let connector: Promise<Readonly<Record<string, unknown>>> | undefined;
  const connectorHere = async () => (await connectorTo(await volume.baseUrl(), new Brick(volume.ctx))).connector;
  return {
    createImage: (input) => show(image, createImageCall(input)),
    uploadImage: (id) => show(image, { ...uploadImageCall(id), method: 'PUT' }),
    createVolume: (input) => show(volume, createVolumeCall(input)),
    setBootable: (id, bootable) => show(volume, setBootableCall(id, bootable)),
    setImageMetadata: (id, metadata) => show(volume, setImageMetadataCall(id, metadata)),
    attach: async (id, server, attachment) =>
      server === null
        ? [
            await show(volume, createAttachmentCall(id, await (connector ??= connectorHere()))),
            await show(volume, completeAttachmentCall(attachment)),
          ]
        : [await show(compute, attachVolumeCall(server, id))],
    detach: async (id, server, attachment) => [
      server === null
        ? await show(volume, deleteAttachmentCall(attachment))
        : await show(compute, detachVolumeCall(server, id)),
    ],
    createPort: (input) => show(network, createPortCall(input)),
    tagPort: (id, marker) => show(network, tagPortCall(id, marker)),
    createFlavor: (input) => show(compute, createFlavorCall(input)),
    flavorAccess: (id) => show(compute, flavorAccessCall(id, compute.projectId)),
    createServer: async (input) => show(compute, await createServerCall(compute, input)),
    remove: (kind, id) => {
      const service = { image, volume, port: network, flavor: compute, server: compute }[kind];
      return show(service, {
        what: `delete ${kind} ${id}`,
        method: 'DELETE',
        path: `/${kind}s/${encodeURIComponent(id)}`,
      });
    },
  };
}

async function show(service: Service, call: Call): Promise<ChangingRequest> {
  const { pathname } = new URL(`${await service.baseUrl()}${call.path}`);
  return { service: service.type, method: call.method, path: pathname, body: call.json };
}
