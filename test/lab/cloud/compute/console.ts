/**
 * Nova: the console log. What a firmware finds on the boot volume decides what is printed, from its real bytes: SeaBIOS
 * starts a disk whose first sector ends with 55 AA and says "No bootable device." otherwise (seabios/src/boot.c); OVMF
 * wants an EFI system partition and says "BdsDxe: No bootable option or device was found." (BdsDxe driver of EDK II).
 * The guest behind it is an imagined one: no kernel runs here.
 */
import { open } from 'node:fs/promises';
import type { Core } from '../core.js';
import { Refusal } from '../http.js';
import type { Server } from '../state.js';

const ESP_GUID = Buffer.from('28732ac11ff8d211ba4b00a0c93ec93b', 'hex');

async function firstBytes(path: string, length: number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => null);
  if (!file) return Buffer.alloc(length);
  try {
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, 0);
    return bytes;
  } finally {
    await file.close();
  }
}

/** An EFI system partition, in a GPT (its type GUID in the first 128 entries) or in an MBR (type EF). */
export function hasEfiPartition(head: Buffer): boolean {
  if (head[510] !== 0x55 || head[511] !== 0xaa) return false;
  for (let entry = 0; entry < 4; entry++) if (head[446 + 16 * entry + 4] === 0xef) return true;
  if (head.toString('latin1', 512, 520) !== 'EFI PART') return false;
  for (let at = 1024; at + 128 <= Math.min(head.length, 1024 + 128 * 128); at += 128) {
    if (head.subarray(at, at + 16).equals(ESP_GUID)) return true;
  }
  return false;
}

export function boots(head: Buffer, firmware: 'bios' | 'uefi'): boolean {
  return firmware === 'uefi' ? hasEfiPartition(head) : head[510] === 0x55 && head[511] === 0xaa;
}

/** @throws Refusal 409 before the server runs, 501 where the cloud offers no console */
export async function consoleLog(core: Core, server: Server): Promise<string> {
  const { console: setting, delays } = core.settings;
  if (setting === 'unsupported') throw new Refusal(501, 'Unable to get console log, functionality not implemented');
  if (server.started === null || server.vm_state === 'building') {
    throw new Refusal(409, `Instance ${server.id} is not ready`);
  }
  if (setting !== 'auto') return setting.text;
  const boot = server.volumes.find((one) => one.boot_index === 0);
  const volume = core.state.volumes.find((one) => one.id === boot?.volume_id);
  const path = volume ? core.volumeFile(volume.id) : core.imageFile(server.image_id ?? '');
  const uefi = volume?.image_metadata['hw_firmware_type'] === 'uefi';
  const head = await firstBytes(path, 18 * 1024);
  const lines = uefi
    ? ['BdsDxe: loading Boot0001 "UEFI QEMU HARDDISK"']
    : ['SeaBIOS (version 1.16.2)', 'Booting from Hard Disk...'];
  if (!boots(head, uefi ? 'uefi' : 'bios')) {
    lines.push(
      ...(uefi
        ? [
            'BdsDxe: failed to load Boot0001 "UEFI QEMU HARDDISK": Not Found',
            'BdsDxe: No bootable option or device was found.',
          ]
        : ['Boot failed: not a bootable disk', '', 'No bootable device.']),
    );
    return `${lines.join('\n')}\n`;
  }
  if (Date.now() - server.started < delays.boot) return `${lines.join('\n')}\n`;
  return `${lines.join('\n')}\n\nLinux ttyS0\n\n${server.hostname} login: `;
}
