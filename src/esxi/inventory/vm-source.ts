import { messageOf } from '../../core/index.js';
import type { ListedVm } from '../parse/getallvms.js';
import { parseSnapshotTree } from '../parse/snapshot-tree.js';
import { isFault, isObject, pickString, type VimValue } from '../parse/vim-object.js';
import { MAX_VMX_BYTES, parseVmx, type Vmx } from '../parse/vmx.js';
import { quote } from '../ssh/quoting.js';
import type { RemoteShell } from '../ssh/shell.js';
import { FILE_STATUS, type Frame, inChunks, runScript, scriptsOf, textOf } from './batch.js';
import { type Devices, devicesOf } from './devices.js';
import { objectOf } from './host-record.js';
import type { DatastorePaths } from './paths.js';

/** Everything the host says about one VM, read but not yet judged. */
export interface VmSource {
  listed: ListedVm;
  summary: SummaryReading;
  /** `vim.vm.GuestInfo`, null where it could not be read. */
  guest: VimValue;
  devices: Devices | null;
  /** Nodes of the snapshot tree, null where the host does not say. */
  snapshots: number | null;
  vmx: { path: string | null; vmx: Vmx } | { path: string | null; problem: string };
}

export type SummaryReading =
  | { state: 'read'; value: VimValue }
  /** The host knows no VM of this id: what looked like one was text of an annotation. */
  | { state: 'unknown' }
  | { state: 'failed'; why: string };

/** VMs a command: at some 2 s each a chunk ends well within its time, and 200 VMs are four round trips. */
const VMS_PER_COMMAND = 50;
const BLOCKS = MAX_VMX_BYTES / 65536;

/** `v ID VMX`: the four answers about a VM and its .vmx. */
const VM_PRELUDE = `v() {
g $1.s vim-cmd vmsvc/get.summary $1
g $1.g vim-cmd vmsvc/get.guest $1
g $1.d vim-cmd vmsvc/device.getdevices $1
g $1.t vim-cmd vmsvc/snapshot.get $1
f $1.x "$2" ${BLOCKS}
}
`;

/** Reads all there is about these VMs, many in one command. */
export async function readVmSources(
  shell: RemoteShell,
  listed: readonly ListedVm[],
  paths: DatastorePaths,
): Promise<VmSource[]> {
  const frames = new Map<string, Frame>();
  const hung = new Set<string>();
  await inChunks(
    listed,
    VMS_PER_COMMAND,
    async (chunk) => {
      const lines = chunk.map(({ id, vmxPath }) => `v ${id} ${quote(paths.resolve(vmxPath, null) ?? '')}`);
      for (const script of scriptsOf(lines, Infinity, VM_PRELUDE)) {
        const result = await runScript(shell, script, 60_000 + chunk.length * 10_000);
        for (const [name, frame] of result.frames) frames.set(name, frame);
      }
    },
    ({ id }) => hung.add(id),
  );
  const sources = listed.map((vm) => sourceOf(vm, frames, hung.has(vm.id), paths));
  await readMovedVmx(shell, sources, paths);
  return sources;
}

/** Only the summaries, for choosing VMs by uuid. */
export async function readSummaries(
  shell: RemoteShell,
  listed: readonly ListedVm[],
): Promise<Map<string, SummaryReading>> {
  const readings = new Map<string, SummaryReading>();
  await inChunks(
    listed,
    VMS_PER_COMMAND * 2,
    async (chunk) => {
      const lines = chunk.map(({ id }) => `g ${id} vim-cmd vmsvc/get.summary ${id}`);
      for (const script of scriptsOf(lines)) {
        const { frames } = await runScript(shell, script, 60_000 + chunk.length * 5_000);
        for (const [id, frame] of frames) readings.set(id, summaryOf(frame));
      }
    },
    () => undefined,
  );
  return readings;
}

function sourceOf(
  listed: ListedVm,
  frames: ReadonlyMap<string, Frame>,
  hung: boolean,
  paths: DatastorePaths,
): VmSource {
  const frame = (kind: string) => frames.get(`${listed.id}.${kind}`);
  const tree = frame('t');
  return {
    listed,
    summary: hung ? { state: 'failed', why: 'the host did not answer in time' } : summaryOf(frame('s')),
    guest: withoutFault(objectOf(frame('g'))),
    devices: devicesOf(objectOf(frame('d'))),
    snapshots: snapshotsOf(tree),
    vmx: vmxOf(frame('x'), paths.resolve(listed.vmxPath, null)),
  };
}

/** Where the summary names another .vmx than the list (whose columns may be cut wrong), that one is read. */
async function readMovedVmx(shell: RemoteShell, sources: VmSource[], paths: DatastorePaths): Promise<void> {
  const moved = sources.flatMap((source) => {
    if (source.summary.state !== 'read') return [];
    const path = paths.resolve(pickString(source.summary.value, 'config', 'vmPathName') ?? '', null);
    return path !== null && path !== source.vmx.path ? [{ source, path }] : [];
  });
  const lines = moved.map(({ path }, i) => `f ${i} ${quote(path)} ${BLOCKS}`);
  for (const script of scriptsOf(lines)) {
    const { frames } = await runScript(shell, script, 60_000 + lines.length * 1000);
    for (const [i, frame] of frames) {
      const item = moved[Number(i)];
      if (item) item.source.vmx = vmxOf(frame, item.path);
    }
  }
}

function summaryOf(frame: Frame | undefined): SummaryReading {
  const text = textOf(frame);
  const value = objectOf(frame);
  if (isFault(value)) {
    if (value.type.endsWith('.NotFound') || value.type.endsWith('.ManagedObjectNotFound')) return { state: 'unknown' };
    return { state: 'failed', why: pickString(value, 'msg') ?? value.type };
  }
  if (isObject(value) && value.type.endsWith('Summary')) return { state: 'read', value };
  if (/unable to find a VM corresponding/i.test(text)) return { state: 'unknown' };
  const line = text.split('\n').find((candidate) => candidate.trim() !== '');
  return { state: 'failed', why: line?.trim().slice(0, 200) ?? 'the host printed nothing' };
}

function withoutFault(value: VimValue): VimValue {
  return isFault(value) ? null : value;
}

function snapshotsOf(frame: Frame | undefined): number | null {
  const text = textOf(frame);
  if (!/^\s*Get Snapshot:/m.test(text) || isFault(objectOf(frame))) return null;
  return parseSnapshotTree(text).length;
}

function vmxOf(frame: Frame | undefined, path: string | null): VmSource['vmx'] {
  const problem = (why: string) => ({ path, problem: why });
  if (path === null) return problem('its .vmx lies outside the datastores');
  if (!frame) return problem('its .vmx was not given by the host');
  switch (frame.status) {
    case 0:
      break;
    case FILE_STATUS.missing:
      return problem('its .vmx is not there');
    case FILE_STATUS.notAFile:
      return problem('its .vmx is not a regular file');
    default:
      return problem(`its .vmx cannot be read: ${lastWords(textOf(frame))}`);
  }
  try {
    return { path, vmx: parseVmx(frame.content) };
  } catch (error) {
    return problem(messageOf(error).replace(/^The/, 'its').replace(/\.$/, ''));
  }
}

/** The reason in a line like `dd: can't open '…': Device or resource busy`. */
function lastWords(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => /^dd: .*: (.*\S)\s*$/.exec(line)?.[1])
      .find((why) => why !== undefined) ?? 'the host does not say why'
  );
}
