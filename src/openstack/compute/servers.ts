import { z } from 'zod';
import { StackferryError, isCode } from '../../core/index.js';
import { hasMarker, markerMetadata, type Marker, type MarkerFilter } from '../markers.js';
import type { Call, Service } from '../service.js';
import { createOnce, recode } from '../settle.js';
import { waitFor, type Wait } from '../wait.js';

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
  'OS-EXT-SRV-ATTR:hostname': z.string().nullish(),
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
  /** Left out where Nova is older than microversion 2.52. */
  tags?: readonly string[];
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
  /** Asks Nova to attach a volume to a running server; the volume is `in-use` when it has. Throws `cloud.attach_failed`. */
  attachVolume(id: string, volumeId: string): Promise<void>;
  /** Asks Nova to take a volume from a server; false where it is not there. */
  detachVolume(id: string, volumeId: string): Promise<boolean>;
  interfaces(id: string): Promise<ServerInterface[]>;
  /** The tail of the serial console (last `lines` if given); null where the cloud has none to show. */
  consoleLog(id: string, lines?: number): Promise<string | null>;
}

const oneSchema = z.object({ server: serverSchema }).transform(({ server }) => server);
const createdSchema = z.object({ server: z.object({ id: z.string() }) }).transform(({ server }) => server.id);

export function serversOf(service: Service): Servers {
  const at = (id: string, rest = ''): string => `/servers/${encodeURIComponent(id)}${rest}`;
  const one = (id: string, what = `look at server ${id}`): Call => ({ what, method: 'GET', path: at(id) });
  /** Asks for a change of power; a server that is there already is no error. */
  const power = async (id: string, action: 'os-start' | 'os-stop', there: string): Promise<void> => {
    const what = `${action === 'os-start' ? 'start' : 'stop'} server ${id}`;
    try {
      await service.call({ what, method: 'POST', path: at(id, '/action'), json: { [action]: null } });
    } catch (error) {
      if (!isCode(error, 'cloud.conflict') || (await servers.get(id)).status !== there) throw error;
    }
  };
  const servers: Servers = {
    async create(input) {
      const what = `create server ${input.name}`;
      const call = await createServerCall(service, input);
      const id = await createOnce(
        service.ctx,
        what,
        () => service.read(call, createdSchema),
        async () => (await servers.findByMarker(input.marker))[0]?.id,
      );
      service.ctx.events.emit({ kind: 'resource.created', resource: 'server', id, name: input.name });
      return servers.get(id);
    },

    get: (id) => service.read(one(id), oneSchema),
    find: (id) => service.readIfThere(one(id), oneSchema),
    async list(filter = {}) {
      const all = await service.list({ what: 'list servers', path: '/servers/detail' }, 'servers', serverSchema);
      return filter.name === undefined ? all : all.filter(({ name }) => name === filter.name);
    },
    findByMarker: async (filter) => (await servers.list()).filter(({ metadata }) => hasMarker(metadata, filter)),

    waitActive: (id, wait) =>
      waitFor(service.ctx, wait, {
        task: `server:${id}`,
        label: `server ${id} to become ACTIVE`,
        code: 'cloud.server_timeout',
        look: () => servers.get(id),
        done: (server) => {
          if (server.status === 'ERROR' || server.status === 'DELETED') throw failed(server);
          return server.status === 'ACTIVE';
        },
        state: stateOf,
        remedy: () =>
          'Nova is still at it; `openstack server show` names its task, and the operator finds the reason by the server ID.',
      }),

    start: (id) => power(id, 'os-start', 'ACTIVE'),
    stop: (id) => power(id, 'os-stop', 'SHUTOFF'),

    waitStopped: (id, wait) =>
      waitFor(service.ctx, wait, {
        task: `server:${id}`,
        label: `server ${id} to be shut off`,
        code: 'cloud.server_timeout',
        look: () => servers.get(id),
        done: (server) => {
          if (server.status === 'ERROR' || server.status === 'DELETED') throw failed(server);
          return server.status === 'SHUTOFF';
        },
        state: stateOf,
        remedy: () => 'Nova turns a guest off hard when it does not react to the power button, after a minute or so.',
      }),

    async delete(id) {
      const answer = await service.call({ ...one(id, `delete server ${id}`), method: 'DELETE', accept: [404] });
      return answer.status !== 404;
    },

    async waitDeleted(id, wait) {
      await waitFor(service.ctx, wait, {
        task: `server:${id}`,
        label: `server ${id} to be deleted`,
        code: 'cloud.server_timeout',
        look: () => servers.find(id),
        done: (server) => {
          if (server?.status === 'ERROR' && !server['OS-EXT-STS:task_state']) throw failed(server);
          return server === undefined || server.status === 'DELETED' || server.status === 'SOFT_DELETED';
        },
        state: (server) => (server === undefined ? 'gone' : stateOf(server)),
        remedy: () => 'Nova has not finished; ask the operator to look at the server ID.',
      });
      service.ctx.events.emit({ kind: 'resource.deleted', resource: 'server', id, name: id });
    },

    volumeAttachments: (id) =>
      service.list(
        { what: `list the volumes of server ${id}`, path: at(id, '/os-volume_attachments') },
        'volumeAttachments',
        volumeAttachmentSchema,
      ),
    async attachVolume(id, volumeId) {
      try {
        await service.call(attachVolumeCall(id, volumeId));
      } catch (error) {
        // The answer may be lost, and Nova may be at it by now.
        if (isCode(error, 'cloud.unreachable') || isCode(error, 'cloud.server_error')) {
          const all = await servers.volumeAttachments(id);
          if (all.some((item) => item.volumeId === volumeId)) return;
        }
        if (!isCode(error, 'cloud.bad_request') && !isCode(error, 'cloud.conflict')) throw error;
        throw recode(error, 'cloud.attach_failed', 'Is the server running, and is the volume in its zone?');
      }
    },

    async detachVolume(id, volumeId) {
      const answer = await service.call(detachVolumeCall(id, volumeId));
      return answer.status !== 404;
    },

    interfaces: (id) =>
      service.list(
        { what: `list the ports of server ${id}`, path: at(id, '/os-interface') },
        'interfaceAttachments',
        interfaceSchema,
      ),

    async consoleLog(id, lines) {
      const call: Call = {
        what: `read the console of server ${id}`,
        method: 'POST',
        path: at(id, '/action'),
        json: { 'os-getConsoleOutput': lines === undefined ? {} : { length: lines } },
        readOnly: true,
        // No console (404), not yet one (409), none on this hypervisor (501), or not for this role (403).
        accept: [403, 404, 409, 501],
      };
      const answer = await service.call(call);
      if (answer.status >= 400) return null;
      return service.checked(call, answer.body, z.object({ output: z.string().nullish() })).output ?? null;
    },
  };
  return servers;
}

/** The request that attaches a volume. Source: Compute API, "Attach a volume to an instance". */
export function attachVolumeCall(id: string, volumeId: string): Call {
  const path = `/servers/${encodeURIComponent(id)}/os-volume_attachments`;
  const json = { volumeAttachment: { volumeId } };
  return { what: `attach volume ${volumeId} to server ${id}`, method: 'POST', path, json };
}

export function detachVolumeCall(id: string, volumeId: string): Call {
  const path = `/servers/${encodeURIComponent(id)}/os-volume_attachments/${encodeURIComponent(volumeId)}`;
  return { what: `take volume ${volumeId} from server ${id}`, method: 'DELETE', path, accept: [404] };
}

/** `BUILD (spawning)`. */
function stateOf(server: Server): string {
  const task = server['OS-EXT-STS:task_state'];
  return task ? `${server.status} (${task})` : server.status;
}

/** A server in ERROR, in the words of Nova's fault. */
function failed(server: Server): StackferryError {
  const fault = server.fault?.message.trim();
  return new StackferryError(
    'cloud.server_failed',
    `Server ${server.name} is ${server.status}: ${fault === undefined || fault === '' ? 'Nova gives no reason' : fault}`,
    { hint: hintFor(fault ?? ''), details: { id: server.id, status: server.status, fault: fault ?? null } },
  );
}

function hintFor(fault: string): string {
  if (/no valid host/i.test(fault)) {
    return 'No hypervisor can take it: the flavor, --zone, or what the image asks for (UEFI, vTPM, machine type, architecture) is not to be had; try another flavor.';
  }
  if (/block device mapping|volume/i.test(fault)) {
    return 'A volume could not be attached: look at its state and its zone (`openstack volume show`).';
  }
  if (/port|network|binding/i.test(fault)) {
    return 'A port could not be bound: look at it with `openstack port show`, and try another network or zone.';
  }
  return 'Delete it and try again; if that fails too, give the server ID to the operator.';
}

/** The request that makes a server, in words that this cloud's Nova knows. */
export async function createServerCall(service: Pick<Service, 'has'>, input: CreateServer): Promise<Call> {
  const knows = { hostname: await service.has('2.90'), tags: await service.has('2.52') };
  const json = { server: createBody(input, knows) };
  return { what: `create server ${input.name}`, method: 'POST', path: '/servers', json };
}

/**
 * Source: Compute API, "Create server". All disks are volumes that exist, none goes with the server; a server without
 * ports says so, or Nova would choose a network itself (microversion 2.37).
 */
function createBody(input: CreateServer, knows: { hostname: boolean; tags: boolean }): Record<string, unknown> {
  return {
    name: input.name,
    flavorRef: input.flavorId,
    block_device_mapping_v2: input.disks.map((disk, index) => ({
      uuid: disk.volumeId,
      source_type: 'volume',
      destination_type: 'volume',
      boot_index: disk.bootIndex ?? (index === 0 ? 0 : -1),
      delete_on_termination: false,
      ...(disk.diskBus === undefined ? {} : { disk_bus: disk.diskBus, device_type: 'disk' }),
    })),
    networks: input.portIds.length === 0 ? 'none' : input.portIds.map((port) => ({ port })),
    metadata: { ...input.metadata, ...markerMetadata(input.marker) },
    ...(input.keyName === undefined ? {} : { key_name: input.keyName }),
    ...(input.configDrive === undefined ? {} : { config_drive: input.configDrive }),
    ...(input.availabilityZone === undefined ? {} : { availability_zone: input.availabilityZone }),
    ...(input.hostname === undefined || !knows.hostname ? {} : { hostname: input.hostname }),
    ...(input.tags === undefined || !knows.tags ? {} : { tags: input.tags }),
  };
}
