import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { Disk, Vm } from './resolve.js';

/** A VM's folder as the host sees it. */
export const vmFolder = (vm: Vm) => `/vmfs/volumes/${vm.datastore.uuid}/${vm.folder}`;
export const diskFolder = (disk: Disk) => `/vmfs/volumes/${disk.datastore.uuid}/${disk.folder}`;

/** Writes a small file of the tree. Synchronous, for a tree has thousands of them. */
export function put(root: string, hostPath: string, text: string): void {
  const file = path.join(root, hostPath);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
