/**
 * The catalog of a project: the official types of the Service Type Authority plus `volumev3`, as the real lab's;
 * paths on one port as devstack lays them out.
 */
import type { Core } from '../core.js';

export const REGION = 'RegionOne';

export function catalog(core: Core, projectId: string): object[] {
  const entries: [name: string, type: string, path: string][] = [
    ['keystone', 'identity', '/identity/v3'],
    ['glance', 'image', '/image'],
    ['cinder', 'block-storage', `/volume/v3/${projectId}`],
    ['cinderv3', 'volumev3', `/volume/v3/${projectId}`],
    ['nova', 'compute', '/compute/v2.1'],
    ['neutron', 'network', '/network'],
  ];
  return entries.map(([name, type, path]) => ({
    id: idOf(type),
    name,
    type,
    endpoints: ['public', 'internal', 'admin'].map((iface) => ({
      id: idOf(type + iface),
      interface: iface,
      region: REGION,
      region_id: REGION,
      url: core.url + path,
    })),
  }));
}

/** The same id for the same name, as a catalog's ids do not change from one token to the next. */
function idOf(name: string): string {
  return Buffer.from(name.padEnd(16, '.')).toString('hex').slice(0, 32);
}
