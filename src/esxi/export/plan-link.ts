import { posix } from 'node:path';
import { StackferryError, formatBytes } from '../../core/index.js';
import {
  MAX_DESCRIPTOR_BYTES,
  SECTOR_BYTES,
  SPARSE_HEADER_BYTES,
  parseDescriptor,
  readSparseHeader,
  type VmdkDescriptor,
  type VmdkExtent,
} from '../../disk/index.js';
import { extentPath } from './paths.js';
import type { FileProbe, FileRequest } from './remote-files.js';
import type { ExtentPlan } from './types.js';

export type PresentFile = Extract<FileProbe, { state: 'file' }>;

/** A disk that cannot be copied, named with its label and file. */
export function diskError(code: string, label: string, why: string, hint: string): StackferryError {
  return new StackferryError(code, `Disk ${label}: ${why}`, { hint, exitCode: 3, details: { label } });
}

/** The file behind a probe, or the error that says why it cannot be read. */
export function presentFile(probe: FileProbe | undefined, label: string, path: string): PresentFile {
  if (!probe || probe.state === 'missing') {
    throw diskError(
      'disk.missing',
      label,
      `${path} is not there.`,
      'Restore the file, or leave the disk out with --skip-disk.',
    );
  }
  if (probe.state !== 'file') {
    const what = probe.state === 'link' ? 'a symbolic link' : 'no regular file';
    throw diskError(
      'disk.bad_descriptor',
      label,
      `${path} is ${what}; it is not followed.`,
      'Correct the VM’s disk path.',
    );
  }
  if (probe.readError !== null) {
    if (/busy|locked/i.test(probe.readError)) throw lockedError(label, path, '');
    throw diskError(
      'esxi.read_failed',
      label,
      `${path} cannot be read: ${probe.readError}`,
      'Look at the host’s log (/var/log/vmkernel.log) for storage errors.',
    );
  }
  return probe;
}

function lockedError(label: string, path: string, holder: string): StackferryError {
  return diskError(
    'disk.locked',
    label,
    `${path} is locked${holder}.`,
    'Shut down what uses it (this VM, another VM, a backup, another host); `vmkfstools -D FILE` shows the holder.',
  );
}

export interface ReadDescriptor {
  descriptor: VmdkDescriptor;
  /** The file itself is the extent and holds its descriptor. */
  embedded: boolean;
}

/** So many bytes of a descriptor file are asked for: one more than a sound one has. */
export const DESCRIPTOR_HEAD = MAX_DESCRIPTOR_BYTES + 1;

export function readDescriptor(file: PresentFile, label: string, path: string): ReadDescriptor {
  const head = file.head ?? Buffer.alloc(0);
  const header = readSparseHeader(head, path);
  if (header?.format === 'vmdk4' && header.descriptor) {
    const from = header.descriptor.offset * SECTOR_BYTES;
    const text = head.subarray(from, from + header.descriptor.sectors * SECTOR_BYTES);
    const end = text.indexOf(0);
    return { descriptor: parse(end < 0 ? text : text.subarray(0, end), label, path), embedded: true };
  }
  return { descriptor: parse(head, label, path), embedded: false };
}

function parse(bytes: Buffer, label: string, path: string): VmdkDescriptor {
  try {
    return parseDescriptor(bytes);
  } catch (error) {
    if (!(error instanceof StackferryError)) throw error;
    throw new StackferryError(error.code, `Disk ${label}: ${path}: ${error.message}`, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      exitCode: 3,
      cause: error,
    });
  }
}

/** The files of a link, each once, with what must be known of them. */
export function extentRequests(read: ReadDescriptor, label: string, path: string): FileRequest[] {
  if (read.embedded) return [{ path, headBytes: SPARSE_HEADER_BYTES, lock: true }];
  const requests = new Map<string, FileRequest>();
  for (const extent of read.descriptor.extents) {
    if (extent.fileName === null || extent.access === 'NOACCESS') {
      throw diskError(
        'disk.unsupported',
        label,
        `${path} has an extent of the kind ${extent.access} ${extent.type}, which cannot be copied.`,
        'Clone the disk on the host (vmkfstools -i OLD.vmdk NEW.vmdk -d thin) and use the clone.',
      );
    }
    const file = extentPath(path, extent.fileName);
    requests.set(file, { path: file, headBytes: isFlat(extent) ? 0 : SPARSE_HEADER_BYTES, lock: true });
  }
  return [...requests.values()];
}

export function isFlat(extent: Pick<VmdkExtent, 'type'>): boolean {
  return extent.type === 'FLAT' || extent.type === 'VMFS';
}

/** Compares one file with what its descriptor says of it, and gives its plan (the local name is chosen later). */
export function checkExtent(
  read: ReadDescriptor,
  request: FileRequest,
  probe: FileProbe | undefined,
  label: string,
  descriptorPath: string,
): Omit<ExtentPlan, 'localName'> {
  const path = request.path;
  const file = presentFile(probe, label, path);
  if (file.lock && (file.lock.mode === 1 || file.lock.mode === 3) && file.lock.ownerMac !== null) {
    throw lockedError(label, path, ` for writing by the host with the MAC ${file.lock.ownerMac}`);
  }
  const extents = read.descriptor.extents.filter(
    ({ fileName }) => read.embedded || (fileName !== null && extentPath(descriptorPath, fileName) === path),
  );
  const disagree = (why: string) =>
    diskError(
      'disk.bad_descriptor',
      label,
      `${posix.basename(descriptorPath)} and ${posix.basename(path)} disagree: ${why}.`,
      'The file was cut short or its descriptor is not its own: check the disk on the host with `vmkfstools -x check`.',
    );
  const sectors = extents.reduce((sum, extent) => sum + extent.sectors, 0);
  if (extents.every(isFlat)) {
    const end = Math.max(...extents.map((extent) => (extent.offset + extent.sectors) * SECTOR_BYTES));
    if (end !== file.bytes) {
      throw disagree(`the file has ${file.bytes} bytes (${formatBytes(file.bytes)}), the descriptor says ${end}`);
    }
  } else {
    const header = readSparseHeader(file.head ?? Buffer.alloc(0), path);
    if (!header) throw disagree('the file has no header of a sparse disk');
    if (header.capacitySectors !== sectors) {
      throw disagree(`the file is for ${header.capacitySectors} sectors, the descriptor says ${sectors}`);
    }
    if (header.leastSectors * SECTOR_BYTES > file.bytes) {
      throw disagree(`the file has ${file.bytes} bytes, its header asks for ${header.leastSectors * SECTOR_BYTES}`);
    }
  }
  return { remotePath: path, bytes: file.bytes, allocatedBytes: file.allocatedBytes, token: file.token };
}
