import { z } from 'zod';
import type { Marker, MarkerFilter } from '../markers.js';
import type { Wait } from '../wait.js';

/** A server as `GET /servers/{id}` shows it. Source: Compute API, "Show Server Details", microversions up to 2.93. */
export const serverSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** BUILD, ACTIVE, SHUTOFF, ERROR, DELETED, REBOOT, PAUSED, SUSPENDED … */
  status: z.string(),
  'OS-EXT-STS:task_state': z.string().nullish(),
  'OS-EXT-STS:vm_state': z.string().nullish(),
  'OS-EXT-AZ:availability_zone': z.string().nullish(),
  'OS-SRV-USG:launched_at': z.string().nullish(),
  fault: z.object({ code: z.number().optional(), message: z.string(), details: z.string().optional() }).optional(),
  metadata: z.record(z.string(), z.string()).default({}),
  addresses: z
    .record(
      z.string(),
      z.array(
        z.object({
          addr: z.string(),
          version: z.number(),
          'OS-EXT-IPS-MAC:mac_addr': z.string().optional(),
          'OS-EXT-IPS:type': z.string().optional(),
        }),
      ),
    )
    .default({}),
  flavor: z.looseObject({ id: z.string().optional(), original_name: z.string().optional() }).optional(),
  key_name: z.string().nullish(),
  config_drive: z.union([z.string(), z.boolean()]).nullish(),
  hostname: z.string().nullish(),
  'os-extended-volumes:volumes_attached': z
    .array(z.object({ id: z.string(), delete_on_termination: z.boolean().optional() }))
    .default([]),
  created: z.string().nullish(),
  updated: z.string().nullish(),
});
export type Server = z.infer<typeof serverSchema>;

/** A volume at a server: `GET /servers/{id}/os-volume_attachments`. */
export const volumeAttachmentSchema = z.object({
  volumeId: z.string(),
  device: z.string().nullish(),
  delete_on_termination: z.boolean().optional(),
});
export type VolumeAttachment = z.infer<typeof volumeAttachmentSchema>;

/** A port at a server: `GET /servers/{id}/os-interface`. */
export const interfaceSchema = z.object({
  port_id: z.string(),
  net_id: z.string(),
  mac_addr: z.string(),
  port_state: z.string(),
  fixed_ips: z
    .array(z.object({ ip_address: z.string(), subnet_id: z.string() }))
    .nullish()
    .transform((ips) => ips ?? []),
});
export type ServerInterface = z.infer<typeof interfaceSchema>;

/** One disk of a new server, in the guest's order. */
export interface ServerDisk {
  volumeId: string;
  /** 0 boots first; -1 (the default for all but the first disk) never boots. */
  bootIndex?: number;
  /** Where it differs from the image's `hw_disk_bus`: scsi, virtio, sata, ide, usb. */
  diskBus?: string;
}

export interface CreateServer {
  name: string;
  flavorId: string;
  /** All disks, volumes that exist; none of them goes when the server is deleted. */
  disks: readonly ServerDisk[];
  /** IDs of ports in the guest's NIC order; none means a server without network. */
  portIds: readonly string[];
  keyName?: string;
  configDrive?: boolean;
  availabilityZone?: string;
  /** The guest's host name in its metadata; left out where Nova is older than microversion 2.90. */
  hostname?: string;
  metadata?: Readonly<Record<string, string>>;
  marker: Marker;
}

export interface Servers {
  /** Throws `cloud.quota`, `cloud.bad_request`, … A 202 here is not yet a server that runs: see `waitActive`. */
  create(input: CreateServer): Promise<Server>;
  get(id: string): Promise<Server>;
  find(id: string): Promise<Server | undefined>;
  /** All servers of the project, or those of exactly this name. */
  list(filter?: { name?: string }): Promise<Server[]>;
  findByMarker(filter: MarkerFilter): Promise<Server[]>;
  /** Waits until ACTIVE; throws `cloud.server_failed` with Nova's fault text on ERROR, `cloud.server_timeout`. */
  waitActive(id: string, wait: Wait): Promise<Server>;
  start(id: string): Promise<void>;
  stop(id: string): Promise<void>;
  /** Waits until SHUTOFF. */
  waitStopped(id: string, wait: Wait): Promise<Server>;
  /** Asks for deletion; false if it was gone already. */
  delete(id: string): Promise<boolean>;
  /** Waits until it is gone. */
  waitDeleted(id: string, wait: Wait): Promise<void>;
  volumeAttachments(id: string): Promise<VolumeAttachment[]>;
  interfaces(id: string): Promise<ServerInterface[]>;
  /** The tail of the serial console (last `lines` if given); null where the cloud has none to show. */
  consoleLog(id: string, lines?: number): Promise<string | null>;
}
