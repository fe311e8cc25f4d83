import { isObject, pick, pickBoolean, pickString, pickNumber, type VimValue } from '../parse/vim-object.js';
import { Vmx } from '../parse/vmx.js';
import type { PowerState } from '../power-state.js';
import { type DiskDevice, diskDevices } from './disk-devices.js';
import type { DiskResult } from './disks.js';
import { guestIdOfVmx } from './guest-id.js';
import { canonicalUuid } from './host-record.js';
import { type Nic, nicsOf } from './nics.js';
import { otherDevices } from './other-devices.js';
import type { DatastorePaths } from './paths.js';
import type { DiskProblem, NetworkRecord, VmFacts, VmRecord } from './schema.js';
import type { VmSource } from './vm-source.js';
import { nonEmpty } from '../parse/non-empty.js';

/** A VM whose configuration is understood; its disks' files are still to be looked at. */
export interface VmDraft {
  source: VmSource;
  /** Absolute path of the .vmx. */
  vmxPath: string;
  vmx: Vmx;
  power: PowerState | null;
  /** The .vmx keeps its content in `encryption.data`. */
  hidden: boolean;
  preferDevices: boolean;
  disks: DiskDevice[];
}

/**
 * Why a VM cannot be described, or its draft. `summaries` is false on a host that gives no summary of any VM;
 * `devicesFirst` has the device list count before the .vmx also for a VM that is off.
 */
export function draftOf(source: VmSource, summaries: boolean, devicesFirst = false): VmDraft | { skip: string } {
  const { summary, vmx: file } = source;
  if (summary.state !== 'read' && summaries) {
    return { skip: `The host does not tell about it: ${summary.state === 'failed' ? summary.why : 'it is gone'}.` };
  }
  const value = summary.state === 'read' ? summary.value : null;
  const connection = pickString(value, 'runtime', 'connectionState');
  if ('problem' in file) {
    const state = connection !== null && connection !== 'connected' ? ` (the host calls it ${connection})` : '';
    return { skip: `Its configuration cannot be read: ${file.problem}${state}.` };
  }
  const { vmx } = file;
  const hidden = vmx.get('encryption.data') !== null;
  // The host also calls a VM invalid whose key it does not have; of that one there is something better to say.
  if (!hidden && connection !== null && /^(?:invalid|orphaned|inaccessible|disconnected)$/.test(connection)) {
    return { skip: `The host calls it ${connection}: it does not manage it at present.` };
  }
  const power = powerOf(pickString(value, 'runtime', 'powerState'));
  const preferDevices = devicesFirst || hidden || power === 'on' || power === 'suspended';
  return {
    source,
    vmxPath: file.path ?? '',
    vmx,
    power,
    hidden,
    preferDevices,
    disks: diskDevices(vmx, source.devices, preferDevices),
  };
}

function powerOf(text: string | null): PowerState | null {
  switch (text) {
    case 'poweredOn':
      return 'on';
    case 'poweredOff':
      return 'off';
    case 'suspended':
      return 'suspended';
    default:
      return null;
  }
}

export interface VmSurroundings {
  paths: DatastorePaths;
  networks: readonly NetworkRecord[];
  /** Names of port groups that allow promiscuous mode. */
  promiscuous: ReadonlySet<string>;
}

/** The record of a VM whose disks have been looked at. */
export function vmRecord(draft: VmDraft, disks: readonly DiskResult[], around: VmSurroundings): VmRecord {
  const { source, vmx, hidden, power } = draft;
  const summary = source.summary.state === 'read' ? source.summary.value : null;
  const config = (name: string) => pick(summary, 'config', name);
  const nics = nicsOf({
    vmx,
    devices: source.devices,
    guest: source.guest,
    running: power === 'on',
    preferDevices: draft.preferDevices,
    networks: around.networks,
  });
  const firmware = /^efi$/i.test(vmx.get('firmware')?.trim() ?? '') ? 'efi' : 'bios';
  return {
    id: source.listed.id,
    name: nameOf(draft, pickString(summary, 'config', 'name')),
    uuid: canonicalUuid(asString(config('uuid'))) ?? canonicalUuid(vmx.get('uuid.bios')),
    vmx_path: around.paths.toDatastore(draft.vmxPath),
    annotation: vmx.get('annotation') ?? asString(config('annotation')) ?? nonEmpty(source.listed.annotation),
    guest_id: asString(config('guestId')) ?? source.listed.guestId ?? guestIdOfVmx(vmx.get('guestOS')),
    hardware_version: hardwareVersion(draft),
    power_state: power,
    ...processors(draft, summary),
    firmware: hidden ? null : firmware,
    secure_boot: hidden ? null : firmware === 'efi' && vmx.flag('uefi.secureBoot.enabled', false),
    vtpm: hasVtpm(draft),
    encrypted: isEncrypted(draft, summary) || disks.some(({ encrypted }) => encrypted),
    change_tracking: vmx.flag('ctkEnabled', false),
    snapshots: source.snapshots ?? Math.max(0, ...disks.map(({ record }) => record.chain.length - 1)),
    disks: disks.map(({ record }) => record),
    nics: nics.map(({ record }) => record),
    facts: factsOf(draft, summary, disks, nics, around),
  };
}

function nameOf({ source, vmx }: VmDraft, fromSummary: string | null): string {
  return fromSummary ?? vmx.get('displayName') ?? source.listed.name;
}

/** vSphere's word has two digits at the least: `vmx-08`. */
function hardwareVersion({ source, vmx }: VmDraft): string | null {
  const number = vmx.number('virtualHW.version');
  if (number !== null) return `vmx-${String(number).padStart(2, '0')}`;
  return source.listed.version ?? pickString(source.guest, 'hwVersion');
}

/** Of a running VM what it runs with, of one that is off what it will start with. */
function processors(draft: VmDraft, summary: VimValue): Pick<VmRecord, 'cpus' | 'cores_per_socket' | 'memory_mib'> {
  const { vmx, source, preferDevices, hidden } = draft;
  const { devices } = source;
  const choose = (key: string, device: number | null, summaryName: string | null) => {
    const said = vmx.number(key);
    const told = summaryName === null ? null : pickNumber(summary, 'config', summaryName);
    return preferDevices ? (device ?? told ?? said) : (said ?? device ?? told);
  };
  const cores = choose('cpuid.coresPerSocket', devices?.coresPerSocket ?? null, null);
  return {
    // Without numvcpus a VM has one.
    cpus: choose('numvcpus', devices?.cpus ?? null, 'numCpu') ?? (hidden ? null : 1),
    cores_per_socket: cores === null || cores < 1 ? 1 : cores,
    memory_mib: choose('memSize', devices?.memoryMib ?? null, 'memorySizeMB'),
  };
}

/**
 * Encrypted as a whole or in part: the .vmx keeps its keys (`keySafe`, or `bundle` of newer hosts), the host tells the
 * state of its lock (RuntimeInfo.cryptoState, vSphere 6.7), or one of its disks has a key.
 */
function isEncrypted({ source, vmx, hidden }: VmDraft, summary: VimValue): boolean {
  return (
    hidden ||
    ['encryption.keySafe', 'encryption.bundle'].some((key) => nonEmpty(vmx.get(key)) !== null) ||
    nonEmpty(pickString(summary, 'runtime', 'cryptoState')) !== null ||
    (source.devices?.devices.some(
      ({ type, object }) => type === 'VirtualDisk' && isObject(pick(object, 'backing', 'keyId')),
    ) ??
      false)
  );
}

function hasVtpm({ source, vmx, hidden }: VmDraft): boolean | null {
  if (source.devices?.devices.some(({ type }) => type === 'VirtualTPM')) return true;
  if (vmx.flag('vtpm.present', false)) return true;
  return hidden && !source.devices ? null : false;
}

function factsOf(
  draft: VmDraft,
  summary: VimValue,
  disks: readonly DiskResult[],
  nics: readonly Nic[],
  { paths, promiscuous }: VmSurroundings,
): VmFacts {
  const { source, vmx, power, preferDevices } = draft;
  const runtime = (name: string) => pick(summary, 'runtime', name);
  const problems: Record<string, DiskProblem[]> = {};
  const datastores: Record<string, string> = {};
  const rawDisks: VmFacts['rawDisks'] = {};
  for (const disk of disks) {
    if (disk.problems.length > 0) problems[disk.record.label] = disk.problems;
    if (disk.datastore !== null) datastores[disk.record.label] = disk.datastore;
    if (disk.raw !== null) rawDisks[disk.record.label] = disk.raw;
  }
  const ftState = asString(runtime('faultToleranceState'));
  return {
    template: pickBoolean(summary, 'config', 'template') === true || /\.vmtx$/i.test(draft.vmxPath),
    ...toolsOf(source.guest, summary),
    faultTolerance: (ftState !== null && ftState !== 'notConfigured') || isObject(pick(summary, 'config', 'ftInfo')),
    cpuHotAdd: vmx.flag('vcpu.hotadd', false),
    memoryHotAdd: vmx.flag('mem.hotadd', false),
    latencySensitivity: nonEmpty(vmx.get('sched.cpu.latencySensitivity')?.toLowerCase()),
    consolidationNeeded: runtime('consolidationNeeded') === true,
    questionPending: isObject(runtime('question')),
    diskEnableUuid: vmx.flag('disk.EnableUUID', false),
    vmxDatastore: paths.datastoreOf(draft.vmxPath),
    diskDatastores: datastores,
    diskProblems: problems,
    rawDisks,
    staticMacs: nics.filter(({ staticMac }) => staticMac).map(({ record }) => record.label),
    startDisconnectedNics: nics
      .filter(({ startsDisconnected }) => startsDisconnected)
      .map(({ record }) => record.label),
    promiscuousNics: nics
      .filter(({ record }) => record.network !== null && promiscuous.has(record.network))
      .map(({ record }) => record.label),
    ...otherDevices(vmx, source.devices, power === 'on', preferDevices),
  };
}

function toolsOf(guest: VimValue, summary: VimValue): Pick<VmFacts, 'toolsRunning' | 'toolsInstalled'> {
  const word = (name: string) => pickString(guest, name) ?? pickString(summary, 'guest', name);
  const running = word('toolsRunningStatus');
  const status = word('toolsStatus');
  const version = word('toolsVersionStatus2') ?? word('toolsVersionStatus');
  return {
    toolsRunning:
      running === null ? (status === null ? null : /^tools(?:Ok|Old)$/.test(status)) : !/NotRunning$/.test(running),
    toolsInstalled:
      version === null && status === null
        ? null
        : !/NotInstalled$/.test(version ?? '') && status !== 'toolsNotInstalled',
  };
}

function asString(value: VimValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
