import { execFile } from 'node:child_process';
import { chmod, mkdir, open, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { layerContent, type Layer } from './content.js';
import { writeCowd } from './cowd.js';
import { descriptorText } from './descriptor.js';
import { diskFolder, put, vmFolder } from './place.js';
import type { Disk, Host, Link, Vm } from './resolve.js';
import { writeSeSparse } from './sesparse.js';
import { vmPath } from './vim-texts.js';
import { logText, vmsdText, vmxText } from './vmx.js';

const run = promisify(execFile);

async function writeDisk(root: string, vm: Vm, disk: Disk): Promise<void> {
  const dir = path.join(root, diskFolder(disk));
  await mkdir(dir, { recursive: true });
  for (const [level, link] of disk.links.entries()) {
    const newest = level === disk.links.length - 1;
    const { fault } = disk.spec;
    const descriptor = path.join(dir, link.file);
    const extent = path.join(dir, link.extent);
    if (!(fault === 'missing-descriptor' && newest) && !(fault === 'missing-parent' && level === 0)) {
      await writeFile(descriptor, descriptorText(disk, link, disk.links[level - 1], vm.hardwareVersion), {
        mode: 0o600,
      });
    }
    const layer = disk.layers[level];
    if (fault === 'missing-extent' && newest) continue;
    if (link.format !== 'flat' && link.format !== 'rdm' && layer !== undefined) await writeDelta(link, layer, extent);
    else if (link.format === 'flat') await writeFlat(disk, extent);
    else {
      await writeFile(extent, '');
      await truncate(extent, disk.sizeBytes); // the mapping file shows the LUN's size
    }
    await chmod(extent, 0o600);
    if (fault === 'short-extent' && newest) await truncate(extent, Math.floor(disk.sizeBytes / 1024) * 512);
    await settle(extent);
  }
}

/** ext4 gives a file its blocks when it is written back: until then what `du` says of it may change by itself. */
async function settle(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.sync().finally(() => handle.close());
}

/** The extent of a delta. */
export async function writeDelta(link: Link, layer: Layer, extent: string): Promise<void> {
  await (link.format === 'vmfsSparse' ? writeCowd(layer, extent) : writeSeSparse(layer, extent));
}

async function writeFlat(disk: Disk, extent: string): Promise<void> {
  await layerContent(disk, 0, extent);
  // A thick disk takes its whole size on the datastore; a file system that cannot do that leaves it sparse.
  if (!disk.thin) await run('fallocate', ['-l', String(disk.sizeBytes), extent]).catch(() => undefined);
}

/** A VM's folder: .vmx, .vmsd, log and the like, and its disks wherever they lie. */
export async function writeVm(root: string, vm: Vm, host: Host): Promise<void> {
  const folder = vmFolder(vm);
  const vmx = vmPath(vm).slice(vmPath(vm).lastIndexOf('.'));
  if (vm.spec.vmxFault !== 'missing') {
    const text = vm.spec.vmxFault === 'garbage' ? '\x00\x01\x02 this is no .vmx = "\n\x7fELF' : vmxText(vm);
    put(root, `${folder}/${vm.file}${vmx}`, text);
    await chmod(path.join(root, `${folder}/${vm.file}${vmx}`), 0o755);
  }
  put(root, `${folder}/${vm.file}.vmsd`, vmsdText(vm));
  put(root, `${folder}/${vm.file}.vmxf`, '<?xml version="1.0"?>\n<Foundry>\n</Foundry>\n');
  put(root, `${folder}/${vm.file}.nvram`, `MRVN${'\0'.repeat(8680)}`);
  put(root, `${folder}/vmware.log`, logText(vm, host));
  for (const level of vm.snapshots.keys()) put(root, `${folder}/${vm.file}-Snapshot${level + 1}.vmsn`, '\xd2\xbe');
  if (vm.power === 'suspended') put(root, `${folder}/${vm.file}-5c2d9e1f.vmss`, '\xd0\xbe');
  if (vm.power === 'on') put(root, `${folder}/${vm.file}-58ff6e6f.vswp`, '');
  for (const disk of vm.disks) await writeDisk(root, vm, disk);
}
