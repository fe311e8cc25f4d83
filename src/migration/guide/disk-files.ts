import { posix } from 'node:path';
import { StackferryError, type Context } from '../../core/index.js';
import { absolutePath, type DiskRecord } from '../../esxi/index.js';
import { DESCRIPTOR_HEAD, extentRequests, readDescriptor } from '../../esxi/export/plan-link.js';
import { probeFiles } from '../../esxi/export/remote-files.js';
import type { RemoteShell } from '../../esxi/ssh/index.js';
import type { VmdkKind } from '../../disk/index.js';

/** The files of one disk on the host, from the base of its chain to the newest link. */
export interface DiskFiles {
  label: string;
  capacity_bytes: number | null;
  allocated_bytes: number | null;
  links: DiskLink[];
}

export interface DiskLink {
  /** Absolute path of the descriptor on the host. */
  descriptor: string;
  /** Absolute paths of the files that hold its data; none where the descriptor's own file does. */
  extents: string[];
}

/** The files that a disk has by ESXi's own rule of naming, where nobody has looked into its descriptors. */
export function usualFiles(disk: DiskRecord): DiskFiles {
  const chain = disk.chain.length > 0 ? disk.chain : disk.path === null ? [] : [disk.path];
  const links = chain.map((path, index): DiskLink => {
    const descriptor = absolutePath(path);
    if (descriptor === null) throw unknownFiles(disk.label, `its path ${JSON.stringify(path)} leads nowhere`);
    return { descriptor, extents: usualExtents(descriptor, index === 0 ? baseKind(disk, chain.length) : disk.kind) };
  });
  if (links.length === 0) throw unknownFiles(disk.label, 'the host does not say where they are');
  return { ...sizesOf(disk), links };
}

/** Only the newest link's kind is known; ESXi's own bases are flat. */
function baseKind(disk: DiskRecord, links: number): VmdkKind | null {
  return links > 1 ? 'flat' : disk.kind;
}

const usualSuffix = {
  flat: 'flat',
  vmfs_sparse: 'delta',
  se_sparse: 'sesparse',
  rdm_virtual: 'rdm',
  rdm_physical: 'rdmp',
} as const;

function usualExtents(descriptor: string, kind: VmdkKind | null): string[] {
  if (kind === 'stream_optimized' || kind === 'sparse') return [];
  const suffix = kind === null ? 'flat' : usualSuffix[kind];
  return [descriptor.replace(/(\.vmdk)?$/i, (end: string) => `-${suffix}${end === '' ? '.vmdk' : end}`)];
}

/**
 * The files that the disks' descriptors name, read on the host in one round trip. Reads descriptors only, which a
 * running VM does not lock; a disk whose descriptors cannot be read has the usual names.
 */
export async function readDiskFiles(
  shell: RemoteShell,
  disks: readonly DiskRecord[],
  ctx: Context,
): Promise<DiskFiles[]> {
  const usual = disks.map(usualFiles);
  const paths = usual.flatMap((disk) => disk.links.map((link) => link.descriptor));
  const probes = await probeFiles(
    shell,
    paths.map((path) => ({ path, headBytes: DESCRIPTOR_HEAD, lock: false })),
    ctx,
  );
  let next = 0;
  return usual.map((disk) => ({
    ...disk,
    links: disk.links.map((link): DiskLink => {
      const probe = probes[next++];
      if (probe?.state !== 'file') return link;
      try {
        const read = readDescriptor(probe, disk.label, link.descriptor);
        const requests = read.embedded ? [] : extentRequests(read, disk.label, link.descriptor);
        return { ...link, extents: requests.map((request) => request.path) };
      } catch (error) {
        if (!(error instanceof StackferryError)) throw error;
        return link; // what is wrong with it is a finding, which the guide tells
      }
    }),
  }));
}

/** The files of a disk out of all paths that a run has read. */
export function filesAmong(disk: DiskRecord, paths: readonly string[]): DiskFiles {
  const usual = usualFiles(disk);
  const descriptors = new Set(usual.links.map((link) => link.descriptor));
  if (!usual.links.every((link) => paths.includes(link.descriptor))) return usual;
  return {
    ...usual,
    links: usual.links.map((link) => {
      const stem = posix.basename(link.descriptor).replace(/\.vmdk$/i, '');
      const own = paths.filter(
        (path) =>
          !descriptors.has(path) &&
          posix.dirname(path) === posix.dirname(link.descriptor) &&
          isExtentName(posix.basename(path), stem),
      );
      return own.length > 0 || link.extents.every((path) => !paths.includes(path)) ? { ...link, extents: own } : link;
    }),
  };
}

/** `web01-flat.vmdk`, `web01-s001.vmdk` of `web01`: and not `web01-000001-delta.vmdk`, which is another link's. */
function isExtentName(name: string, stem: string): boolean {
  return name.startsWith(`${stem}-`) && /^-(flat|delta|sesparse|[fs]\d{3}|rdmp?)\.vmdk$/i.test(name.slice(stem.length));
}

function sizesOf({ label, capacity_bytes, allocated_bytes }: DiskRecord): Omit<DiskFiles, 'links'> {
  return { label, capacity_bytes, allocated_bytes };
}

function unknownFiles(label: string, why: string): StackferryError {
  return new StackferryError('guide.no_files', `The files of disk ${label} are not known: ${why}.`, {
    hint: `Leave it out with --skip-disk ${label}, or look at the VM's settings on the host.`,
    exitCode: 3,
  });
}
