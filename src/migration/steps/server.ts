import { z } from 'zod';
import { StackferryError } from '../../core/index.js';
import type { Cloud, CreateServer, Server } from '../../openstack/index.js';
import { portResult } from './port.js';
import { assertSourceUnchanged } from './source.js';
import { madeBy, needSection, placeholder, section, type RunContext, type Step } from './step.js';
import { transferOf } from './transfer.js';
import { volumeResult } from './volume.js';

export const serverResult = z.object({ server_id: z.string(), name: z.string(), status: z.string() });

const givenVolumes = z.array(z.object({ label: z.string(), volume_id: z.string() }));
const KEY = 'server';
/** How long a volume may take to come free after a server that failed. */
const FREE_MS = 120_000;

/** The volumes of the server in the guest's order: those given to `server --volume`, or those of the volume steps. */
export function volumeIds(state: RunContext['state']): string[] {
  const given = givenVolumes.safeParse(state.plan.get('given_volumes'));
  if (given.success) return given.data.map((item) => item.volume_id);
  return needSection(state, 'volumes').map(
    (volume) => volumeResult.parse(state.steps.get(`volume:${volume.label}`)?.result).volume_id,
  );
}

/** The steps by which a volume comes to hold its disk. */
function filledBy(state: RunContext['state'], label: string): string[] {
  return [`volume:${label}`, ...(transferOf(state) === 'attached' ? [`data:${label}`] : [])];
}

/** A Nova server that boots from its first volume, with all others in order and a port for each NIC. */
export function serverStep(state: RunContext['state']): Step {
  const planned = needSection(state, 'server');
  const ports = section(state, 'ports') ?? [];
  return {
    key: KEY,
    kind: 'server',
    subject: `server ${planned.name}`,
    needs: [
      ...(state.plan.has('given_volumes')
        ? []
        : (section(state, 'volumes') ?? []).flatMap(({ label }) => filledBy(state, label))),
      ...ports.map((port) => `port:${port.label}`),
      ...(planned.create_flavor ? ['flavor'] : []),
    ],
    run: async (rc) => {
      const cloud = await rc.cloud();
      // A source that runs while its copy starts means two machines with one identity and two sets of data.
      if (rc.state.plan.has('source')) await assertSourceUnchanged(rc);
      const server = (await earlierServer(rc, cloud, planned.name)) ?? (await createServer(rc, cloud));
      const active = await cloud.servers.waitActive(server.id, {
        timeoutMs: rc.settings.timeouts.serverMs,
        option: '--timeout-server',
        label: `server ${planned.name} to become ACTIVE`,
      });
      const result: z.infer<typeof serverResult> = { server_id: active.id, name: active.name, status: active.status };
      return { result, summary: `${active.status}, ${planned.flavor_name}` };
    },
    preview: async (rc) => {
      const { requests } = await rc.cloud();
      const portIds = ports.map(
        ({ label }) =>
          portResult.safeParse(rc.state.steps.get(`port:${label}`)?.result).data?.port_id ?? placeholder('port', label),
      );
      const volumes = givenVolumes.safeParse(rc.state.plan.get('given_volumes')).data?.map((item) => item.volume_id);
      const made = (section(rc.state, 'volumes') ?? []).map(
        ({ label }) =>
          volumeResult.safeParse(rc.state.steps.get(`volume:${label}`)?.result).data?.volume_id ??
          placeholder('volume', label),
      );
      return [{ step: KEY, ...(await requests.createServer(serverInput(rc, volumes ?? made, portIds))) }];
    },
    undo: async (rc) => {
      const cloud = await rc.cloud();
      for (const id of await serversOf(rc, cloud)) await dropServer(rc, cloud, id);
    },
  };
}

async function createServer(rc: RunContext, cloud: Cloud): Promise<Server> {
  const planned = needSection(rc.state, 'server');
  const ports = (section(rc.state, 'ports') ?? []).map(
    (port) => portResult.parse(rc.state.steps.get(`port:${port.label}`)?.result).port_id,
  );
  const volumes = volumeIds(rc.state);
  // A server that failed before may still hold them (reserved, attaching) for a moment; Nova refuses those at once.
  for (const id of volumes) {
    await cloud.volumes.waitAvailable(id, {
      timeoutMs: Math.min(rc.settings.timeouts.volumeMs, FREE_MS),
      option: '--timeout-volume',
      label: `volume ${id} to be free for the server`,
    });
  }
  await rc.record({ kind: 'intent', step: KEY, resource: 'server', name: planned.name });
  const server = await cloud.servers.create(serverInput(rc, volumes, ports));
  await rc.record({ kind: 'made', step: KEY, resource: 'server', id: server.id, name: planned.name });
  // Nova starts what it makes: from here on the guest may write to its volumes.
  await rc.record({ kind: 'server.started', step: KEY, id: server.id });
  return server;
}

function serverInput(rc: RunContext, volumes: readonly string[], portIds: readonly string[]): CreateServer {
  const planned = needSection(rc.state, 'server');
  return {
    name: planned.name,
    flavorId: planned.flavor_id,
    disks: volumes.map((volumeId, index) => ({ volumeId, bootIndex: index === 0 ? 0 : -1 })),
    portIds,
    ...(planned.key_name === null ? {} : { keyName: planned.key_name }),
    configDrive: planned.config_drive,
    ...(planned.zone === null ? {} : { availabilityZone: planned.zone }),
    ...(planned.hostname === null ? {} : { hostname: planned.hostname }),
    metadata: planned.metadata,
    ...(planned.tags === undefined ? {} : { tags: planned.tags }),
    marker: { run: rc.run, step: KEY },
  };
}

/** The server of an earlier try. One that ended in ERROR without ever having run is deleted and made again. */
async function earlierServer(rc: RunContext, cloud: Cloud, name: string): Promise<Server | undefined> {
  if (madeBy(rc.state, KEY, 'server').length === 0) return undefined;
  let good: Server | undefined;
  for (const id of await serversOf(rc, cloud)) {
    const server = await cloud.servers.find(id);
    if (!server) {
      await rc.record({ kind: 'gone', step: KEY, resource: 'server', id });
    } else if (server.status === 'ERROR' && !hasLaunched(server)) {
      await dropServer(rc, cloud, id);
    } else if (good) {
      throw new StackferryError(
        'cloud.duplicate_server',
        `Two servers carry the mark of this run: ${good.id} and ${id}.`,
        {
          hint: 'Look at both, delete the one that is not wanted, and resume.',
        },
      );
    } else {
      good = server;
      await rc.record({ kind: 'made', step: KEY, resource: 'server', id, name });
      await rc.record({ kind: 'server.started', step: KEY, id });
    }
  }
  return good;
}

/** Whether Nova has started this server at least once, so that its volumes may hold data of its own. */
export function hasLaunched(server: Server): boolean {
  return (
    (server['OS-SRV-USG:launched_at'] ?? null) !== null || server.status === 'ACTIVE' || server.status === 'SHUTOFF'
  );
}

/** Ids of the servers that this step made: those that the journal holds, and those that carry its marker. */
export async function serversOf(rc: RunContext, cloud: Cloud): Promise<string[]> {
  const marked = await cloud.servers.findByMarker({ run: rc.run, step: KEY });
  const known = madeBy(rc.state, KEY, 'server').flatMap((item) => item.id ?? []);
  return [...new Set([...marked.map((server) => server.id), ...known])];
}

async function dropServer(rc: RunContext, cloud: Cloud, id: string): Promise<void> {
  await cloud.servers.delete(id);
  await cloud.servers.waitDeleted(id, { timeoutMs: rc.settings.timeouts.serverMs, option: '--timeout-server' });
  await rc.record({ kind: 'gone', step: KEY, resource: 'server', id });
}
