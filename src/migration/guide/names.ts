import { posix } from 'node:path';
import { cloudName, hostnameOf } from '../plan/names.js';
import type { DiskFiles } from './disk-files.js';
import type { GuideInput } from './types.js';

/** A name as a person may see it in a comment or heading: one line, nothing that acts on a terminal or hides. */
export function shown(text: string): string {
  return cloudName(text);
}

/** The folder here in which the guide works: `web01-12`. Two VMs of a host never share one. */
export function workFolder(vm: GuideInput['vm']): string {
  return `${hostnameOf(vm.name) ?? 'vm'}-${vm.id.replace(/\W/g, '_')}`;
}

/** The folder of a disk in it, as the export has it: `scsi0:0` becomes `scsi0-0`. */
export function diskFolder(label: string): string {
  return label.replace(/[^A-Za-z0-9_-]/g, '-');
}

/**
 * Where each link of a disk lies here: files keep their names, for descriptors name them; links of another folder (a
 * linked clone's base, which may have the very same names) get a folder of their own.
 */
export function localLinks(disk: DiskFiles): { remote: string; local: string; extents: [string, string][] }[] {
  const newest = disk.links.at(-1);
  const home = newest === undefined ? '' : posix.dirname(newest.descriptor);
  const folders = new Map([[home, diskFolder(disk.label)]]);
  return disk.links.map(({ descriptor, extents }) => {
    const place = (path: string) => {
      const folder = posix.dirname(path);
      if (!folders.has(folder)) folders.set(folder, `${diskFolder(disk.label)}/base${folders.size}`);
      return `${folders.get(folder) ?? ''}/${posix.basename(path)}`;
    };
    return {
      remote: descriptor,
      local: place(descriptor),
      extents: extents.map((path): [string, string] => [path, place(path)]),
    };
  });
}

/** The newest link here: the file that qemu-img reads as the whole disk. */
export function localDisk(disk: DiskFiles): string {
  return localLinks(disk).at(-1)?.local ?? '';
}

export function imageFileOf(label: string, format: string): string {
  return `${diskFolder(label)}.${format}`;
}
