import { isIP } from 'node:net';
import { UsageError } from '../../core/index.js';

/** Where a NIC of the source goes, as `--nic LABEL=DST[,ip=ADDR]…[,mac=MAC]` says it. */
export interface NicMapping {
  /** `ethernet0`. */
  label: string;
  /** Network or subnet, by name or id. */
  target: string;
  ips: string[];
  mac: string | null;
  /** Which mapping rule says so; unset: `--nic` does. */
  reason?: string;
  /** Instead of those that hold for the whole VM. */
  securityGroups?: string[];
  keepIp?: boolean;
}

/** What the server has instead of virtio-scsi, virtio and the firmware of the VM, in Nova's words. */
export interface HardwareChoice {
  /** Which mapping rule says so. */
  reason: string;
  diskBus?: 'scsi' | 'virtio' | 'sata' | 'ide';
  scsiModel?: string;
  vifModel?: 'virtio' | 'vmxnet3' | 'e1000' | 'e1000e';
  firmwareType?: 'bios' | 'uefi';
  /** Further image properties, over those that come from the VM. */
  properties?: Record<string, string>;
}

/** Where port groups go, as `--network SRC=DST` says it. SRC may be a glob. */
export interface NetworkMapping {
  source: string;
  target: string;
}

export type WaitFor = { type: 'active' } | { type: 'console' } | { type: 'ping' } | { type: 'tcp'; port: number };

/** The mapping options, the same on every command that has them. Unset ones are left to the resolver. */
export interface MappingOptions {
  networks: NetworkMapping[];
  nics: NicMapping[];
  keepMac: boolean;
  keepIp: boolean;
  flavor?: string;
  volumeType?: string;
  /** Of the disks on a datastore (a glob); the first that fits wins, and wins over `volumeType`. */
  datastoreTypes?: { datastore: string; type: string }[];
  /** Of single disks, by label; said by mapping rules. What is said above wins. */
  volumeTypes?: Record<string, { type: string; reason: string }>;
  zone?: string;
  volumeZone?: string;
  securityGroups: string[];
  keyName?: string;
  name?: string;
  imageFormat: 'auto' | 'qcow2' | 'raw';
  /** How the bytes get into the volumes; `auto` if unset. */
  via?: 'auto' | 'glance' | 'cinder';
  configDrive: boolean;
  /** False: everything is made ready, but the server is not started. */
  start: boolean;
  waitFor: WaitFor;
  hardware?: HardwareChoice;
  /** Make a flavor of the VM's size where none has it exactly. */
  createFlavor?: boolean;
  /** Of the server. */
  tags?: string[];
  /** Of the server, beside what every server of ours has. */
  metadata?: Record<string, string>;
}

export const defaultMapping: MappingOptions = {
  networks: [],
  nics: [],
  keepMac: true,
  keepIp: false,
  securityGroups: [],
  imageFormat: 'auto',
  configDrive: false,
  start: true,
  waitFor: { type: 'console' },
};

/** Reads `SRC=DST`, split at the last `=` (port group names may hold one). */
export function parseNetworkMapping(text: string): NetworkMapping {
  const at = text.lastIndexOf('=');
  const source = text.slice(0, Math.max(0, at)).trim();
  const target = text.slice(at + 1).trim();
  if (at < 1 || source === '' || target === '') {
    throw new UsageError(`--network "${text}" is not of the form SRC=DST.`, "Example: --network 'VM Network=prod'");
  }
  return { source, target };
}

/**
 * Reads what `--volume-type` says: `TYPE` for all disks, and `DATASTORE=TYPE`, split at the last `=`, for those on a
 * datastore.
 * @throws UsageError for another form, and for two types of all disks.
 */
export function parseVolumeTypes(list: readonly string[]): Pick<MappingOptions, 'volumeType' | 'datastoreTypes'> {
  const example = "Example: --volume-type ssd --volume-type 'nas*=bulk'";
  const all = list.filter((text) => !text.includes('='));
  const [volumeType, second] = all;
  if (second !== undefined) {
    throw new UsageError(`--volume-type says ${all.join(' and ')} for the same disks.`, example);
  }
  const datastoreTypes = list
    .filter((text) => text.includes('='))
    .map((text) => {
      const at = text.lastIndexOf('=');
      const [datastore, type] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
      if (datastore !== '' && type !== '') return { datastore, type };
      throw new UsageError(`--volume-type "${text}" is not of the form TYPE or DATASTORE=TYPE.`, example);
    });
  return {
    ...(volumeType === undefined ? {} : { volumeType }),
    ...(datastoreTypes.length === 0 ? {} : { datastoreTypes }),
  };
}

/** Reads `LABEL=DST[,ip=ADDR]…[,mac=MAC]`. */
export function parseNicMapping(text: string): NicMapping {
  const example = 'Example: --nic ethernet0=prod,ip=10.0.0.5,mac=00:50:56:aa:bb:01';
  const at = text.indexOf('=');
  const label = text.slice(0, Math.max(0, at)).trim().toLowerCase();
  if (at < 1 || !/^ethernet\d+$/.test(label)) {
    throw new UsageError(`--nic "${text}" does not begin with a NIC's label and "=".`, example);
  }
  const ips: string[] = [];
  const target: string[] = [];
  let mac: string | null = null;
  for (const part of text.slice(at + 1).split(',')) {
    if (/^ip=/i.test(part.trim())) ips.push(part.trim().slice(3).trim());
    else if (/^mac=/i.test(part.trim())) mac = part.trim().slice(4).trim().toLowerCase().replaceAll('-', ':');
    else target.push(part);
  }
  if (mac !== null && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) {
    throw new UsageError(`--nic "${text}": "${mac}" is no MAC address.`, example);
  }
  const name = target.join(',').trim();
  if (name === '') throw new UsageError(`--nic "${text}" names no network or subnet.`, example);
  const bad = ips.find((ip) => isIP(ip) === 0);
  if (bad !== undefined) throw new UsageError(`--nic "${text}": "${bad}" is no IP address.`, example);
  return { label, target: name, ips, mac };
}

/** Reads `console|ping|tcp:PORT|active`. */
export function parseWaitFor(text: string): WaitFor {
  if (text === 'console' || text === 'ping' || text === 'active') return { type: text };
  const port = /^tcp:(\d{1,5})$/.exec(text)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65535) return { type: 'tcp', port: Number(port) };
  throw new UsageError(
    `--wait-for "${text}" is none of console, ping, tcp:PORT, active.`,
    'Example: --wait-for tcp:22 (PORT is 1 to 65535)',
  );
}

/** How a wait is written on the command line. */
export function formatWaitFor(wait: WaitFor): string {
  return wait.type === 'tcp' ? `tcp:${wait.port}` : wait.type;
}

/** Whether a glob (`*`, `?`) fits a whole text. Case counts, as in port group names. */
export function globFits(glob: string, text: string): boolean {
  const pattern = Array.from(glob)
    .map((character) => {
      if (character === '*') return '[^]*';
      if (character === '?') return '[^]';
      return character.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${pattern}$`, 'u').test(text);
}
