import { TIB } from '../../core/index.js';
import { SECTOR_BYTES, type VmdkExtent, capacityBytes, kindOf } from '../../disk/index.js';
import type { RemoteShell } from '../ssh/shell.js';
import { FILE_STATUS, type Frame, runOnFiles, textOf } from './batch.js';
import {
  type Chain,
  type DescriptorFile,
  type Link,
  MAX_LINKS,
  descriptorOf,
  extentPath,
  likelyParents,
  walkChain,
} from './chain.js';
import type { DiskDevice } from './disk-devices.js';
import { type DatastorePaths, folderOf } from './paths.js';
import type { DiskProblem, DiskRecord } from './schema.js';
import { type SparseReading, isSparse, readSparseHeaders } from './sparse-extents.js';

/** ESXi's own limit of a virtual disk (Configuration Maximums); an RDM may be 64 TiB. */
const MAX_DISK_BYTES = 62 * TIB;
const MAX_RDM_BYTES = 64 * TIB;

/** What was seen of extents' files, by absolute path. */
interface ExtentFiles {
  sizes: ReadonlyMap<string, Frame>;
  headers: ReadonlyMap<string, SparseReading>;
}

/** A disk of some VM, whose .vmx lies in `folder` (absolute; null where that is not known). */
export interface DiskTask {
  device: DiskDevice;
  folder: string | null;
}

export interface DiskResult {
  record: DiskRecord;
  problems: DiskProblem[];
  /** Name of the datastore of the newest descriptor. */
  datastore: string | null;
  /** The mapping at the bottom of the chain. */
  raw: 'rdm_virtual' | 'rdm_physical' | null;
  /** A link of it says so. */
  encrypted: boolean;
}

/**
 * Reads the descriptors and looks at the extent files of all disks of all VMs together: a round trip for the newest
 * descriptors (with those that are likely below them), one for each deeper level that this did not foresee, and one
 * for the extents. Of the extents a sector is read, for only that shows that another holds one locked; never of a raw
 * device's, whose LUN may not answer.
 */
export async function readDisks(
  shell: RemoteShell,
  tasks: readonly DiskTask[],
  paths: DatastorePaths,
): Promise<DiskResult[]> {
  const newest = tasks.map(({ device, folder }) => paths.resolve(device.fileName ?? '', folder));
  const descriptors = await readDescriptors(shell, tasks, newest, paths);
  const chains = newest.map((path) => (path === null ? null : walkChain(path, descriptors, paths)));
  const [extents, mappings, sparse] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const link of chains.flatMap((chain) => chain?.links ?? [])) {
    for (const extent of link.descriptor.extents) {
      const path = extent.type === 'ZERO' ? null : extentPath(extent, link, paths);
      if (path === null) continue;
      (extent.type.startsWith('VMFSR') ? mappings : extents).add(path);
      if (isSparse(extent)) sparse.add(path);
    }
  }
  const sizes = new Map([
    ...(await runOnFiles(shell, 'o', extents)),
    ...(mappings.size > 0 ? await runOnFiles(shell, 's', mappings) : []),
  ]);
  const headers = sparse.size > 0 ? await readSparseHeaders(shell, sparse) : new Map<string, SparseReading>();
  const files = { sizes, headers };
  return tasks.map(({ device }, i) => diskResult(device, newest[i] ?? null, chains[i] ?? null, files, paths));
}

async function readDescriptors(
  shell: RemoteShell,
  tasks: readonly DiskTask[],
  newest: readonly (string | null)[],
  paths: DatastorePaths,
): Promise<Map<string, DescriptorFile>> {
  const files = new Map<string, DescriptorFile>();
  const wanted = new Set<string>();
  tasks.forEach(({ device }, i) => {
    const path = newest[i] ?? null;
    if (path === null) return;
    wanted.add(path);
    for (const parent of likelyParents(path)) wanted.add(parent);
    for (const name of device.parentNames) {
      const parent = paths.resolve(name, folderOf(path));
      if (parent !== null) wanted.add(parent);
    }
  });
  for (let level = 0; level <= MAX_LINKS && wanted.size > 0; level++) {
    // One block more than a descriptor may have, so that one that is too long shows it.
    const frames = await runOnFiles(shell, 'l', wanted, 2);
    for (const path of wanted) files.set(path, descriptorOf(frames.get(path), paths.toDatastore(path)));
    wanted.clear();
    for (const path of newest) {
      const next = path === null ? null : walkChain(path, files, paths).wanted;
      if (next === null) continue;
      wanted.add(next);
      for (const parent of likelyParents(next)) if (!files.has(parent)) wanted.add(parent);
    }
  }
  return files;
}

function diskResult(
  device: DiskDevice,
  path: string | null,
  chain: Chain | null,
  files: ExtentFiles,
  paths: DatastorePaths,
): DiskResult {
  const problems = [...(chain?.problems ?? [])];
  if (path === null) problems.push(noPath(device));
  const top = chain?.links[0];
  const kind = top ? kindOf(top.descriptor) : device.rdm;
  const capacity = top ? capacityBytes(top.descriptor) : device.capacityBytes;
  const base = chain?.links.at(-1);
  const raw = rawOf(kind) ?? (base ? rawOf(kindOf(base.descriptor)) : null) ?? device.rdm;
  const allocated = new Map<string, number | null>();
  const links = chain?.links ?? [];
  for (const link of links) problems.push(...extentProblems(link, files, paths, allocated));
  if (capacity !== null && capacity > (raw !== null ? MAX_RDM_BYTES : MAX_DISK_BYTES)) {
    problems.push({
      code: 'disk.too_large',
      message: `The descriptor says ${capacity} bytes: more than a disk on ESXi can have.`,
    });
  }
  // Of a chain that is only known in part nobody can say what the datastore holds for it.
  const complete =
    links.length > 0 && problems.every(({ code }) => code === 'disk.too_large' || code === 'disk.locked');
  const names = links.map((link) => paths.toDatastore(link.path)).reverse();
  const name = path === null ? null : paths.toDatastore(path);
  return {
    record: {
      label: device.label,
      controller: device.controller ?? defaultController(chain),
      path: name,
      capacity_bytes: capacity,
      allocated_bytes: complete ? sumOf(allocated.values()) : null,
      kind,
      mode: device.mode,
      shared: device.shared,
      chain: names.length > 0 ? names : name === null ? [] : [name],
    },
    problems: unique(problems),
    datastore: path === null ? null : paths.datastoreOf(path),
    raw,
    encrypted: links.some((link) => link.encrypted),
  };
}

function rawOf(kind: DiskRecord['kind']): DiskResult['raw'] {
  return kind === 'rdm_virtual' || kind === 'rdm_physical' ? kind : null;
}

/** Null if any of them is not known. */
function sumOf(values: Iterable<number | null>): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return sum;
}

/**
 * A SCSI controller without `virtualDev`: the default depends on the guest (libvirt's vmx.c says so too and looks into
 * the disk, as done here): the base descriptor's adapter type tells BusLogic, everything else is LSI Logic, which is
 * what ESXi gives guests of the last fifteen years.
 */
function defaultController(chain: Chain | null): DiskRecord['controller'] {
  const adapter = chain?.links.at(-1)?.descriptor.ddb.get('adapterType') ?? '';
  return /^buslogic$/i.test(adapter) ? 'buslogic' : 'lsilogic';
}

function noPath(device: DiskDevice): DiskProblem {
  if (device.fileName === null) {
    return { code: 'disk.missing', message: `The VM's configuration names no file for ${device.label}.` };
  }
  const written = JSON.stringify(device.fileName.slice(0, 200));
  return { code: 'disk.bad_descriptor', message: `${device.label} names a file outside the datastores: ${written}.` };
}

/** What is wrong with a link's extent files; notes what they take on the datastore. */
function extentProblems(
  link: Link,
  { sizes, headers }: ExtentFiles,
  paths: DatastorePaths,
  allocated: Map<string, number | null>,
): DiskProblem[] {
  const problems: DiskProblem[] = [];
  const name = paths.toDatastore(link.path);
  const bad = (message: string) => problems.push({ code: 'disk.bad_descriptor', message: `${name}: ${message}.` });
  const ends = new Map<string, number>();
  const sectors = new Map<string, number>();
  for (const extent of link.descriptor.extents) {
    if (extent.type === 'ZERO') continue;
    const path = extentPath(extent, link, paths);
    const written = JSON.stringify((extent.fileName ?? '').slice(0, 200));
    if (/^[a-z]+:\/\//i.test(extent.fileName ?? '')) {
      problems.push({
        code: 'disk.unsupported',
        message: `${name}: its data lies in ${written}, an object of vSAN or vVols that is no file.`,
      });
      continue;
    }
    if (path === null) {
      bad(`its extent ${written} leads out of the datastores`);
      continue;
    }
    const file = fileOf(sizes.get(path));
    if (file === 'missing') {
      problems.push({ code: 'disk.missing', message: `The extent ${paths.toDatastore(path)} is not there.` });
    } else if (file === 'symlink' || file === 'not a file') {
      bad(`its extent ${written} is ${file === 'symlink' ? 'a symbolic link' : 'not a regular file'}`);
    } else {
      allocated.set(path, file.allocated);
      if (file.locked) {
        problems.push({ code: 'disk.locked', message: `The extent ${paths.toDatastore(path)} is locked.` });
      }
      if (isFlat(extent))
        ends.set(path, Math.max(ends.get(path) ?? 0, (extent.offset + extent.sectors) * SECTOR_BYTES));
      else if (isSparse(extent)) sectors.set(path, (sectors.get(path) ?? 0) + extent.sectors);
      if (file.size === 0 && !isFlat(extent) && !extent.type.startsWith('VMFSR')) bad(`its extent ${written} is empty`);
    }
  }
  for (const [path, end] of ends) {
    const file = fileOf(sizes.get(path));
    if (typeof file === 'object' && file.size !== null && file.size !== end) {
      bad(`it says ${end} bytes of ${JSON.stringify(paths.toDatastore(path))}, which has ${file.size}`);
    }
  }
  for (const [path, said] of sectors) {
    const header = headers.get(path);
    const file = JSON.stringify(paths.toDatastore(path));
    if (!header) continue;
    if ('problem' in header) bad(`its extent ${file} ${header.problem}`);
    else if (header.capacitySectors !== said) {
      bad(`it says ${said} sectors of ${file}, which is for ${header.capacitySectors}`);
    }
  }
  return problems;
}

function isFlat(extent: VmdkExtent): boolean {
  return extent.type === 'VMFS' || extent.type === 'FLAT';
}

type FileSize =
  { size: number | null; allocated: number | null; locked: boolean } | 'missing' | 'symlink' | 'not a file';

/** `SIZE BLOCKS BLOCKSIZE` of stat, or the lines of `ls -ln` and `du -k`; then dd's words where it failed. */
function fileOf(frame: Frame | undefined): FileSize {
  switch (frame?.status) {
    case FILE_STATUS.missing:
      return 'missing';
    case FILE_STATUS.symlink:
      return 'symlink';
    case FILE_STATUS.notAFile:
      return 'not a file';
    default:
  }
  const text = textOf(frame);
  const locked = /^dd: .*: device or resource busy\s*$/im.test(text);
  const stat = /^(\d+) (\d+) (\d+)\s*$/m.exec(text);
  if (stat) return { size: Number(stat[1]), allocated: Number(stat[2]) * Number(stat[3]), locked };
  const ls = /^-\S*\s+\d+\s+\S+\s+\S+\s+(\d+)\s/m.exec(text);
  const du = /^(\d+)\s+\/\S/m.exec(text);
  return { size: ls ? Number(ls[1]) : null, allocated: du ? Number(du[1]) * 1024 : null, locked };
}

function unique(problems: readonly DiskProblem[]): DiskProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ code, message }) => {
    const key = `${code} ${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
