import { lstat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { StackferryError, TIB, formatBytes, type Context } from '../../core/index.js';
import { NO_PARENT_CID, capacityBytes, freeBytes, hasParent, kindOf, type VmdkKind } from '../../disk/index.js';
import type { DiskRecord } from '../inventory/schema.js';
import { LocalNames, diskFolder } from './local-names.js';
import { remotePath } from './paths.js';
import {
  DESCRIPTOR_HEAD,
  checkExtent,
  diskError,
  extentRequests,
  presentFile,
  readDescriptor,
  type ReadDescriptor,
} from './plan-link.js';
import type { FileProbe, ProbeFiles } from './remote-files.js';
import { totalsOf } from './totals.js';
import type { DiskPlan, ExportPlan, LinkPlan, PlanOptions } from './types.js';

/** The largest disk that vSphere makes ("Configuration Maximums", 62 TB). */
const MAX_DISK_BYTES = 62 * TIB;

interface ReadLink extends ReadDescriptor {
  path: string;
  remotePath: string;
  token: string;
  content: Buffer;
}

/**
 * Looks at the files of a powered-off VM's disks and says what is to be copied, in a handful of round trips. Everything
 * that would end the copy later is an error now, before a byte moves: `disk.missing`, `disk.rdm_physical`,
 * `disk.rdm_virtual`, `disk.chain_broken`, `disk.bad_descriptor`, `disk.locked`, `disk.too_large`, `disk.unsupported`,
 * `converter.space`.
 */
export async function planExport(
  probe: ProbeFiles,
  disks: readonly DiskRecord[],
  ctx: Context,
  options: PlanOptions,
): Promise<ExportPlan> {
  const chains = disks.map((disk) => {
    refuseRdm(disk.label, disk.kind);
    const chain = disk.chain.length > 0 ? disk.chain : disk.path === null ? [] : [disk.path];
    if (chain.length === 0) {
      throw diskError(
        'disk.missing',
        disk.label,
        'the host does not say where its file is.',
        'Look at the VM’s settings.',
      );
    }
    return chain.map((path) => ({ path, remotePath: remotePath(path) }));
  });
  const take = taker(
    await probe(
      chains.flat().map((link) => ({ path: link.remotePath, headBytes: DESCRIPTOR_HEAD, lock: false })),
      ctx,
    ),
  );
  const links = disks.map((disk, index) => {
    const chain = (chains[index] ?? []).map((link): ReadLink => {
      const file = presentFile(take(), disk.label, link.remotePath);
      const read = readDescriptor(file, disk.label, link.remotePath);
      return { ...link, ...read, token: file.token, content: file.head ?? Buffer.alloc(0) };
    });
    checkChain(disk.label, chain);
    return chain;
  });
  const requests = links.map((chain, index) =>
    chain.map((link) => extentRequests(link, disks[index]?.label ?? '', link.remotePath)),
  );
  const takeExtent = taker(await probe(requests.flat(2), ctx));
  const plans = disks.map(({ label }, index): DiskPlan => {
    const names = new LocalNames();
    const planned = (links[index] ?? []).map((link, position): LinkPlan => {
      const localName = names.take(posix.basename(link.remotePath));
      const extents = (requests[index]?.[position] ?? []).map((request) => ({
        ...checkExtent(link, request, takeExtent(), label, link.remotePath),
        localName: link.embedded ? localName : names.take(posix.basename(request.path)),
      }));
      const { path, token, descriptor } = link;
      const content = link.embedded ? null : link.content;
      return { path, remotePath: link.remotePath, localName, token, descriptor, content, extents };
    });
    return diskPlan(label, planned);
  });
  const plan = { disks: plans, ...totalsOf(plans) };
  if (options.outputDir !== null) await checkSpace(plan, options.outputDir);
  return plan;
}

/** Hands out probes in the order in which they were asked for. */
function taker(probes: readonly FileProbe[]): () => FileProbe | undefined {
  let next = 0;
  return () => probes[next++];
}

function refuseRdm(label: string, kind: VmdkKind | null): void {
  if (kind !== 'rdm_physical' && kind !== 'rdm_virtual') return;
  const mode = kind === 'rdm_physical' ? 'physical' : 'virtual';
  throw diskError(
    `disk.${kind}`,
    label,
    `it is a raw device mapping in ${mode} mode: its data lies on a LUN, not in a file.`,
    kind === 'rdm_physical'
      ? 'Copy it inside the guest, attach the LUN to the new server, or leave it out with --skip-disk.'
      : 'Clone it to a file on the host (vmkfstools -i RDM.vmdk NEW.vmdk -d thin), or leave it out with --skip-disk.',
  );
}

function checkChain(label: string, chain: readonly ReadLink[]): void {
  const broken = (why: string) =>
    diskError(
      'disk.chain_broken',
      label,
      why,
      'Consolidate the VM’s disks on the host, or clone the newest link with `vmkfstools -i`; never edit a CID blindly.',
    );
  let below: ReadLink | null = null;
  const seen = new Set<string>();
  for (const link of chain) {
    const { descriptor } = link;
    refuseRdm(label, kindOf(descriptor));
    if (seen.has(link.remotePath)) throw broken(`${link.remotePath} stands in its own chain.`);
    seen.add(link.remotePath);
    if (capacityBytes(descriptor) > MAX_DISK_BYTES) {
      const size = formatBytes(capacityBytes(descriptor));
      throw diskError(
        'disk.too_large',
        label,
        `${link.remotePath} says ${size}; 62 TiB is the limit.`,
        'Check the disk.',
      );
    }
    if (below === null) {
      if (hasParent(descriptor)) {
        throw broken(
          `${link.remotePath} is a delta over ${descriptor.parentFileNameHint ?? 'a parent'}, which is not there.`,
        );
      }
    } else {
      const hint = descriptor.parentFileNameHint ?? '';
      if (descriptor.parentCid === NO_PARENT_CID || hint === '') throw broken(`${link.remotePath} names no parent.`);
      if (posix.basename(hint) !== posix.basename(below.remotePath)) {
        throw broken(`${link.remotePath} names ${JSON.stringify(hint)} as its parent, not ${below.remotePath}.`);
      }
      if (descriptor.parentCid !== below.descriptor.cid) {
        throw broken(
          `${link.remotePath} was made over content ${descriptor.parentCid}, but ${below.remotePath} holds ${below.descriptor.cid}.`,
        );
      }
      if (capacityBytes(descriptor) !== capacityBytes(below.descriptor)) {
        throw broken(`${link.remotePath} and ${below.remotePath} have different sizes.`);
      }
    }
    below = link;
  }
}

function diskPlan(label: string, links: LinkPlan[]): DiskPlan {
  const newest = links.at(-1);
  const kind = newest ? kindOf(newest.descriptor) : null;
  if (!newest || !kind) {
    throw diskError(
      'disk.unsupported',
      label,
      `the disk type ${JSON.stringify(newest?.descriptor.createType ?? '')} cannot be copied.`,
      'Clone the disk on the host (vmkfstools -i OLD.vmdk NEW.vmdk -d thin) and use the clone.',
    );
  }
  const extents = links.flatMap((link) => link.extents.map((extent) => ({ ...extent })));
  const sizes = totalsOf(extents);
  return { label, path: newest.path, kind, capacityBytes: capacityBytes(newest.descriptor), links, ...sizes };
}

/** What is allocated on the datastore must fit here, less what an earlier try has left. */
async function checkSpace(plan: ExportPlan, outputDir: string): Promise<void> {
  let needed = 0;
  for (const disk of plan.disks) {
    for (const extent of disk.links.flatMap((link) => link.extents)) {
      const local = join(outputDir, diskFolder(disk.label), extent.localName);
      const here = (await allocatedHere(local)) + (await allocatedHere(`${local}.part`));
      needed += Math.max(0, Math.min(extent.bytes, extent.allocatedBytes ?? extent.bytes) - here);
    }
  }
  const free = await freeBytes(outputDir);
  if (needed <= free) return;
  throw new StackferryError(
    'converter.space',
    `${outputDir} has ${formatBytes(free)} free; the disks need ${formatBytes(needed)} (${formatBytes(needed - free)} more).`,
    {
      hint: 'Free space there or choose another place with --output DIR.',
      exitCode: 3,
      details: { path: outputDir, needed_bytes: needed, free_bytes: free },
    },
  );
}

async function allocatedHere(path: string): Promise<number> {
  try {
    return (await lstat(path)).blocks * 512;
  } catch {
    return 0;
  }
}
