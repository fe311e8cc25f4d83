import { type Context, StackferryError } from '../../core/index.js';
import { type ListedVm, type VmListing, parseGetAllVms } from '../parse/getallvms.js';
import { isFault, pickString } from '../parse/vim-object.js';
import type { RemoteShell } from '../ssh/shell.js';
import { type Frame, runScript, scriptsOf, textOf } from './batch.js';
import { datastoresOfDf, datastoresOfEsxcli, datastoresOfSummary } from './datastores.js';
import { HOST_LINES, canonicalUuid, hostRecord, objectOf } from './host-record.js';
import { decodeNetworkName, networksOfEsxcli, portGroupsOfVimCmd, policyLines, promiscuousOf } from './networks.js';
import { DatastorePaths, folderOf, parseVolumeLinks } from './paths.js';
import { type DiskResult, readDisks } from './disks.js';
import type { DatastoreRecord, Inventory, NetworkRecord, SkippedRecord, VmRecord } from './schema.js';
import { asksForUuid, candidates } from './select.js';
import { type VmDraft, draftOf, vmRecord } from './vm-record.js';
import { type VmSource, readSummaries, readVmSources } from './vm-source.js';
import { nonEmpty } from '../parse/non-empty.js';

const FIRST_LINES = [
  'h list vim-cmd vmsvc/getallvms',
  ...HOST_LINES,
  'g filesystems e storage filesystem list',
  'g portgroups e network vswitch standard portgroup list',
  'g volumes ls -l /vmfs/volumes',
  'g net vim-cmd hostsvc/net/info',
];
/** Only asked where esxcli gave nothing. */
const FALLBACK_LINES = ['g datastores vim-cmd hostsvc/datastore/listsummary', 'g df df'];
const TIMEOUT_MS = 300_000;

/**
 * Reads a host's inventory in few round trips: one for the host and its list of VMs, where needed one for the policies
 * of its port groups, one for each 50 VMs, about two for all descriptors and one for all extents. With `only`
 * (selectors) just the VMs that fit, and those that share a name with one, are read; all of them where a disk is
 * shared. A VM that cannot be read goes to `skipped`; what a host does not tell is null. Throws `esxi.no_inventory` where the host gives no list of VMs.
 */
export async function readInventory(
  shell: RemoteShell,
  ctx: Context,
  options: { only?: readonly string[] } = {},
): Promise<Inventory> {
  const first = await runAll(shell, FIRST_LINES);
  const listing = listingOf(first.frames, first.stderr, shell);
  const links = parseVolumeLinks(textOf(first.frames.get('volumes')));
  const datastores = await datastoresOf(shell, first.frames, links);
  const { networks, promiscuous } = networksOf(first.frames);
  const paths = new DatastorePaths(datastores, links);
  const listed = await chosen(shell, listing, options.only);
  const [policies, sources] = await Promise.all([
    promiscuous ?? readPolicies(shell, networks),
    readVmSources(shell, listed, paths),
  ]);
  const named = networks.map((network) => ({ ...network, name: decodeNetworkName(network.name) }));
  const around = { paths, networks: named, promiscuous: new Set([...policies].map(decodeNetworkName)) };
  const { vms, skipped } = await describe(shell, sources, around);
  if (vms.some(({ disks }) => disks.some(({ shared }) => shared))) {
    // Whether a shared disk may be copied depends on the others that use it.
    const others = listing.vms.filter((vm) => !listed.includes(vm));
    vms.push(...(await describe(shell, await readVmSources(shell, others, paths), around)).vms);
  }
  ctx.log.debug('inventory read', { vms: vms.length, skipped: skipped.length, roundTrips: shell.roundTrips });
  const invalid = options.only === undefined ? listing.invalidIds : invalidAsked(listing, options.only);
  for (const id of invalid) {
    if (vms.some((vm) => vm.id === id) || skipped.some((vm) => vm.id === id)) continue;
    const name = listing.vms.find((vm) => vm.id === id)?.name ?? null;
    skipped.push({ id, name, reason: 'The host skips it as invalid: its configuration cannot be loaded.' });
  }
  const byId = (a: { id: string }, b: { id: string }) => Number(a.id) - Number(b.id);
  return {
    host: hostRecord(first.frames),
    datastores,
    networks: named,
    vms: vms.sort(byId),
    skipped: skipped.sort(byId),
  };
}

function invalidAsked(listing: VmListing, only: readonly string[]): string[] {
  return candidates(
    listing.invalidIds.map((id) => ({ id, name: null })),
    only,
  ).map(({ id }) => id);
}

async function runAll(
  shell: RemoteShell,
  lines: readonly string[],
): Promise<{ frames: Map<string, Frame>; stderr: string }> {
  const all = new Map<string, Frame>();
  let stderr = '';
  for (const script of scriptsOf(lines)) {
    const result = await runScript(shell, script, TIMEOUT_MS);
    for (const [name, frame] of result.frames) all.set(name, frame);
    stderr += result.stderr;
  }
  return { frames: all, stderr };
}

function listingOf(frames: ReadonlyMap<string, Frame>, stderr: string, shell: RemoteShell): VmListing {
  const frame = frames.get('list');
  const text = textOf(frame);
  const listing = parseGetAllVms(text, stderr);
  const fault = objectOf(frame);
  const empty = listing.vms.length === 0 && listing.invalidIds.length === 0;
  // A host without VMs prints the header alone, with status 0.
  if (!frame || (empty && (frame.status !== 0 || text.trim() === '' || isFault(fault)))) {
    const missing = frame?.status === 127;
    const why = isFault(fault) ? pickString(fault, 'msg') : (stderr.trim().split('\n')[0] ?? '').slice(0, 200);
    throw new StackferryError(
      'esxi.no_inventory',
      `${shell.name} gives no list of VMs: ${missing ? 'it has no vim-cmd' : (nonEmpty(why) ?? 'vim-cmd printed nothing')}.`,
      {
        hint: missing
          ? 'Is this an ESXi host? Give the host itself, not a vCenter or a VM.'
          : 'Restart the host agent on the host (`/etc/init.d/hostd restart`) and try again.',
      },
    );
  }
  return listing;
}

/** The datastores, from esxcli or, where it gives none, from vim-cmd or df. */
async function datastoresOf(
  shell: RemoteShell,
  frames: ReadonlyMap<string, Frame>,
  links: ReadonlyMap<string, string>,
): Promise<DatastoreRecord[]> {
  const datastores = datastoresOfEsxcli(textOf(frames.get('filesystems')));
  if (datastores.length > 0) return datastores;
  const more = await runAll(shell, FALLBACK_LINES);
  const summaries = datastoresOfSummary(objectOf(more.frames.get('datastores')));
  return summaries.length > 0 ? summaries : datastoresOfDf(textOf(more.frames.get('df')), links);
}

/**
 * The networks, and the policies where one answer told them all. (Asking esxcli costs a second for each port group, so
 * that is only done where `net/info` is not to be had.)
 */
function networksOf(frames: ReadonlyMap<string, Frame>): {
  networks: NetworkRecord[];
  promiscuous: Set<string> | null;
} {
  const listed = networksOfEsxcli(textOf(frames.get('portgroups')));
  const groups = portGroupsOfVimCmd(objectOf(frames.get('net')));
  const networks =
    listed.length > 0 ? listed : groups.map(({ name, vlan_id, vswitch }) => ({ name, vlan_id, vswitch }));
  const told = new Map(groups.map(({ name, promiscuous }) => [decodeNetworkName(name), promiscuous]));
  const complete = networks.every(({ name }) => typeof told.get(decodeNetworkName(name)) === 'boolean');
  return {
    networks,
    promiscuous: complete ? new Set([...told.keys()].filter((name) => told.get(name) === true)) : null,
  };
}

async function readPolicies(shell: RemoteShell, networks: readonly NetworkRecord[]): Promise<Set<string>> {
  const { frames } = await runAll(shell, policyLines(networks));
  return promiscuousOf(networks, frames);
}

/** Which of the listed VMs are read. A uuid is only known from the summaries. */
async function chosen(
  shell: RemoteShell,
  listing: VmListing,
  only: readonly string[] | undefined,
): Promise<ListedVm[]> {
  if (only === undefined) return listing.vms;
  if (!asksForUuid(only)) return candidates(listing.vms, only);
  const summaries = await readSummaries(shell, listing.vms);
  const items = listing.vms.map((vm) => {
    const summary = summaries.get(vm.id);
    const value = summary?.state === 'read' ? summary.value : null;
    return {
      id: vm.id,
      name: pickString(value, 'config', 'name') ?? vm.name,
      uuid: canonicalUuid(pickString(value, 'config', 'uuid')),
      vm,
    };
  });
  return candidates(items, only).map(({ vm }) => vm);
}

async function describe(
  shell: RemoteShell,
  sources: readonly VmSource[],
  around: { paths: DatastorePaths; networks: readonly NetworkRecord[]; promiscuous: ReadonlySet<string> },
): Promise<{ vms: VmRecord[]; skipped: SkippedRecord[] }> {
  const drafts: VmDraft[] = [];
  const skipped: SkippedRecord[] = [];
  // A host whose vim-cmd knows no get.summary fails for all of them alike; then the list itself has to do.
  const summaries = sources.some(({ summary }) => summary.state !== 'failed');
  for (const source of sources) {
    if (source.summary.state === 'unknown') continue;
    const draft = draftOf(source, summaries);
    if ('skip' in draft) skipped.push({ id: source.listed.id, name: skippedName(source), reason: draft.skip });
    else drafts.push(draft);
  }
  const tasks = drafts.flatMap(({ disks, vmxPath }) =>
    disks.map((device) => ({ device, folder: vmxPath === '' ? null : folderOf(vmxPath) })),
  );
  const results = await readDisks(shell, tasks, around.paths);
  let at = 0;
  const vms = drafts.map((draft) => {
    const disks: DiskResult[] = results.slice(at, (at += draft.disks.length));
    return vmRecord(draft, disks, around);
  });
  return { vms, skipped };
}

function skippedName({ summary, listed }: VmSource): string {
  return (summary.state === 'read' ? pickString(summary.value, 'config', 'name') : null) ?? listed.name;
}
