import { readFile, readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StackferryError } from '../../core/index.js';

/** Where the kernel shows its devices; other folders in tests. */
export interface DeviceRoots {
  sys: string;
  dev: string;
}
export const deviceRoots: DeviceRoots = { sys: '/sys', dev: '/dev' };

/** Serials of disks are the volume's id, cut off at 20 characters by virtio and by older SCSI. */
const LEAST = 20;

export interface FoundDevice {
  path: string;
  /** Bytes, as the kernel says. */
  bytes: number;
}

/**
 * The disk whose serial is this volume's id, or null where there is none (yet). Never by a name as `/dev/vdb`: what Nova
 * answers is a guess of its own, and the guest's kernel names disks as its probes end.
 * @throws StackferryError `cloud.attach_failed` where several disks say that they are this volume.
 */
export async function findDevice(volumeId: string, roots: DeviceRoots = deviceRoots): Promise<FoundDevice | null> {
  const names = new Set<string>();
  const block = join(roots.sys, 'block');
  for (const name of await readdir(block).catch(() => [])) {
    const serials = await Promise.all([
      text(join(block, name, 'serial')),
      text(join(block, name, 'device/serial')),
      scsiSerial(join(block, name, 'device/vpd_pg80')),
    ]);
    if (serials.some((serial) => isOf(serial, volumeId))) names.add(name);
  }
  const byId = join(roots.dev, 'disk/by-id');
  const mark = volumeId.slice(0, LEAST);
  for (const link of await readdir(byId).catch(() => [])) {
    if (/-part\d+$/.test(link) || !link.includes(mark)) continue;
    const name = await realpath(join(byId, link)).then(basename, () => null);
    if (name !== null) names.add(name);
  }
  const [name, ...more] = names;
  if (name === undefined) return null;
  if (more.length > 0) {
    throw new StackferryError(
      'cloud.attach_failed',
      `Several disks of this machine say that they are volume ${volumeId}: ${[...names].sort().join(', ')}.`,
      { hint: 'Detach what should not be there; nothing was written. Or: --via glance' },
    );
  }
  const sectors = Number(await text(join(block, name, 'size')));
  // The kernel counts in units of 512 bytes, whatever the disk's own sectors are.
  return { path: join(roots.dev, name), bytes: Number.isFinite(sectors) ? sectors * 512 : 0 };
}

function isOf(serial: string, volumeId: string): boolean {
  return serial.length >= LEAST && volumeId.startsWith(serial);
}

async function text(path: string): Promise<string> {
  return readFile(path, 'latin1').then(
    (found) => found.trim(),
    () => '',
  );
}

/** Page 80h of a disk's vital product data (SPC-4, 7.8.14): four bytes of header, then the serial. */
async function scsiSerial(path: string): Promise<string> {
  const page = await readFile(path).catch(() => Buffer.alloc(0));
  if (page.length < 4) return '';
  return page
    .subarray(4, 4 + page.readUInt16BE(2))
    .toString('latin1')
    .trim();
}
