import { posix } from 'node:path';
import { StackferryError } from '../../core/index.js';

const VOLUMES = '/vmfs/volumes';

function bad(path: string, why: string): StackferryError {
  return new StackferryError(
    'disk.bad_descriptor',
    `The disk path ${JSON.stringify(path)} ${why}; it is not followed.`,
    {
      hint: 'Only files below a datastore are read. Look at the VM’s disk settings on the host.',
    },
  );
}

/**
 * `[datastore1] web 01/web 01.vmdk` as a path on the host: `/vmfs/volumes/datastore1/web 01/web 01.vmdk`. Throws
 * `disk.bad_descriptor` for a path that is not of this form or leads out of the datastore.
 */
export function remotePath(datastorePath: string): string {
  const match = /^\[([^/]+?)\] (.+)$/s.exec(datastorePath);
  const [, datastore, rest] = match ?? [];
  if (!datastore || !rest) throw bad(datastorePath, 'is not of the form "[datastore] folder/disk.vmdk"');
  if (datastore === '.' || datastore === '..') throw bad(datastorePath, 'names no datastore');
  if (rest.startsWith('/') || rest.split('/').includes('..')) throw bad(datastorePath, 'leads out of its datastore');
  if (rest.includes('\0') || datastore.includes('\0')) throw bad(datastorePath, 'holds a NUL');
  return posix.join(VOLUMES, datastore, rest);
}

/**
 * Where an extent that a descriptor names lies: always in the descriptor's own folder, which is where ESXi puts it. A
 * name with separators passes only if it means that very folder. Throws `disk.bad_descriptor` for any other.
 */
export function extentPath(descriptorPath: string, fileName: string): string {
  const folder = posix.dirname(descriptorPath);
  const below = (path: string) => path.split('/').slice(4).join('/');
  const named = posix.isAbsolute(fileName) ? posix.normalize(fileName) : posix.join(folder, fileName);
  const sameFolder = posix.dirname(named) === folder;
  // The same folder under the datastore's other name (its UUID or its label): the file beside the descriptor is meant.
  const sameBelow = named.startsWith(`${VOLUMES}/`) && below(posix.dirname(named)) === below(folder);
  const name = posix.basename(named);
  const plain = !fileName.includes('\0') && !fileName.endsWith('/') && name !== '.' && name !== '..' && name !== '';
  if (!plain || !(sameFolder || (posix.isAbsolute(fileName) && sameBelow))) {
    throw new StackferryError(
      'disk.bad_descriptor',
      `${descriptorPath} names the file ${JSON.stringify(fileName)} outside its own folder; it is not followed.`,
      {
        hint: 'A disk’s files lie beside its descriptor. Correct the descriptor, or clone the disk with vmkfstools -i.',
      },
    );
  }
  return posix.join(folder, name);
}
