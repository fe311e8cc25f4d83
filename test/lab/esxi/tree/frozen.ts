import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { HostSpec } from '../spec.js';
import { descriptorText } from './descriptor.js';
import { writeDelta } from './files.js';
import { writeStateTexts } from './lab-state.js';
import { diskFolder, put, vmFolder } from './place.js';
import { resolveHost, type Host, type Vm } from './resolve.js';
import { vmPath } from './vim-texts.js';
import { vmsdText, vmxText } from './vmx.js';

/** Words that `snapshot.create` replaces by what it was told. */
const BLANKS = { name: '@NAME@', description: '@DESCRIPTION@', createdOn: '@TIME@' };

/**
 * What becomes of a VM by `snapshot.create`, made beforehand for each that has no snapshot: /etc/lab/vms/ID/frozen holds
 * the texts of that state, and the files that it adds or replaces, whose places `files` lists in their order.
 */
export async function writeFrozen(root: string, spec: HostSpec): Promise<void> {
  const frozen = resolveHost({
    ...spec,
    vms: spec.vms.map((vm) =>
      vm.snapshots?.length ? vm : { ...vm, snapshots: [{ ...BLANKS, state: vm.power ?? 'off', untouched: true }] },
    ),
  });
  for (const [index, vm] of frozen.vms.entries()) {
    const had = spec.vms[index]?.snapshots?.length ?? 0;
    if (had === 0 && vm.spec.invalid !== true && vm.spec.vmxFault === undefined) await writeOne(root, vm, frozen);
  }
}

async function writeOne(root: string, vm: Vm, host: Host): Promise<void> {
  const dir = `/etc/lab/vms/${vm.id}/frozen`;
  writeStateTexts(root, `${dir}/texts`, vm, host);
  const places: string[] = [];
  const next = (place: string) => `${dir}/${places.push(place)}`;
  const vmx = vmPath(vm).slice(vmPath(vm).lastIndexOf('.'));
  put(root, next(`${vmFolder(vm)}/${vm.file}${vmx}`), vmxText(vm));
  put(root, next(`${vmFolder(vm)}/${vm.file}.vmsd`), vmsdText(vm));
  put(root, next(`${vmFolder(vm)}/${vm.file}-Snapshot1.vmsn`), '\xd2\xbe');
  for (const disk of vm.disks) {
    const [base, delta] = disk.links;
    const layer = disk.layers[1];
    if (base === undefined || delta === undefined || layer === undefined) continue;
    put(root, next(`${diskFolder(disk)}/${delta.file}`), descriptorText(disk, delta, base, vm.hardwareVersion));
    await mkdir(path.join(root, dir), { recursive: true });
    await writeDelta(delta, layer, path.join(root, next(`${diskFolder(disk)}/${delta.extent}`)));
  }
  put(root, `${dir}/files`, places.map((place) => `${place}\n`).join(''));
}
