import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud, Server } from '../index.js';
import { deviceRoots, type DeviceRoots } from './device.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The server of this project that this machine is, or null. Nova's libvirt driver gives a guest its server's id as the
 * system uuid (and, depending on `sysinfo_serial`, as its serial); what the firmware says is believed only where the
 * project has a server of that id.
 */
export async function thisServer(cloud: Cloud, roots: DeviceRoots = deviceRoots): Promise<Server | null> {
  for (const id of await machineIds(roots)) {
    const server = await cloud.servers.find(id);
    if (server) return server;
  }
  return null;
}

/** What the firmware says that this machine is, in the form of ids; none where it is not readable (it is root's). */
export async function machineIds(roots: DeviceRoots = deviceRoots): Promise<string[]> {
  const words = await Promise.all(
    ['product_uuid', 'product_serial'].map((name) =>
      readFile(join(roots.sys, 'class/dmi/id', name), 'utf8').catch(() => ''),
    ),
  );
  return [...new Set(words.map((word) => word.trim().toLowerCase()).filter((word) => UUID.test(word)))];
}
