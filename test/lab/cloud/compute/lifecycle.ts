/** Nova's compute manager: building, stopping, starting and deleting servers, in the background. */
import type { Core } from '../core.js';
import { Refusal } from '../http.js';
import type { Network, Port, Server, Volume } from '../state.js';
import { cinderTime, newId, zuluTime } from '../values.js';
import { complete, release, reserve } from '../block-storage/attachments.js';
import { deleteVolume, makeVolume } from '../block-storage/make.js';
import { checkVolumeQuota } from '../block-storage/quotas.js';
import { volumeTypeOf } from '../block-storage/types.js';
import { bind, makePort, unbind } from '../network/ports.js';
import { deviceName } from './hardware.js';

export interface NewVolume {
  image_id: string | null;
  /** GiB. */
  size: number;
  type: string | null;
}

interface Build {
  volumes: (NewVolume & { bootIndex: number | null; deleteOnTermination: boolean })[];
  networks: { network: Network; fixedIp: string | null }[];
  /** Security groups by name or id, for the ports that Nova makes. */
  groups: string[];
  requestId: string;
}

/** Puts a server in ERROR as Nova does: the fault's message is for the user, its volumes stay taken until it is deleted. */
function fail(server: Server, message: string): void {
  server.status = 'ERROR';
  server.vm_state = 'error';
  server.task_state = null;
  server.power_state = 0;
  server.fault = { code: 500, message, created: zuluTime() };
  server.updated = zuluTime();
}

export function buildServer(core: Core, server: Server, build: Build): void {
  const { serverOutcome, serverFault, delays } = core.settings;
  if (serverOutcome === 'stuck') return;
  core.background(
    async () => {
      await core.sleep(delays.server / 2);
      if (serverOutcome === 'error') {
        fail(server, serverFault);
        return;
      }
      server.task_state = 'spawning';
      for (const wanted of build.volumes) await makeBootVolume(core, server, wanted, build.requestId);
      for (const { network, fixedIp } of build.networks) {
        const groups = core.state.securityGroups
          .filter(
            (one) =>
              one.project_id === server.project_id && build.groups.some((name) => name === one.name || name === one.id),
          )
          .map((one) => one.id);
        const port = makePort(core, network, server.project_id, {
          ...(fixedIp === null ? {} : { fixed_ips: [{ ip_address: fixedIp }] }),
          ...(groups.length === 0 ? {} : { security_groups: groups }),
        });
        bind(port, server.id, server.availability_zone, false);
        server.ports.push({ port_id: port.id, ours: true });
      }
      await core.sleep(delays.server / 2);
      for (const entry of server.volumes) {
        const attachment = core.state.attachments.find((one) => one.id === entry.attachment_id);
        const volume = core.state.volumes.find((one) => one.id === entry.volume_id);
        if (attachment && volume) complete(core, attachment, volume, entry.device);
      }
      activate(core, server);
      server.launched_at = cinderTime();
    },
    (error) =>
      fail(server, `Build of instance ${server.id} aborted: ${error instanceof Error ? error.message : String(error)}`),
  );
}

/** `source_type: image, destination_type: volume`: Nova makes the volume and waits for it. */
async function makeBootVolume(
  core: Core,
  server: Server,
  wanted: Build['volumes'][number],
  requestId: string,
): Promise<void> {
  const { state } = core;
  const project = state.projects.find((one) => one.id === server.project_id);
  if (!project) throw new Error(`Project ${server.project_id} could not be found.`);
  const type = volumeTypeOf(state, wanted.type ?? undefined);
  const image = state.images.find((one) => one.id === wanted.image_id) ?? null;
  checkVolumeQuota(state, project, type, wanted.size);
  const volume: Volume = {
    id: newId(),
    project_id: server.project_id,
    user_id: server.user_id,
    name: '',
    description: '',
    size: wanted.size,
    status: 'creating',
    volume_type_id: type.id,
    availability_zone: state.volumeZones[0] ?? 'nova',
    bootable: false,
    multiattach: false,
    metadata: {},
    image_metadata: {},
    source_image_id: null,
    created_at: cinderTime(),
    updated_at: null,
  };
  state.volumes.push(volume);
  const metadata = image ? { ...image.properties, image_id: image.id, image_name: image.name ?? '' } : {};
  makeVolume(core, volume, image, metadata, requestId);
  while (['creating', 'downloading'].includes(volume.status)) await core.sleep(5);
  if (volume.status !== 'available') {
    throw new Error(
      `Volume ${volume.id} did not finish being created even after we waited 0 seconds or 1 attempts. And its status is ${volume.status}.`,
    );
  }
  const attachment = reserve(core, volume, server.id);
  server.volumes.push({
    volume_id: volume.id,
    attachment_id: attachment.id,
    device: deviceName(volume.image_metadata, server.volumes.length),
    boot_index: wanted.bootIndex,
    delete_on_termination: wanted.deleteOnTermination,
  });
}

function portsOf(core: Core, server: Server): { port: Port; ours: boolean }[] {
  return server.ports.flatMap(({ port_id, ours }) => {
    const port = core.state.ports.find((one) => one.id === port_id);
    return port ? [{ port, ours }] : [];
  });
}

function activate(core: Core, server: Server): void {
  for (const { port } of portsOf(core, server)) bind(port, server.id, server.availability_zone, true);
  server.status = 'ACTIVE';
  server.vm_state = 'active';
  server.task_state = null;
  server.power_state = 1;
  server.started = Date.now();
  server.updated = zuluTime();
}

/** @throws Refusal 409 while another task is under way, or in a state that does not allow it */
function requireState(server: Server, states: string[], action: string): void {
  if (!states.includes(server.vm_state)) {
    throw new Refusal(409, `Cannot '${action}' instance ${server.id} while it is in vm_state ${server.vm_state}`);
  }
  if (server.task_state !== null) {
    throw new Refusal(409, `Cannot '${action}' instance ${server.id} while it is in task_state ${server.task_state}`);
  }
}

export function stopServer(core: Core, server: Server): void {
  requireState(server, ['active', 'error'], 'stop');
  server.task_state = 'powering-off';
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      server.status = 'SHUTOFF';
      server.vm_state = 'stopped';
      server.task_state = null;
      server.power_state = 4;
      server.updated = zuluTime();
    },
    (error) => fail(server, String(error)),
  );
}

export function startServer(core: Core, server: Server): void {
  requireState(server, ['stopped'], 'start');
  server.task_state = 'powering-on';
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      activate(core, server);
    },
    (error) => fail(server, String(error)),
  );
}

export function rebootServer(core: Core, server: Server): void {
  requireState(server, ['active', 'stopped', 'error'], 'reboot');
  server.task_state = 'rebooting';
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      activate(core, server);
    },
    (error) => fail(server, String(error)),
  );
}

/** Deletes: volumes become available (or go, where asked for), ports are unbound, those Nova made are deleted. */
export function deleteServer(core: Core, server: Server): void {
  if (server.task_state === 'deleting') return;
  server.task_state = 'deleting';
  core.background(
    async () => {
      await core.sleep(core.settings.delays.power);
      for (const { port, ours } of portsOf(core, server)) {
        if (ours) core.state.ports = core.state.ports.filter((one) => one !== port);
        else unbind(port);
      }
      for (const entry of server.volumes) {
        release(core, entry.attachment_id);
        const volume = core.state.volumes.find((one) => one.id === entry.volume_id);
        if (volume && entry.delete_on_termination) deleteVolume(core, volume);
      }
      core.state.servers = core.state.servers.filter((one) => one !== server);
    },
    (error) => fail(server, String(error)),
  );
}
