import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { HostSpec, PowerState } from '../spec.js';
import type { Layer } from './content.js';
import { writeVm } from './files.js';
import { locksOf, writeHostTexts, writeMaps, writeVmTexts } from './lab-state.js';
import { diskFolder, put, vmFolder } from './place.js';
import { resolveHost, type Host, type Vm } from './resolve.js';
import { writeFrozen } from './frozen.js';
import { writeSystem } from './system.js';
import { vmPath } from './vim-texts.js';

export interface BuiltDisk {
  /** As in the .vmx: `scsi0:0`. */
  label: string;
  capacityBytes: number;
  /** `[datastore1] web01/web01.vmdk`: the newest descriptor. */
  path: string;
  /** Datastore paths from the base to the newest. */
  chain: string[];
  /** The same descriptors as files on this machine. */
  descriptors: string[];
  /** The extents beside them, likewise. */
  extents: string[];
  /** What each link of the chain holds (none for a raw device mapping); see diskContent(). */
  layers: Layer[];
}

export interface BuiltVm {
  id: number;
  name: string;
  uuid: string;
  /** `[datastore1] web01/web01.vmx`. */
  vmxPath: string;
  vmxFile: string;
  /** The VM's folder on this machine. */
  dir: string;
  disks: BuiltDisk[];
}

export interface BuiltTree {
  /** The directory that becomes `/`. */
  dir: string;
  vms: BuiltVm[];
  /** By name (the first of that name) or id; throws when there is none. */
  vm(nameOrId: string | number): BuiltVm;
  /** Switches a VM as if someone had done it in the host client, locks included. */
  setPower(nameOrId: string | number, state: PowerState): Promise<void>;
  power(nameOrId: string | number): Promise<PowerState>;
  /** A path as the host sees it (`/vmfs/volumes/LABEL-or-UUID/…`) as a file on this machine. */
  local(hostPath: string): string;
}

function built(root: string, vm: Vm): BuiltVm {
  const dir = path.join(root, vmFolder(vm));
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    vmxPath: vmPath(vm),
    vmxFile: path.join(dir, vmPath(vm).split('/').at(-1) ?? ''),
    dir,
    disks: vm.disks.map((disk) => {
      const chain = disk.links.map((link) => `[${disk.datastore.name}] ${disk.folder}/${link.file}`);
      return {
        label: disk.label,
        capacityBytes: disk.sizeBytes,
        path: chain.at(-1) ?? '',
        chain,
        descriptors: disk.links.map((link) => path.join(root, diskFolder(disk), link.file)),
        extents: disk.links.map((link) => path.join(root, diskFolder(disk), link.extent)),
        layers: disk.layers,
      };
    }),
  };
}

/** Puts a file in place at once, as the shims do. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

/** Writes the tree of a host into an empty or missing directory. Same spec, same bytes. */
export async function buildTree(dir: string, spec: HostSpec): Promise<BuiltTree> {
  const root = path.resolve(dir);
  const host = resolveHost(spec);
  await writeSystem(root);
  for (const store of host.datastores) {
    await mkdir(path.join(root, 'vmfs/volumes', store.uuid), { recursive: true });
    if (store.name !== '') await symlink(store.uuid, path.join(root, 'vmfs/volumes', store.name));
  }
  for (const vm of host.vms) {
    await writeVm(root, vm, host);
    if (vm.spec.invalid !== true) writeVmTexts(root, vm, host);
  }
  writeHostTexts(root, host);
  await writeFrozen(root, spec);
  await writeMaps(root, host);
  put(root, '/etc/issue', `\nVMware ESXi ${host.version} (${host.name})\n\n`);
  return treeOf(root, host);
}

function treeOf(root: string, host: Host): BuiltTree {
  const lab = path.join(root, 'etc/lab');
  const vms = host.vms.map((vm) => built(root, vm));
  const find = (nameOrId: string | number): BuiltVm => {
    const found = vms.find((vm) => vm.name === nameOrId || vm.id === nameOrId);
    if (found === undefined) throw new Error(`no VM ${nameOrId} in this tree`);
    return found;
  };
  const power = async (nameOrId: string | number): Promise<PowerState> => {
    const { id } = find(nameOrId);
    const due = await readFile(path.join(lab, 'pending', String(id)), 'utf8').catch(() => undefined);
    if (due !== undefined && Number(due) <= Date.now() / 1000) return 'off';
    return (await readFile(path.join(lab, 'vms', String(id), 'power'), 'utf8')).trim() as PowerState;
  };
  return {
    dir: root,
    vms,
    vm: find,
    power,
    async setPower(nameOrId, state) {
      const { id } = find(nameOrId);
      await rm(path.join(lab, 'pending', String(id)), { force: true });
      await replace(path.join(lab, 'vms', String(id), 'power'), `${state}\n`);
      let locks = '';
      for (const vm of host.vms) {
        if (vm.spec.invalid !== true && (await power(vm.id)) === 'on') locks += locksOf(vm);
      }
      await replace(path.join(lab, 'locks'), locks);
    },
    local(hostPath) {
      const [, volume = '', rest = ''] = /^\/vmfs\/volumes\/([^/]+)(.*)$/s.exec(hostPath) ?? [];
      const store = host.datastores.find((one) => one.name === volume || one.uuid === volume);
      if (store === undefined) throw new Error(`${hostPath} is on none of this host's datastores`);
      return path.join(root, 'vmfs/volumes', store.uuid, rest);
    },
  };
}
