import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { appletFunctions, GUARDED, linkedApplets } from './applets.js';
import { put } from './place.js';

const run = promisify(execFile);
const BUSYBOX = '/usr/lib/vmware/busybox/bin/busybox';

/** busybox, the links of the applets that ESXi has, the shims, the devices. */
export async function writeSystem(root: string): Promise<void> {
  for (const dir of [
    '/bin',
    '/dev',
    '/tmp',
    '/etc/lab/pending',
    '/etc/lab/vms',
    '/vmfs/volumes',
    path.dirname(BUSYBOX),
  ]) {
    await mkdir(path.join(root, dir), { recursive: true });
  }
  await symlink('bin', path.join(root, 'sbin'));
  const busybox = path.join(root, BUSYBOX);
  await copyFile('/bin/busybox', busybox).catch((error: unknown) => {
    throw new Error('/bin/busybox is not there: install the package busybox-static', { cause: error });
  });
  await chmod(busybox, 0o755);
  const available = (await run(busybox, ['--list'])).stdout.split('\n').filter((name) => name !== '');
  const guarded = new Set(GUARDED);
  for (const name of linkedApplets(available)) {
    if (name === 'sh' || name === 'ash') continue;
    await symlink(guarded.has(name) ? '/etc/lab/guard' : BUSYBOX, path.join(root, 'bin', name));
  }
  const shims: [string, string][] = [
    ['sh', '/bin/sh'],
    ['sh', '/bin/ash'],
    ['vim-cmd', '/bin/vim-cmd'],
    ['esxcli', '/bin/esxcli'],
    ['vmkfstools', '/bin/vmkfstools'],
    ['guard', '/etc/lab/guard'],
    ['settle', '/etc/lab/settle'],
    ['snapshot', '/etc/lab/snapshot'],
    ['clone', '/etc/lab/clone'],
  ];
  const source = path.join(path.dirname(fileURLToPath(import.meta.url)), 'shims');
  for (const [name, target] of shims) {
    await copyFile(path.join(source, name), path.join(root, target));
    await chmod(path.join(root, target), 0o755);
  }
  put(root, '/etc/lab/applets', appletFunctions(available));
  await chmod(path.join(root, 'tmp'), 0o1777);
  await writeDevices(path.join(root, 'dev'));
}

/** /dev/null and /dev/zero; where devices may not be made, plain files that the embedded host mounts over. */
async function writeDevices(dir: string): Promise<void> {
  for (const [name, minor] of [
    ['null', '3'],
    ['zero', '5'],
  ] as const) {
    const file = path.join(dir, name);
    await run('mknod', [file, 'c', '1', minor]).catch(() => writeFile(file, ''));
    await chmod(file, 0o666);
  }
}
