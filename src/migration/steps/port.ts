import { z } from 'zod';
import { StackferryError, isCode } from '../../core/index.js';
import type { Cloud, CreatePort, Port } from '../../openstack/index.js';
import type { PortSection } from '../plan/sections.js';
import { madeBy, needSection, placeholder, type RunContext, type Step } from './step.js';

export const portResult = z.object({
  label: z.string(),
  port_id: z.string(),
  mac: z.string(),
  ip_addresses: z.array(z.string()),
});
export type PortResult = z.infer<typeof portResult>;

/** A Neutron port for one NIC, with the source's MAC where it is free and the cloud lets us choose it. */
export function portStep(state: RunContext['state'], label: string): Step {
  const key = `port:${label}`;
  const planned = needSection(state, 'ports').find((item) => item.label === label);
  if (!planned) throw new Error(`no port planned for ${label}`);
  return {
    key,
    kind: 'port',
    subject: `port ${planned.name}`,
    needs: [],
    holds: async (rc, result) => {
      const parsed = portResult.safeParse(result);
      return parsed.success && (await (await rc.cloud()).ports.find(parsed.data.port_id)) !== undefined;
    },
    run: async (rc) => {
      const cloud = await rc.cloud();
      const port = (await earlierPort(rc, cloud, key, planned.name)) ?? (await createPort(rc, cloud, key, planned));
      const ips = port.fixed_ips.map((ip) => ip.ip_address);
      const result: PortResult = { label, port_id: port.id, mac: port.mac_address, ip_addresses: ips };
      const kept =
        planned.mac !== null && port.mac_address === planned.mac ? 'MAC kept' : `new MAC ${port.mac_address}`;
      return { result, summary: `${planned.network_name}, ${kept}, ${ips.join(' ') || 'no address'}` };
    },
    preview: async (rc) => {
      const { requests } = await rc.cloud();
      const input = portInput(rc.run, key, planned);
      const first = planned.mac === null ? input : { ...input, macAddress: planned.mac };
      const calls = [
        await requests.createPort(first),
        await requests.tagPort(placeholder('port', label), input.marker),
      ];
      return calls.map((call) => ({ step: key, ...call }));
    },
    undo: async (rc) => {
      const cloud = await rc.cloud();
      for (const id of await portsOf(rc, cloud, key)) {
        await cloud.ports.delete(id);
        await rc.record({ kind: 'gone', step: key, resource: 'port', id });
      }
    },
  };
}

async function createPort(rc: RunContext, cloud: Cloud, key: string, planned: PortSection): Promise<Port> {
  const input = portInput(rc.run, key, planned);
  await rc.record({ kind: 'intent', step: key, resource: 'port', name: planned.name });
  const port = await withMacIfFree(rc, cloud, input, planned);
  await rc.record({ kind: 'made', step: key, resource: 'port', id: port.id, name: planned.name });
  return port;
}

/** The port without the MAC, which may turn out to be taken. */
function portInput(run: string, key: string, planned: PortSection): CreatePort {
  return {
    name: planned.name,
    networkId: planned.network_id,
    ...(planned.fixed_ips === null
      ? {}
      : {
          fixedIps: planned.fixed_ips.map((ip) => ({
            ...(ip.subnet_id === undefined ? {} : { subnetId: ip.subnet_id }),
            ...(ip.ip_address === undefined ? {} : { ipAddress: ip.ip_address }),
          })),
        }),
    ...(planned.security_group_ids === null ? {} : { securityGroupIds: planned.security_group_ids }),
    marker: { run, step: key },
  };
}

/** Tries with the MAC first; where it is taken or not ours to choose, goes without, unless it was asked for by name. */
async function withMacIfFree(rc: RunContext, cloud: Cloud, input: CreatePort, planned: PortSection): Promise<Port> {
  if (planned.mac === null) return cloud.ports.create(input);
  try {
    return await cloud.ports.create({ ...input, macAddress: planned.mac });
  } catch (error) {
    const taken = isCode(error, 'cloud.mac_taken');
    if (planned.mac_required || !(taken || isCode(error, 'cloud.port_policy'))) throw error;
    const port = await cloud.ports.create(input).catch((second: unknown) => {
      // Without the MAC it is refused as well, so the first refusal was about something else (an address, say).
      throw second instanceof StackferryError ? second : error;
    });
    const why = taken ? 'it is in use on that network' : 'this project may not choose MACs on that network';
    const message = `MAC ${planned.mac} of ${planned.label} is not kept: ${why}. The new one is ${port.mac_address}.`;
    rc.ctx.events.emit({
      kind: 'warning',
      code: 'cloud.mac_taken',
      message,
      hint: 'A guest whose network configuration names its MAC will not find its NIC.',
    });
    return port;
  }
}

async function earlierPort(rc: RunContext, cloud: Cloud, key: string, name: string): Promise<Port | undefined> {
  if (madeBy(rc.state, key, 'port').length === 0) return undefined;
  for (const id of await portsOf(rc, cloud, key)) {
    const port = await cloud.ports.find(id);
    if (port) {
      await rc.record({ kind: 'made', step: key, resource: 'port', id, name });
      return port;
    }
    await rc.record({ kind: 'gone', step: key, resource: 'port', id });
  }
  return undefined;
}

async function portsOf(rc: RunContext, cloud: Cloud, key: string): Promise<string[]> {
  const marked = await cloud.ports.findByMarker({ run: rc.run, step: key });
  const known = madeBy(rc.state, key, 'port').flatMap((item) => item.id ?? []);
  return [...new Set([...marked.map((port) => port.id), ...known])];
}
